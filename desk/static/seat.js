// The seat's page: where one sits, its status, the call that rings or runs there, and the live events of it all.
import { ApiError, api, calmly, h, live, maskNumber, minutes, showHeader } from "./common.js";
import { showTalk } from "./seat_talk.js";
import { showHistory, showSummary } from "./seat_facts.js";
import { OrderForm } from "./seat_order.js";
import { clearAdvice, suggest } from "./seat_advice.js";
import { bindCommands, setCommands } from "./seat_commands.js";
import { loadToday } from "./seat_today.js";
import { notice, tell } from "./seat_notices.js";
import { toggleAudio } from "./seat_audio.js";

const $ = (id) => document.getElementById(id);
const STATUS = { away: "暂离", free: "空闲", ringing: "来电振铃", talking: "通话中", wrap_up: "整理中" };
const state = { account: null, seat: null, waiting: 0, wrapUpS: null, skewMs: 0, callId: null, call: null, verdict: "", held: false, third: false };
const coming = new Map();  // who calls and what for, by call: it comes before the call itself is read
const order = new OrderForm($("order"));
let asked = 0;
const near = new Set();  // calls whose events come here live: they run on the node that serves this page
let told = 0;  // how often an event changed the seat: what was asked before is then out of date

const mine = (event) => event.call_id && event.call_id === state.callId;
const inCall = () => ["ringing", "talking"].includes(state.seat?.status);

// Do what was asked for and say why it did not work.
async function attempt(action, words = {}) {
  try {
    await action();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError) && !(error instanceof TypeError)) throw error;
    notice(words[error.status] ?? (error.status ? "操作没有成功，请重试。" : "连接中断，操作没有成功，请重试。"), "bad");
    return false;
  }
}

// --- what is shown ---

function drawState() {
  const { seat } = state;
  $("choose").hidden = Boolean(seat);
  $("desk").hidden = !seat;
  if (!seat) return;
  $("status").textContent = STATUS[seat.status] ?? seat.status;
  $("state").className = `state ${seat.status}`;
  $("seat-name").textContent = `${seat.name}（${seat.id}）`;
  const go = $("go");
  go.hidden = inCall();
  go.replaceChildren(seat.status === "wrap_up" ? "完成，接听下一个 " : seat.status === "free" ? "暂离 " : "示闲，开始接听 ", h("kbd", {}, "F8"));
  go.className = seat.status === "free" ? "" : "primary";
  $("away").hidden = seat.status !== "wrap_up";
  $("leave").hidden = inCall();
  $("queue").textContent = state.waiting ? `排队 ${state.waiting} 人` : "无人排队";
  $("queue").classList.toggle("busy", state.waiting > 0);
  setCommands(seat, state);
  const talking = seat.status === "talking";
  $("talk-state").replaceChildren(...[talking && state.held ? h("span.badge.warm", {}, "保持中，来电人听音乐") : "", talking && state.third ? h("span.badge.info", {}, "三方通话中") : ""]);
  drawClock();
  drawPop();
  const ringing = seat.status === "ringing";
  document.title = ringing ? `● 来电 ${maskNumber(state.call?.caller ?? "")}` : `${STATUS[seat.status]} · 坐席工作台`;
}

function drawClock() {
  const { seat } = state;
  if (!seat) return;
  const passed = (Date.now() + state.skewMs - new Date(seat.since)) / 1000;
  const wrapping = seat.status === "wrap_up" && state.wrapUpS !== null;
  $("clock").textContent = wrapping ? `剩余 ${minutes(Math.ceil(state.wrapUpS - passed))}` : minutes(passed);
  $("state-hint").textContent = wrapping ? "到时自动示闲；需要更久请按“暂离”" : seat.status === "away" ? "暂不接听来电" : seat.status === "free" ? "等待来电" : "";
  if (!$("pop").hidden) $("pop-facts").textContent = popFacts();
}

function popFacts() {
  const { call, seat } = state;
  const waited = minutes((Date.now() + state.skewMs - new Date(seat.since)) / 1000);
  const answeredAt = (call ?? coming.get(state.callId))?.answered_at;
  const since = answeredAt ? `，通话已 ${minutes((Date.now() + state.skewMs - new Date(answeredAt)) / 1000)}` : "";
  const summary = currentSummary();
  return [isEmergency() ? "紧急" : "", summary?.category, summary?.place, summary?.mood ? `情绪：${summary.mood}` : "", `振铃 ${waited}${since}`].filter(Boolean).join(" · ");
}

