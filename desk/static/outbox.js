// What is told to the city's own system: what waits, what was taken, what failed, and sending it again.
import { confirmed } from "./ask.js";
import { api, dateTime, h, header } from "./common.js";
import { attempt, expected, listing, whileLookedAt } from "./keeping.js";
import { filtered } from "./list.js";

const $ = (id) => document.getElementById(id);
const PATH = "/api/v1/outbox";
const KIND = { "ticket.filed": "新工单", "ticket.updated": "工单更改" };
const PROBLEMS = { 404: "没有这条消息，可能已经清除。", 409: "这条消息已经送达，或者正在推送。" };

function state(message) {
  if (message.status === "sent") return [h("span.badge.good", {}, "已送达"), h("small.muted.under", {}, dateTime(message.sent_at))];
  if (message.status === "failed") return [h("span.badge.bad", {}, "推送失败"), h("small.muted.under", {}, "不再自动重试")];
  if (message.taken_by) return [h("span.badge.live", {}, "正在推送")];
  return [h("span.badge.warm", {}, message.attempts ? "等待重试" : "等待推送"), h("small.muted.under", {}, dateTime(message.next_at))];
}

async function again(message) {
  await attempt(() => api(`${PATH}/${message.id}/retry`, { method: "POST" }), `工单 ${message.about} 马上重新推送。`, PROBLEMS);
  await load();
}

function row(message) {
  const button = message.status === "sent" || message.taken_by ? null : h("button.small", { type: "button", "data-does": "retry", onclick: () => again(message) }, "立即重发");
  const line = h("tr", {},
    h("td.nowrap.num-left", {}, dateTime(message.created_at)),
    h("td.nowrap", {}, h("a.link", { href: `/outbox?ticket=${encodeURIComponent(message.about)}`, title: "这个工单的全部消息" }, message.about)),
    h("td.nowrap", {}, KIND[message.kind] ?? message.kind),
    h("td.nowrap", {}, state(message)),
    h("td.num.nowrap", {}, message.attempts ? `${message.attempts} 次` : "—"),
    h("td.problem", { title: message.last_error }, message.last_error || h("span.muted", {}, "—")),
    h("td.right.nowrap", {}, button));
  line.dataset.id = String(message.id);
  return line;
}

// How many wait and have failed, whatever the list shows.
async function count() {
  const total = async (status) => (await api(`${PATH}?status=${status}`)).total;
  const [waiting, failed] = await Promise.all([total("waiting"), total("failed")]);
  $("counts").replaceChildren(
    h(`span.badge${failed ? ".bad" : ".good"}`, {}, failed ? `失败 ${failed} 条` : "没有失败"),
    h(`span.badge${waiting ? ".warm" : ""}`, {}, waiting ? `等待 ${waiting} 条` : "没有等待"));
  $("retry-all").hidden = !failed;
  $("retry-all").textContent = `重发全部失败的 ${failed} 条`;
}

$("retry-all").addEventListener("click", async () => {
  if (!(await confirmed("把全部推送失败的消息马上再推送一次？对方系统按编号去重，不会重复立单。", "全部重发"))) return;
  await attempt(() => api(`${PATH}/retry`, { method: "POST" }), "失败的消息马上重新推送。", PROBLEMS);
  await load();
});

const list = filtered($("filters"), () => load());
const filled = listing({
  body: document.querySelector("#messages tbody"), path: () => `${PATH}?${list.query}`, row, list,
  counted: (total) => `共 ${total} 条`, failed: "暂时无法读取推送记录，请稍后再试。",
});
const load = () => Promise.all([filled(), count().catch(expected)]);
$("empty").textContent = list.query.size ? "没有符合条件的消息。" : "没有消息。配置了 webhook.url 以后，登记和更改的工单会推送到市里的系统；送达一周后不再列出。";

if (await header(["ops", "admin"])) {
  await load();
  whileLookedAt(5000, load);
}
