// People who are to be called back: when, by which seat, what came of it; new ones, changes, and closing them.
import { confirmed } from "./ask.js";
import { api, dateTime, h, header, maskNumber } from "./common.js";
import { attempt, expected, listing, notice, opens, whileLookedAt } from "./keeping.js";
import { filtered } from "./list.js";
import { BY_HAND, REASON, chinaInput, facts, late, stateBadge } from "./callback_words.js";

const $ = (id) => document.getElementById(id);
const edit = $("edit");
const filters = $("filters");
const PATH = "/api/v1/callbacks";
const PROBLEMS = {
  403: "这是其他座位的回电任务，请找运营人员更改。",
  404: "没有这个任务或座位，可能已经删除。",
  409: "任务的状态已经变了，或者没有外呼线路，不能这样做。",
  422: "有内容不符合要求，请检查。",
};
const names = new Map();  // of seats, by id
let own = null;  // the seat of somebody who may give tasks to no other; null: to any
let editing = null;  // the task in the panel; null for a new one
let drawn = "";  // what of it was shown

// --- the list ---

const seatName = (id) => (id ? names.get(id) ?? id : "任一座位");

function row(task) {
  const line = h("tr", {},
    h("td.nowrap.num-left", {}, dateTime(task.due_at), late(task)),
    h("td.nowrap.number", {}, maskNumber(task.caller), h("small.muted.under", {}, REASON[task.reason] ?? task.reason)),
    h("td.words", { title: task.summary.request }, task.summary.request || "—"),
    h("td.nowrap", {}, task.script ? h("span.muted", {}, "智能助手") : task.seat ? seatName(task.seat) : h("span.muted", {}, "任一座位")),
    h("td.nowrap", {}, stateBadge(task)),
    h("td.num.nowrap", {}, task.attempts ? `${task.attempts} 次` : "—"));
  line.dataset.id = task.id;
  return opens(line, () => show(task));
}

function path() {
  const query = new URLSearchParams({ page: list.query.get("page") ?? "1" });
  for (const name of ["reason", "seat", "caller"]) query.set(name, list.query.get(name) ?? "");
  const status = list.query.get("status") || "open";
  query.set("status", status === "all" ? "" : status);
  return `${PATH}?${query}`;
}

// The task in the panel; its fields are left alone while somebody has changed them.
function mark(items = null) {
  for (const line of document.querySelectorAll("#tasks tbody tr")) {
    if (line.dataset.id === editing?.id) line.setAttribute("aria-current", "true");
    else line.removeAttribute("aria-current");
  }
  const fresh = items?.find((task) => task.id === editing?.id);
  if (fresh && fresh.updated_at !== editing.updated_at && drawn === JSON.stringify(values())) fill(fresh);
}

// --- the panel ---

function fill(task) {
  editing = task.id ? task : null;
  const waits = !editing || task.status === "waiting";
  $("task-title").textContent = editing ? "回电任务" : "添加回电";
  $("facts").replaceChildren(...(editing ? facts(task, seatName) : []));
  edit.hidden = !waits;
  $("fresh").hidden = Boolean(editing);
  $("now").hidden = $("cancel").hidden = !editing;
  $("reopen").hidden = !editing || !["failed", "cancelled"].includes(task.status);
  $("finish").hidden = !editing || !["waiting", "failed"].includes(task.status);
  edit.elements.caller.value = task.caller ?? "";
  edit.elements.script.value = task.script ?? "";
  edit.elements.seat.value = task.seat ?? "";
  edit.elements.seat.disabled = Boolean(task.script);
  edit.elements.due_at.value = task.due_at ? chinaInput(task.due_at) : "";
  edit.elements.request.value = task.summary?.request ?? "";
  for (const element of edit.elements) element.removeAttribute("aria-invalid");
  $("edit-error").textContent = "";
  drawn = JSON.stringify(values());
}

function show(task) {
  notice("");
  fill(task);
  $("finish").reset();
  $("task").hidden = false;
  document.querySelector(".keeping").classList.add("editing");
  mark();
  (editing ? $("close") : edit.elements.caller).focus();
}

function close() {
  const line = document.querySelector("#tasks [aria-current]");
  $("task").hidden = true;
  editing = null;
  document.querySelector(".keeping").classList.remove("editing");
  mark();
  line?.focus();
}