const currentSummary = () => coming.get(state.callId)?.summary ?? state.call?.transfer?.summary ?? null;

const isEmergency = () => (coming.get(state.callId)?.reason ?? state.call?.transfer?.reason) === "emergency";

function expect(callId, known) {
  coming.set(callId, { ...coming.get(callId), ...known });
  if (coming.size > 200) coming.delete(coming.keys().next().value);
}

function drawPop() {
  const ringing = state.seat?.status === "ringing";
  $("pop").hidden = !ringing;
  if (!ringing) return;
  const summary = currentSummary();
  const known = state.call ?? coming.get(state.callId);
  $("pop-title").textContent = `来电 ${known?.caller || summary?.caller || (known ? "未显示号码" : "")}`;
  $("pop-request").textContent = summary?.request || "正在读取摘要…";
  $("pop-facts").textContent = popFacts();
  $("accept").disabled = $("decline").disabled = state.verdict !== "";
  $("pop").classList.toggle("decided", state.verdict !== "");
  $("pop").classList.toggle("urgent", isEmergency());
  if (state.verdict === "accepted") $("pop-request").textContent = "已接听，请拿起电话，马上接通来电人。";
  if (state.verdict === "declined") $("pop-request").textContent = "已拒接，来电将转给其他坐席。";
}

function drawCall() {
  const shown = state.callId !== null;
  for (const id of ["summary", "history", "talk", "order"]) $(id).hidden = !shown;
  $("today").hidden = shown;
  $("work").classList.toggle("with-call", shown);
  if (!shown) return;
  const { call } = state;
  const summary = currentSummary();
  showSummary(summary, call);
  showTalk(call);
  const running = inCall() && state.seat.call_id === state.callId;
  $("close-call").hidden = running;
  $("talk-title").textContent = call?.ended_at || !running ? "通话全文" : "正在通话";
  order.show(state.callId, call, summary);
}

// --- the call ---

function openCall(callId) {
  if (state.callId === callId) return;
  Object.assign(state, { callId, call: null, held: false, third: false });
  clearAdvice();
  drawCall();
  if (callId) readCall().catch(unreachable);
}

async function readCall() {
  const callId = state.callId;
  if (!callId) return;
  const number = ++asked;
  const found = await api(`/api/v1/calls/${encodeURIComponent(callId)}`);
  if (number !== asked || callId !== state.callId) return;
  const known = state.call;
  state.call = found;
  if (found.transfer) expect(callId, { summary: found.transfer.summary, reason: found.transfer.reason });
  if (known && !near.has(callId)) found.events.slice(known.events.length).forEach(tell);  // on another node
  const steps = found.events.filter((event) => event.kind === "seat_held" || event.kind === "seat_resumed");
  state.held = steps.at(-1)?.kind === "seat_held";
  state.third = found.events.filter((event) => event.kind === "third_party").at(-1)?.detail.joined ?? false;
  drawCall();
  drawState();
  // Help that came while this page was away, or on another node.
  for (const event of found.events) if (event.kind === "suggestion") suggest(event.detail.passages ?? []);
  const draft = found.events.filter((event) => event.kind === "draft").at(-1);
  if (draft) order.offer(draft.detail);
  if (!known) showHistory(await history(found.caller), callId);
}

const history = (caller) => caller ? api(`/api/v1/callers/${encodeURIComponent(caller)}/history`) : { calls: [], tickets: [] };
const rereadCall = calmly(300, () => readCall().catch(unreachable));

function closeCall() {
  if (inCall() && state.seat.call_id === state.callId) return;
  openCall(null);
  today();
}

const today = calmly(200, () => { if (state.seat) loadToday(state.seat.id, openCall).catch(unreachable); });

// --- the seat ---

