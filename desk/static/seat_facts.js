// Who calls and what for: the transfer's summary in fields, and what the number had before.
import { dateTime, h, outcomeBadge } from "./common.js";
import { REASON } from "./sidebar.js";

const FIELDS = [
  ["caller", "来电人"], ["request", "诉求"], ["place", "地点"], ["time", "时间"], ["category", "类别"],
  ["department", "部门"], ["answered", "已答复"], ["open_points", "未解决"], ["mood", "情绪"],
];
const STATUS = { filed: "已登记", accepted: "已受理", in_progress: "处理中" };

function value(words) {
  if (Array.isArray(words)) return words.length ? h("ul", {}, words.map((line) => h("li", {}, line))) : h("span.muted", {}, "无");
  return words || h("span.muted", {}, "未说明");
}

export function showSummary(summary, call) {
  const card = document.getElementById("summary");
  const reason = call?.transfer ? REASON[call.transfer.reason] ?? call.transfer.reason : "";
  const since = call ? `${dateTime(call.answered_at ?? call.started_at)} 来电` : "正在读取…";
  card.replaceChildren(
    h("h2", {}, "来电摘要", reason ? h(`span.badge${call.transfer.reason === "emergency" ? ".bad" : ".warm"}`, {}, reason) : null),
    h("p.caller-number", {}, call ? call.caller || "未显示号码" : summary?.caller || ""),
    h("p.muted.since", {}, since),
    summary
      ? h("dl", {}, FIELDS.flatMap(([name, label]) => [h("dt", {}, label), h(`dd.${name}`, {}, value(summary[name]))]))
      : h("p.muted", {}, "这通电话没有转接摘要。"));
}

export function showHistory(found, callId) {
  const card = document.getElementById("history");
  const calls = found.calls.filter((call) => call.id !== callId);
  card.replaceChildren(
    h("h2", {}, "以往来电和工单"),
    h("h3.first", {}, `未办结工单 ${found.tickets.length}`),
    h("ul.past", {}, found.tickets.map((ticket) =>
      h("li", {}, h("span.past-head", {}, h("b.num", {}, ticket.id), h("span.badge.info", {}, STATUS[ticket.status] ?? ticket.status)),
        h("span", {}, ticket.title), h("small.muted", {}, [ticket.category, ticket.department, dateTime(ticket.created_at)].filter(Boolean).join(" · "))))),
    h("h3", {}, `以往来电 ${calls.length}`),
    h("ul.past", {}, calls.map((call) =>
      h("li", {}, h("span.past-head", {}, h("a", { href: `/calls/${encodeURIComponent(call.id)}`, target: "_blank", rel: "noopener" }, dateTime(call.started_at)), outcomeBadge(call)),
        h("span", {}, call.first_words || "—")))));
}
