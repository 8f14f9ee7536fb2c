// The list of calls: search, pages, and live refresh.
import { OUTCOME, api, calmly, dateTime, h, header, lengthOf, live, maskNumber, minutes, outcomeBadge } from "./common.js";

const PAGE_SIZE = 50;
const filters = document.getElementById("filters");
const body = document.querySelector("#calls tbody");
const query = new URLSearchParams(location.search);
let asked = 0;  // the newest request; an older answer that comes late is dropped

for (const [word, [text]] of Object.entries(OUTCOME)) filters.outcome.append(new Option(text, word));
for (const field of ["q", "caller", "from", "to", "outcome"]) filters.elements[field].value = query.get(field) ?? "";

const page = () => Number(query.get("page") ?? 1);

function go(changes) {
  for (const [key, value] of Object.entries(changes)) {
    if (value) query.set(key, value);
    else query.delete(key);
  }
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  load();
}

function row(call) {
  const link = `/calls/${encodeURIComponent(call.id)}`;
  const words = call.first_words || (call.ended_at && call.turn_count ? "（来电人未说话）" : "—");
  const line = h("tr", { tabIndex: 0 },
    h("td.nowrap", {}, h("a", { href: link, tabIndex: -1 }, dateTime(call.started_at))),
    h("td.nowrap.number", {}, maskNumber(call.caller)),
    h("td.words", { title: words }, words),
    h("td.nowrap", {}, outcomeBadge(call), call.ticket_id ? h("small.ticket", {}, call.ticket_id) : null),
    h("td.num.length", {}, call.answered_at ? minutes(lengthOf(call)) : "—"),
    h("td.num", {}, String(call.turn_count)),
    h("td.go", {}, "›"));
  line.dataset.id = call.id;
  line.call = call;
  line.addEventListener("click", () => location.assign(link));
  line.addEventListener("keydown", (event) => { if (event.key === "Enter") location.assign(link); });
  return line;
}

function pager(total) {
  const last = Math.max(1, Math.ceil(total / PAGE_SIZE));
  const button = (words, target, enabled) =>
    h("button.plain", { type: "button", disabled: !enabled, onclick: () => go({ page: target > 1 ? target : "" }) }, words);
  document.getElementById("pages").replaceChildren(...(last < 2 ? [] : [
    button("上一页", page() - 1, page() > 1),
    h("span.muted", {}, `第 ${page()} / ${last} 页`),
    button("下一页", page() + 1, page() < last),
  ]));
}

async function load() {
  const mine = ++asked;
  const error = document.getElementById("error");
  try {
    const found = await api(`/api/v1/calls?${query}`);
    if (mine !== asked) return;
    const focused = document.activeElement?.dataset?.id;
    body.replaceChildren(...found.items.map(row));
    if (focused) body.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
    document.getElementById("total").textContent = `共 ${found.total} 通`;
    document.getElementById("empty").hidden = found.total > 0;
    error.hidden = true;
    pager(found.total);
  } catch (problem) {
    if (mine !== asked) return;
    error.textContent = problem.status === 422 ? "查询条件有误，请检查后再试。" : "暂时无法读取通话记录，请稍后再试。";
    error.hidden = false;
  }
}

filters.addEventListener("submit", (event) => {
  event.preventDefault();
  go({ ...Object.fromEntries(new FormData(filters)), page: "" });
});
filters.addEventListener("reset", () => go({ q: "", caller: "", from: "", to: "", outcome: "", page: "" }));

setInterval(() => {  // running calls count on
  for (const line of body.rows) {
    if (!line.call.ended_at && line.call.answered_at) line.querySelector(".length").textContent = minutes(lengthOf(line.call));
  }
}, 1000);

await header();
await load();
live(calmly(600, load));