function takeSeat(seat) {
  const before = state.seat;
  state.seat = seat;
  if (!seat) return;
  if (seat.status !== "ringing" || seat.call_id !== before?.call_id) state.verdict = "";
  const isNew = seat.status === "ringing" && (before?.status !== "ringing" || before.call_id !== seat.call_id);
  if (seat.call_id && (inCall() || seat.status === "wrap_up")) openCall(seat.call_id);
  if (isNew || (before && before.status !== "free" && seat.status === "free")) notice("");
  if (before?.status === "ringing" && seat.status === "away") notice("刚才的来电没有接听，座位已转为暂离。按 F8 恢复接听。", "bad");
  if (before?.status === "wrap_up" && seat.status === "free" && !order.unsaved()) closeCall();
  drawState();
  if (before?.status !== seat.status) drawCall();
}

async function refresh() {
  const before = told;
  const place = await api("/api/v1/workplace");
  if (before !== told) return refresh();
  state.account = place;
  state.waiting = place.waiting;
  state.wrapUpS = place.wrap_up_s;
  state.skewMs = new Date(place.now) - Date.now();
  takeSeat(place.seat);
  if (!place.seat) await drawChoice();
  return null;
}

let choiceDrawn = "";
async function drawChoice() {
  drawState();
  const { items } = await api("/api/v1/seats");
  const key = JSON.stringify(items.map((seat) => [seat.id, seat.name, seat.user, seat.status === "away"]));
  if (key === choiceDrawn && !$("choose").hidden) return;
  choiceDrawn = key;
  $("seats").replaceChildren(...items.map((seat) => {
    const taken = seat.user && seat.user !== state.account.name && seat.status !== "away";
    const words = taken ? `${seat.user} 在用` : seat.skills.join("、") || "综合";
    return h("li", {}, h("button", { type: "button", disabled: taken, onclick: () => sit(seat.id) }, h("b", {}, seat.name), h("span.muted", {}, `${seat.id} · ${words}`)));
  }));
  if (!items.length) $("seats").replaceChildren(h("li.empty", {}, "还没有座位，请管理员先添加。"));
  $("seats").querySelector("button:not(:disabled)")?.focus();
}

async function sit(seatId) {
  try {
    await api(`/api/v1/seats/${encodeURIComponent(seatId)}/login`, { method: "POST" });
    await refresh();
    today();
  } catch (error) {
    if (!(error instanceof ApiError) && !(error instanceof TypeError)) throw error;
    $("choose-error").textContent = error.status === 409 ? "这个座位正在使用，请选择其他座位。" : "暂时无法选座，请稍后再试。";
  }
}

const seatPath = (rest) => `/api/v1/seats/${encodeURIComponent(state.seat.id)}/${rest}`;

async function setStatus(status) {
  await attempt(async () => {
    await api(seatPath("status"), { method: "POST", body: { status } });
    await refresh();
  }, { 409: "正在通话，不能改变状态。" });
}

function go() {
  if (inCall()) return;
  setStatus(state.seat.status === "free" ? "away" : "free");
}

async function answer(verdict) {
  if (state.seat?.status !== "ringing" || state.verdict) return;
  state.verdict = verdict;
  drawPop();
  const body = { verdict, call_id: state.seat.call_id };
  const done = await attempt(() => api(seatPath("answer"), { method: "POST", body }), { 409: "这通来电已经不在振铃。" });
  if (!done) {
    state.verdict = "";
    refresh().catch(unreachable);
  }
}

async function leaveSeat() {
  if (await attempt(() => api(seatPath("logout"), { method: "POST" }), { 409: "正在通话，不能离开座位。" })) {
    openCall(null);
    state.seat = null;
    await refresh();
  }
}

async function signOut() {
  if (state.seat && !inCall() && state.seat.user) await attempt(() => api(seatPath("logout"), { method: "POST" }));
  await api("/api/v1/session", { method: "DELETE" });
  location.assign("/login");
}

// --- live events ---

const unreachable = (error) => {
  if (!(error instanceof ApiError) && !(error instanceof TypeError)) throw error;
  if (!error.status || error.status >= 500) offline(true);  // else the desk answers, and is asked again soon
};

function offline(yes) {
  if ($("offline").hidden === yes) $("offline").hidden = !yes;
}