function values() {
  const { caller, script, seat, due_at, request } = edit.elements;
  return { caller: caller.value.replace(/[\s-]/g, ""), script: script.value, seat: seat.value, due_at: due_at.value, request: request.value.trim() };
}

const moment = (input) => (input ? `${input}:00+08:00` : null);

function wrong(name, words) {
  edit.elements[name].setAttribute("aria-invalid", "true");
  edit.elements[name].focus();
  $("edit-error").textContent = words;
}

async function done(action, words, problems = {}) {
  const result = await attempt(action, words, { ...PROBLEMS, ...problems });
  if (result !== undefined) close();
  await load();
}

async function save() {
  const given = values();
  if (!editing) {
    if (!/^\+?[0-9]{3,20}$/.test(given.caller)) { wrong("caller", "请填写电话号码，只用数字，可以用 + 开头。"); return; }
    const body = { ...given, due_at: moment(given.due_at) };
    await done(() => api(PATH, { method: "POST", body }), "已添加，到时间自动回电。", { 409: "没有外呼线路，不能回电；请管理员在配置文件中设置 sip.trunks。" });
    return;
  }
  const before = JSON.parse(drawn);
  const body = Object.fromEntries(["seat", "request"].filter((name) => given[name] !== before[name]).map((name) => [name, given[name]]));
  if (given.due_at && given.due_at !== before.due_at) body.due_at = moment(given.due_at);
  if (Object.keys(body).length) await change(body, "已保存。");
  else close();
}

const act = (task, action, body) => api(`${PATH}/${encodeURIComponent(task.id)}/${action}`, { method: "POST", body });
const change = (body, words) => done(() => api(`${PATH}/${encodeURIComponent(editing.id)}`, { method: "PATCH", body }), words);

edit.addEventListener("submit", (event) => { event.preventDefault(); save(); });
edit.addEventListener("input", (event) => event.target.removeAttribute("aria-invalid"));
edit.elements.script.addEventListener("change", () => {
  edit.elements.seat.disabled = Boolean(edit.elements.script.value);
  if (edit.elements.script.value) edit.elements.seat.value = "";
});
$("now").addEventListener("click", () => change({ due_at: new Date().toISOString() }, "有坐席空闲就马上拨打。"));
$("cancel").addEventListener("click", async () => {
  if (await confirmed("取消这个回电？以后不再拨打。", "取消回电")) await done(() => act(editing, "cancel"), "已取消。");
});
$("reopen").addEventListener("click", () => done(() => act(editing, "reopen"), "有坐席空闲就马上拨打。", { 409: "这个号码已经有待回电的任务，或者没有外呼线路。" }));
$("finish").addEventListener("submit", (event) => {
  event.preventDefault();
  const { result, note } = event.target.elements;
  done(() => act(editing, "close", { result: result.value, note: note.value.trim() }), "已办结。");
});
$("close").addEventListener("click", close);
$("new").addEventListener("click", () => show({}));
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if (event.altKey && event.code === "KeyN") { event.preventDefault(); show({}); }
  else if (event.key === "Escape" && !$("task").hidden) close();
  else if (event.key === "Enter" && event.ctrlKey && !$("task").hidden && !edit.hidden) { event.preventDefault(); save(); }
});

for (const [word, text] of Object.entries(REASON)) filters.elements.reason.append(new Option(text, word));
$("finish").elements.result.append(...Object.entries(BY_HAND).map(([word, text]) => new Option(text, word)));
const account = await header();
const [{ items: seats }, workplace] = await Promise.all([api("/api/v1/seats"), api("/api/v1/workplace")]);
own = account.role === "seat" ? workplace.seat?.id ?? "" : null;
for (const seat of seats) {
  names.set(seat.id, `${seat.name}（${seat.id}）`);
  if (own !== null && seat.id !== own) continue;
  for (const form of [filters, edit]) form.elements.seat.append(new Option(names.get(seat.id), seat.id));
}
edit.elements.seat.prepend(new Option("任一座位", ""));
const list = filtered(filters, () => load());
const load = listing({
  body: document.querySelector("#tasks tbody"), path, row, list,
  counted: (total) => `共 ${total} 个`, failed: "暂时无法读取回电任务，请稍后再试。", shown: ({ items }) => mark(items),
});
await load();
whileLookedAt(5000, () => load().catch(expected));
