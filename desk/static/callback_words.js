// A call-back in words: its state, how late it is, and all that is known of it.
import { dateTime, h } from "./common.js";

export const REASON = { promised: "约定回电", abandoned: "漏接来电", satisfaction: "智能回访" };
export const BY_HAND = { handled: "已处理", not_reached: "联系不上", not_wanted: "不再需要" };
const RESULT = {
  ...BY_HAND, connected: "已接通坐席", reached: "已自己打来", answered: "回访完成", partly: "回访未答完", wrong_person: "不是本人",
  refused: "不愿接受", hung_up: "中途挂断", busy: "占线", declined: "拒接", no_answer: "无人接听", unreachable: "线路不通", gone: "线路中断",
  no_seat: "没有坐席接", not_confirmed: "没有确认本人", failed: "异常中断", interrupted: "系统重启中断", unknown_script: "找不到回访内容",
};
const GOOD = new Set(["connected", "reached", "answered", "handled"]);
const MOOD = { solved: "是否解决", rating: "满意度", comment: "意见建议" };
const RATING = { 1: "不满意", 2: "一般", 3: "满意" };
const LATE_MIN = 10;

const resultWords = (result) => RESULT[result] ?? result;
const CHINA = new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Shanghai", dateStyle: "short", timeStyle: "short" });

export const chinaInput = (iso) => CHINA.format(new Date(iso)).replace(" ", "T");  // as datetime-local takes it

export function stateBadge(task) {
  if (task.status === "dialling") return h("span.badge.live", {}, "正在拨打");
  if (task.status === "cancelled") return h("span.badge", {}, "已取消");
  if (task.status === "done") return h(`span.badge${GOOD.has(task.result) ? ".good" : ""}`, {}, resultWords(task.result));
  if (task.status === "failed") return h("span.badge.bad", {}, `没有打通：${resultWords(task.result)}`);
  return task.result ? h("span.badge.warm", {}, `待再拨，上次${resultWords(task.result)}`) : h("span.badge.info", {}, "待回电");
}

export function late(task) {
  const minutes = Math.floor((Date.now() - new Date(task.due_at)) / 60_000);
  if (task.status !== "waiting" || minutes < LATE_MIN) return null;
  const words = minutes < 120 ? `${minutes} 分钟` : minutes < 2880 ? `${Math.floor(minutes / 60)} 小时` : `${Math.floor(minutes / 1440)} 天`;
  return h(`small.under${minutes >= 60 ? ".error" : ".muted"}`, {}, `已过 ${words}`);
}

const callLink = (id) => h("a.link", { href: `/calls/${encodeURIComponent(id)}` }, "查看通话");

function answerWords(question, answer) {
  if (question === "rating") return RATING[answer.value] ?? answer.said;
  if (typeof answer.value === "boolean") return answer.value ? "是" : "否";
  return answer.said || String(answer.value);
}

// Pairs of dt and dd.
export function facts(task, seatName) {
  const { summary } = task;
  const several = (texts) => (texts?.length ? texts.join("；") : "");
  const here = task.status === "waiting";  // then these stand in the form below
  const rows = [
    ["打给", task.caller], ["类型", REASON[task.reason] ?? task.reason], ["状态", stateBadge(task)],
    ["时间", here ? "" : dateTime(task.due_at)], ["已拨", task.attempts ? `${task.attempts} 次` : ""],
    ["座位", task.script ? "智能助手" : here ? "" : seatName(task.seat)], ["诉求", here ? "" : summary.request], ["地点", summary.place], ["类别", summary.category], ["部门", summary.department],
    ["已答复", several(summary.answered)], ["待解决", several(summary.open_points)],
    ...Object.entries(task.answers).map(([question, answer]) => [MOOD[question] ?? question, answerWords(question, answer)]),
    ["备注", task.note], ["来自", task.call_id ? callLink(task.call_id) : ""], ["回电", task.done_in ? callLink(task.done_in) : ""],
    ["建立", dateTime(task.created_at)],
  ];
  return rows.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}
