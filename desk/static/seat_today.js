// The calls that were handed to this seat in the last 24 hours: a night shift has its own from before midnight.
import { api, dateTime, h } from "./common.js";

const OUTCOME = {
  "": ["处理中", "live"], connected: ["已接通", "good"], no_seat: ["未接通", "bad"], declined: ["拒接", "bad"], no_answer: ["未应答", "bad"],
  busy: ["忙", "bad"], unreachable: ["线路不通", "bad"], caller_gone: ["来电人已挂机", "quiet"],
};

function row(call, open) {
  const [words, tone] = call.connected ? OUTCOME.connected : OUTCOME[call.transfer_outcome] ?? [call.transfer_outcome, "quiet"];
  const line = h("tr", { tabIndex: 0 },
    h("td.nowrap", {}, dateTime(call.started_at)), h("td.nowrap.number", {}, call.caller || "未显示号码"),
    h("td.words", {}, call.request || call.first_words || "—"), h("td.nowrap", {}, h(`span.badge.${tone}`, {}, words)), h("td.nowrap.num", {}, call.ticket_id ?? "—"));
  line.dataset.id = call.id;
  line.addEventListener("click", () => open(call.id));
  line.addEventListener("keydown", (event) => { if (event.key === "Enter") open(call.id); });
  return line;
}

export async function loadToday(seatId, open) {
  const { items } = await api(`/api/v1/seats/${encodeURIComponent(seatId)}/calls`);
  document.querySelector("#my-calls tbody").replaceChildren(...items.map((call) => row(call, open)));
  document.getElementById("today-count").textContent = `共 ${items.length} 通`;
  document.getElementById("no-calls").hidden = items.length > 0;
}