function seatEvent(event) {
  const { id, call, ...fields } = event.detail;
  if (id !== state.seat?.id) return;
  if (call) expect(event.call_id, { ...call, summary: call.summary ?? coming.get(event.call_id)?.summary });
  if (fields.user !== state.account.name && fields.user !== state.seat.user) {  // somebody else sits here now
    refresh().catch(unreachable);
    return;
  }
  told += 1;
  takeSeat({ ...state.seat, ...fields, call_id: event.call_id || null });
}

function rings(event) {
  if (event.detail.seat !== state.seat?.id) return;
  if (state.seat.status === "ringing" && state.seat.call_id === event.call_id) return;
  told += 1;
  takeSeat({ ...state.seat, status: "ringing", call_id: event.call_id, since: new Date(Date.now() + state.skewMs).toISOString() });
}

function callEvent(event) {
  const detail = event.detail ?? event;
  if (event.kind === "turn" && state.call) {
    state.call.turns = [...state.call.turns.filter((turn) => turn.index !== event.index), event].sort((a, b) => a.index - b.index);
    showTalk(state.call);
  } else if (event.kind === "suggestion") {
    suggest(detail.passages ?? []);
  } else if (event.kind === "draft") {
    order.offer(detail);
  } else if (event.kind === "seat_held" || event.kind === "seat_resumed") {
    state.held = event.kind === "seat_held";
    drawState();
  } else if (event.kind === "third_party") {
    state.third = detail.joined;
    drawState();
  }
  tell(event);
  near.add(event.call_id);
  if (event.kind !== "turn" && event.kind !== "suggestion" && event.kind !== "draft") rereadCall();
}

function happened(event) {
  if (event.kind === "reconnected") {
    refresh().then(() => Promise.all([readCall(), today()])).then(() => offline(false)).catch(unreachable);
    return;
  }
  if (event.kind === "transfer") expect(event.call_id, { summary: event.summary, reason: event.reason });
  if (event.kind === "seat") seatEvent(event);
  else if (event.kind === "queue_length") { state.waiting = event.detail.waiting; drawState(); }
  else if (event.kind === "seat_ringing") rings(event);
  if (mine(event) && event.kind !== "seat") callEvent(event);
  else if (mine(event)) rereadCall();
  if (event.kind === "transfer" && mine(event)) { drawPop(); drawCall(); }
  if (["transfer", "ticket", "call_ended"].includes(event.kind) && !state.callId) today();
}

// --- keys ---

const KEYS = { F2: () => answer("accepted"), F4: () => answer("declined"), F8: go, F9: () => $("hold").click() };
const ALT = { KeyA: () => answer("accepted"), KeyD: () => answer("declined"), KeyK: () => $("search").q.focus(), KeyP: toggleAudio };

document.addEventListener("keydown", (event) => {
  if (!state.seat) return;
  const action = event.altKey && !event.ctrlKey && !event.metaKey ? ALT[event.code] : KEYS[event.key];
  if (action) {
    event.preventDefault();
    if (!event.repeat) action();
  } else if (event.key === "Enter" && event.ctrlKey && state.callId) {
    event.preventDefault();
    order.submit();
  } else if (event.key === "Escape" && state.callId) closeCall();
});

$("accept").addEventListener("click", () => answer("accepted"));
$("decline").addEventListener("click", () => answer("declined"));
$("go").addEventListener("click", go);
$("away").addEventListener("click", () => setStatus("away"));
$("leave").addEventListener("click", leaveSeat);
$("close-call").addEventListener("click", closeCall);
bindCommands(() => state, attempt, notice);
setInterval(drawClock, 500);
// A line may be dead without the browser noticing; and turns of a call on another node are only in the database.
setInterval(() => refresh().then(() => offline(false)).catch(unreachable), 10_000);
let beats = 0;
setInterval(() => { if (inCall() && (!near.has(state.callId) || (beats += 1) % 5 === 0)) rereadCall(); }, 2000);

await refresh().catch(unreachable);
if (state.account) showHeader(state.account, { stay: true, signOut });
today();
drawCall();
api("/api/v1/taxonomy").then((found) => order.offerCategories(found.items)).catch(unreachable);
live(happened, { always: true, shown: (up) => (up ? refresh().then(() => offline(false)).catch(unreachable) : offline(true)) });
