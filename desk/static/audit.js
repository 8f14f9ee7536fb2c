// The audit trail, for admins: who did what, to what, when and from where.
import { ROLE, api, dateTime, h, header } from "./common.js";
import { listing } from "./keeping.js";
import { filtered } from "./list.js";

const ACTION = {
  login: "登录", login_failed: "登录失败", logout: "退出", password_changed: "修改密码", password_refused: "当前密码输错", totp_on: "开启动态验证码",
  user_added: "添加账号", user_changed: "更改账号", user_removed: "删除账号",
  listen: "收听录音", export: "导出通话", recording_paused: "暂停录音", recording_resumed: "恢复录音",
  ticket_filed: "登记工单", ticket_changed: "修改工单", message_retried: "重发工单消息", callback_promised: "约定回电", callback_cancelled: "取消回电",
  callback_changed: "更改回电", callback_closed: "办结回电", callback_reopened: "再次回电", messages_retried: "重发全部失败消息",
  knowledge_added: "添加知识", knowledge_changed: "修改知识", knowledge_removed: "删除知识", knowledge_imported: "导入知识",
  seat_saved: "设置座位", seat_removed: "删除座位", seat_taken: "入座", seat_left: "离座", seat_status: "代改座位状态",
};
const VALUE = {
  ...ROLE, password: "密码错误", code: "验证码错误", locked: "账号已锁定", away: "暂离", free: "空闲", wrap_up: "整理中",
  category: "类别", department: "承办部门", urgency: "紧急程度", title: "标题", text: "内容", slots: "要素", status: "状态",
  due_at: "时间", request: "诉求", seat: "座位", handled: "已处理", not_reached: "联系不上", not_wanted: "不再需要",
};
const words = (value) => VALUE[value] ?? String(value);
const DETAIL = {
  role: (value) => `角色：${words(value)}`, reason: words, format: (value) => `格式：${value}`, status: (value) => `状态：${words(value)}`,
  fields: (value) => value.map(words).join("、"), new_password: () => "重置密码", unlock: () => "解锁", totp: () => "关闭动态验证码",
  seat: (value) => (value ? `座位：${value}` : "任一座位"), result: words, count: (value) => `${value} 条`,
  new: (value) => `新增 ${value}`, changed: (value) => `更改 ${value}`, removed: (value) => `删除 ${value}`,
};
const CALLS = new Set(["listen", "export", "recording_paused", "recording_resumed"]);
const ALARMING = new Set(["login_failed", "password_refused"]);
const filters = document.getElementById("filters");

for (const [action, name] of Object.entries(ACTION)) filters.elements.action.append(new Option(name, action));

const detailWords = (detail) => Object.entries(detail).map(([key, value]) => (DETAIL[key] ? DETAIL[key](value) : `${key}：${value}`)).join("，");

function row(entry) {
  const about = CALLS.has(entry.action) ? h("a.link", { href: `/calls/${encodeURIComponent(entry.about)}` }, entry.about) : entry.about;
  const role = entry.role ? h("small.muted", {}, `（${ROLE[entry.role] ?? entry.role}）`) : null;
  return h("tr", {},
    h("td.nowrap.num-left", {}, dateTime(entry.at)),
    h("td.nowrap", {}, entry.who || h("span.muted", {}, "未登录"), role),
    h("td.nowrap", {}, h(`span.badge${ALARMING.has(entry.action) ? ".bad" : ""}`, {}, ACTION[entry.action] ?? entry.action)),
    h("td.about", {}, about), h("td", {}, detailWords(entry.detail)), h("td.nowrap.muted", {}, entry.address || "命令行"));
}

const list = filtered(filters, () => load());
const load = listing({
  body: document.querySelector("#entries tbody"), path: () => `/api/v1/audit?${list.query}`, row, list,
  counted: (total) => `共 ${total} 条`, failed: "暂时无法读取操作记录，请稍后再试。",
});
if (await header(["admin"])) {
  await load();
  const { items } = await api("/api/v1/users");
  document.getElementById("people").replaceChildren(...items.map((user) => new Option(user.name)));
}
