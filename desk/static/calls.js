// The list of calls: search, pages, and live refresh.
import { listing, opens } from "./keeping.js";
import { filtered } from "./list.js";
import { OUTCOME, api, calmly, dateTime, h, header, lengthOf, live, maskNumber, minutes, outcomeBadge } from "./common.js";

const filters = document.getElementById("filters");
const body = document.querySelector("#calls tbody");

for (const [word, [text]] of Object.entries(OUTCOME)) filters.outcome.append(new Option(text, word));
const list = filtered(filters, () => load());

function row(call) {
  const link = `/calls/${encodeURIComponent(call.id)}`;
  const words = call.first_words || (call.ended_at && call.turn_count ? "（来电人未说话）" : "—");
  const line = h("tr", {},
    h("td.nowrap", {}, h("a", { href: link, tabIndex: -1 }, dateTime(call.started_at))),
    h("td.nowrap.number", {}, maskNumber(call.caller)),
    h("td.words", { title: words }, words),
    h("td.nowrap", {}, outcomeBadge(call), call.ticket_id ? h("small.ticket", {}, call.ticket_id) : null),
    h("td.num.length", {}, call.answered_at ? minutes(lengthOf(call)) : "—"),
    h("td.num", {}, String(call.turn_count)),
    h("td.go", {}, "›"));
  line.dataset.id = call.id;
  line.call = call;
  return opens(line, () => location.assign(link));
}

const load = listing({
  body, path: () => `/api/v1/calls?${list.query}`, row, list,
  counted: (total) => `共 ${total} 通`, failed: "暂时无法读取通话记录，请稍后再试。",
});

setInterval(() => {  // running calls count on
  for (const line of body.rows) {
    if (!line.call.ended_at && line.call.answered_at) line.querySelector(".length").textContent = minutes(lengthOf(line.call));
  }
}, 1000);

await header();
await load();
live(calmly(600, load));
