// Accounts, for admins: add, give another role or a new one-time password, unlock, remove.
import { confirmed, shownOnce } from "./ask.js";
import { ROLE, api, dateTime, h, header } from "./common.js";
import { attempt as tried, expected } from "./keeping.js";

const add = document.getElementById("add");
const body = document.querySelector("#users tbody");
const FAILED = { 404: "没有这个账号，可能已经删除。", 409: "不能这样做：至少要保留一个管理员。", 403: "您不再有管理账号的权限。" };
let me = null;

// Do it, say that it is done or why not, and show how things are now.
async function attempt(action, done, problems = FAILED) {
  const result = await tried(action, done, problems);
  await load();
  return result;
}

const pathOf = (user) => `/api/v1/users/${encodeURIComponent(user.name)}`;
const change = (user, body, done) => attempt(() => api(pathOf(user), { method: "PATCH", body }), done);

async function showPassword(user) {
  await shownOnce(`账号 ${user.name} 的一次性密码`, user.one_time_password, "请交给本人。只显示这一次；首次登录时必须换成自己的密码。");
}

async function giveRole(user, select) {
  const words = `把账号 ${user.name} 的角色改为“${ROLE[select.value]}”？已登录的会被退出。`;
  if (await confirmed(words, "更改")) await change(user, { role: select.value }, `账号 ${user.name} 现在是${ROLE[select.value]}。`);
  else select.value = user.role;
}

async function newPassword(user) {
  if (!(await confirmed(`给账号 ${user.name} 一个新的一次性密码？原密码立即失效，已登录的会被退出。`, "重置密码"))) return;
  const changed = await change(user, { new_password: true }, `账号 ${user.name} 的密码已重置。`);
  if (changed) await showPassword(changed);
}

async function withoutCode(user) {
  if (await confirmed(`账号 ${user.name} 以后登录不再需要动态验证码？请先确认是本人要求。`, "关闭验证码")) {
    await change(user, { totp: false }, `账号 ${user.name} 的动态验证码已关闭。`);
  }
}

async function remove(user) {
  if (!(await confirmed(`删除账号 ${user.name}？它的操作记录会保留。`, "删除"))) return;
  await attempt(() => api(pathOf(user), { method: "DELETE" }), `账号 ${user.name} 已删除。`);
}

function row(user) {
  const locked = user.locked_until && new Date(user.locked_until) > new Date();
  const select = h("select", { ariaLabel: `${user.name} 的角色`, disabled: user.name === me.name }, Object.entries(ROLE).map(([role, words]) => new Option(words, role)));
  select.value = user.role;
  select.addEventListener("change", () => giveRole(user, select));
  const button = (words, action, classes = "") => h(`button.small${classes}`, { type: "button", onclick: action }, words);
  return h("tr", {},
    h("td.nowrap", {}, h("b", {}, user.name), user.name === me.name ? h("small.muted", {}, "（您自己）") : null),
    h("td", {}, select),
    h("td.badges", {},
      locked ? h("span.badge.bad", {}, `已锁定，${dateTime(user.locked_until)} 解锁`) : null,
      user.must_change ? h("span.badge.warm", {}, "待首次登录改密") : null,
      user.totp ? h("span.badge.good", {}, "动态验证码") : null,
      locked || user.must_change || user.totp ? null : h("span.muted", {}, "正常")),
    h("td.nowrap.muted", {}, dateTime(user.created_at)),
    h("td.right.nowrap", {},
      locked ? button("解锁", () => change(user, { unlock: true }, `账号 ${user.name} 已解锁。`)) : null,
      user.totp ? button("关闭验证码", () => withoutCode(user)) : null,
      user.name === me.name ? null : button("重置密码", () => newPassword(user)),
      user.name === me.name ? h("a", { href: "/account" }, "修改密码") : button("删除", () => remove(user), ".danger")));
}

async function load() {
  const error = document.getElementById("error");
  try {
    const { items } = await api("/api/v1/users");
    body.replaceChildren(...items.map(row));
    document.getElementById("total").textContent = `共 ${items.length} 个`;
    error.hidden = true;
  } catch (problem) {
    expected(problem);
    error.textContent = "暂时无法读取账号，请稍后再试。";
    error.hidden = false;
  }
}

add.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, role } = add.elements;
  const problems = { 409: "已经有这个账号。", 422: "账号名不能为空，不能含“/”和“:”。" };
  const made = await attempt(() => api("/api/v1/users", { method: "POST", body: { name: name.value.trim(), role: role.value } }), `账号 ${name.value.trim()} 已添加。`, problems);
  if (!made) return;
  add.reset();
  await showPassword(made);
  name.focus();
});

me = await header(["admin"]);
if (me) await load();
