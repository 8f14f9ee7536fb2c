// One call: its transcript, its facts, and (in player.js) its audio, in step.
import { ApiError, END_REASON, api, calmly, dateTime, h, header, lengthOf, live, minutes, outcomeBadge } from "./common.js";
import { Player } from "./player.js";
import { REASON, fillFacts, fillTicket, fillTransfer } from "./sidebar.js";

const id = decodeURIComponent(location.pathname.split("/").pop());
const path = `/api/v1/calls/${encodeURIComponent(id)}`;
const list = document.getElementById("turns");

const WHO = { caller: "来电人", agent: "智能话务员", seat: "人工坐席", third: "第三方" };
const STAGE = { endpoint: "判断说完", asr: "语音识别", dialog: "思考答复", tts: "语音合成" };
const EVENT = {
  barge_in: "来电人打断",
  resumed: "误打断，继续播报",
  backchannel: "来电人应声",
  dtmf: "按键",
  no_input: "来电人未说话",
  transfer_started: "开始转人工",
  seat_ringing: "坐席振铃",
  seat_failed: "坐席未接通",
  seat_answered: "坐席接听",
  seat_accepted: "坐席接受",
  seat_declined: "坐席拒接",
  seat_no_answer: "坐席未确认接听",
  seat_gone: "坐席挂断",
  time_up: "通话时间过长，转人工",
  bridged: "来电人与坐席已接通",
  unbridged: "与坐席的通话结束",
  queued: "来电人排队",
  seat_held: "坐席保持通话",
  seat_resumed: "坐席恢复通话",
  third_party: "三方通话",
  sent_on: "转给其他坐席",
  handed_back: "转回智能话务员",
  failed: "故障",
  process_died: "程序异常中断，记录到此为止",
};
const DETAIL = {
  ...REASON,
  asr: "语音识别", tts: "语音合成", dialog: "对话", ticket: "登记工单", recording: "录音", session: "通话处理", seats: "坐席",
  busy: "忙", declined: "拒接", no_answer: "无人应答", unreachable: "线路不通",
  caller_gone: "来电人先挂机", seat_gone: "坐席先挂机",
};
const ASIDE = new Set(["suggestion", "draft"]);  // help for the seat, not part of the talk
const ALARMING = new Set(["failed", "process_died"]);

const percent = (value) => `${Math.round(value * 100)}%`;

function chip(label, value, tone, title) {
  return h(`span.chip${tone ? `.${tone}` : ""}`, { title }, `${label} `, h("b", {}, value));
}

const confidenceTone = (value) => (value < 0.5 ? "bad" : value < 0.75 ? "warn" : "");
const gapTone = (ms) => (ms > 2000 ? "bad" : ms > 1200 ? "warn" : "");

function stagesBar(stages) {
  const known = Object.entries(stages).filter(([, ms]) => ms > 0);
  const sum = known.reduce((total, [, ms]) => total + ms, 0);
  if (!sum) return null;
  const words = known.map(([name, ms]) => `${STAGE[name] ?? name} ${Math.round(ms)} 毫秒`).join("，");
  const bar = h("span.stages", { title: words, role: "img", "aria-label": words });
  for (const [name, ms] of known) {
    const part = h(`i.${name}`);
    part.style.flexGrow = String(ms / sum);
    bar.append(part);
  }
  return bar;
}

function turnText(turn) {
  if (!turn.interrupted || turn.heard_text === null || !turn.text.startsWith(turn.heard_text)) return [turn.text];
  const unheard = turn.text.slice(turn.heard_text.length);
  return [turn.heard_text, unheard ? h("s", { title: "被打断，来电人没有听到" }, unheard) : null];
}

function turnItem(turn, index) {
  const chips = [
    turn.asr_confidence !== null ? chip("识别", percent(turn.asr_confidence), confidenceTone(turn.asr_confidence), "语音识别的可信度") : null,
    turn.dialog_confidence !== null ? chip("把握", percent(turn.dialog_confidence), confidenceTone(turn.dialog_confidence), "对这句答复的把握") : null,
    turn.response_gap_ms !== null ? chip("响应", `${Math.round(turn.response_gap_ms)} 毫秒`, gapTone(turn.response_gap_ms), "来电人说完到开始答复的间隔") : null,
    stagesBar(turn.stages_ms),
    turn.interrupted ? h("span.chip.warn", {}, "被打断") : null,
    turn.sources.length ? h("span.chip.source", { title: "答复依据的知识条目" }, `依据 ${turn.sources.join("、")}`) : null,
  ].filter(Boolean);
  const item = h(`li.turn.${turn.who}`, { tabIndex: 0 },
    h("time", {}, minutes(turn.started_s)),
    h("div.bubble", {},
      h("div.who", {}, WHO[turn.who] ?? turn.who),
      turn.asr_raw ? h("div.text.written", { title: `识别原文：${turn.asr_raw}` }, turnText(turn)) : h("div.text", {}, turnText(turn)),
      chips.length ? h("div.chips", {}, chips) : null));
  item.dataset.index = String(index);
  item.addEventListener("click", () => { if (!getSelection().toString()) player.hear(turn); });
  item.addEventListener("keydown", (event) => { if (event.key === "Enter") player.hear(turn); });
  return item;
}

function eventItem(event) {
  const values = Object.entries(event.detail).filter(([key, value]) => key !== "error" && typeof value !== "object");
  const detail = values.map(([, value]) => DETAIL[value] ?? String(value)).join(" ");
  return h(`li.event${ALARMING.has(event.kind) ? ".bad" : ""}`, {},
    h("time", {}, minutes(event.at_s)),
    h("span", {}, EVENT[event.kind] ?? event.kind, detail ? h("small", {}, ` ${detail}`) : null));
}

// Turns and events in the order they happened; what has not changed keeps its element (and its focus).
let drawn = "";
function fillTranscript(call) {
  const key = JSON.stringify([call.turns, call.events]);
  if (key === drawn) return;
  drawn = key;
  const items = [
    ...call.turns.map((turn, index) => [turn.started_s, 1, turnItem(turn, index)]),
    ...call.events.filter((event) => !ASIDE.has(event.kind)).map((event) => [event.at_s, 0, eventItem(event)]),
  ];
  items.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  list.replaceChildren(...(items.length ? items.map((item) => item[2]) : [h("li.empty", {}, "还没有人说话。")]));
}

function fillTitle(call) {
  document.getElementById("title").textContent = call.caller || "未显示号码";
  document.getElementById("badge").replaceChildren(outcomeBadge(call));
  const end = call.ended_at ? `，${END_REASON[call.end_reason] ?? call.end_reason}` : "";
  document.getElementById("when").textContent =
    `${dateTime(call.started_at)} · ${call.answered_at ? `通话 ${minutes(lengthOf(call))}` : "未接通"}${end}`;
}

async function load() {
  try {
    const call = await api(path);
    fillTitle(call);
    fillTranscript(call);
    player.show(call);
    fillTransfer(call.transfer);
    fillFacts(call);
    document.getElementById("call").hidden = false;
    document.getElementById("error").hidden = true;
    await fillTicket(call.ticket_id);
  } catch (problem) {
    if (!(problem instanceof ApiError) && !(problem instanceof TypeError)) throw problem;
    const error = document.getElementById("error");
    error.textContent = problem.status === 404 ? "没有这通电话的记录。" : "暂时无法读取这通电话，请稍后再试。";
    error.hidden = false;
  }
}

const account = await header();
const player = new Player(account.role !== "seat");
await load();
const refresh = calmly(400, load);
live((event) => { if (event.call_id === id || event.call_id === null) refresh(); });
