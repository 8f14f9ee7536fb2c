// The seats: their status live, who works there; ops set one away, admins add, change and remove them.
import { confirmed } from "./ask.js";
import { api, calmly, h, header, live, minutes } from "./common.js";
import { attempt, drawRows, expected, notice, opens, whileLookedAt } from "./keeping.js";
import { filtered } from "./list.js";

const $ = (id) => document.getElementById(id);
const edit = $("edit");
const filters = $("filters");
const PATH = "/api/v1/seats";
const STATUS = { free: ["空闲", "good"], ringing: ["振铃", "warm"], talking: ["通话中", "info"], wrap_up: ["整理中", ""], away: ["暂离", ""] };
const PROBLEMS = { 403: "您不能更改座位。", 404: "没有这个座位，可能已经删除。", 409: "座位上有人、正在通话，或者写在配置文件中；请先设为暂离或请离座。", 422: "有内容不符合要求，请检查。" };
const IN_CALL = new Set(["ringing", "talking"]);
let seats = [];
let waiting = 0;
let admin = false;
let editing = null;
let skewMs = 0;

// --- the list ---

const pathOf = (seat) => `${PATH}/${encodeURIComponent(seat.id)}`;
const passed = (seat) => minutes((Date.now() + skewMs - new Date(seat.since)) / 1000);

function fits(seat) {
  const { status, skill, words } = Object.fromEntries(["status", "skill", "words"].map((name) => [name, list.query.get(name) ?? ""]));
  const text = [seat.id, seat.name, seat.user, seat.uri].join(" ").toLowerCase();
  return (!status || seat.status === status) && (!skill || seat.skills.includes(skill)) && text.includes(words.trim().toLowerCase());
}

async function act(seat, action, words) {
  await attempt(action, words, PROBLEMS);
  await load();
}

const setStatus = (seat, status, words) => act(seat, () => api(`${pathOf(seat)}/status`, { method: "POST", body: { status } }), words);

async function release(seat) {
  const words = `解除座位 ${seat.name} 的占用？只在通话早已结束、座位却还显示${STATUS[seat.status][0]}时使用；座位会改为暂离。`;
  if (await confirmed(words, "解除占用")) await setStatus(seat, "away", `${seat.name} 已改为暂离。`);
}

async function empty(seat) {
  if (await confirmed(`请 ${seat.user} 离开座位 ${seat.name}？座位会改为暂离。`, "请离座")) {
    await act(seat, () => api(`${pathOf(seat)}/logout`, { method: "POST" }), `${seat.name} 现在没有人。`);
  }
}

function buttons(seat) {
  const button = (does, words, action) => h("button.small", { type: "button", onclick: action, "data-does": does }, words);
  if (IN_CALL.has(seat.status)) return [button("release", "解除占用", () => release(seat))];
  return [
    seat.status === "away"
      ? button("status", "示闲", () => setStatus(seat, "free", `${seat.name} 现在接听来电。`))
      : button("status", "暂离", () => setStatus(seat, "away", `${seat.name} 暂不接听来电。`)),
    seat.user ? button("empty", "请离座", () => empty(seat)) : null,
  ];
}

function row(seat) {
  const [words, tone] = STATUS[seat.status] ?? [seat.status, ""];
  const call = seat.call_id && IN_CALL.has(seat.status) ? h("a.link.under", { href: `/calls/${encodeURIComponent(seat.call_id)}` }, "查看通话") : null;
  const line = h("tr", {},
    h("td", {}, h("b", {}, seat.name), h("small.muted.under", {}, seat.id, seat.configured ? " · 配置文件" : "")),
    h("td.nowrap", {}, h(`span.badge${tone ? `.${tone}` : ""}`, {}, words), " ", h("span.muted.clock", {}, passed(seat)), call),
    h("td.nowrap", {}, seat.user || h("span.muted", {}, "无人")),
    h("td.skills", {}, seat.skills.length ? seat.skills.join("、") : h("span.muted", {}, "不限")),
    h("td.muted.address", { title: seat.uri }, seat.uri.replace(/^sips?:/, "")),
    h("td.right.nowrap", {}, buttons(seat)));
  line.dataset.id = seat.id;
  line.seat = seat;
  if (!admin || seat.configured) line.classList.add("fixed");
  else opens(line, () => show(seat));
  return line;
}

// The seat that is in the form.
function mark() {
  for (const line of document.querySelectorAll("#seats tbody tr")) {
    if (line.dataset.id === editing?.id) line.setAttribute("aria-current", "true");
    else line.removeAttribute("aria-current");
  }
}

function draw() {
  const found = seats.filter(fits);
  drawRows(document.querySelector("#seats tbody"), found, row);
  mark();
  $("empty").hidden = found.length > 0;
  $("empty").textContent = seats.length ? "没有符合条件的座位。" : "还没有座位。";
  $("total").textContent = `共 ${found.length} 个`;
  const number = (status) => seats.filter((seat) => seat.status === status).length;
  $("counts").replaceChildren(
    ...Object.entries(STATUS).filter(([status]) => status === "free" || number(status)).map(([status, [words, tone]]) => h(`span.badge${tone ? `.${tone}` : ""}`, {}, `${words} ${number(status)}`)),
    h(`span.badge${waiting ? ".bad" : ""}`, {}, waiting ? `排队 ${waiting} 人` : "无人排队"));
}

async function load() {
  try {
    const [{ items }, workplace] = await Promise.all([api(PATH), api("/api/v1/workplace")]);
    seats = items;
    waiting = workplace.waiting;
    skewMs = new Date(workplace.now) - Date.now();
    offerSkills();
    draw();
    $("error").hidden = true;
  } catch (error) {
    expected(error);
    $("error").textContent = "暂时无法读取座位，请稍后再试。";
    $("error").hidden = false;
  }
}

function offerSkills() {
  const select = filters.elements.skill;
  const known = [...new Set(seats.flatMap((seat) => seat.skills))].sort((a, b) => a.localeCompare(b, "zh-CN"));
  const chosen = list.query.get("skill") ?? "";
  if (chosen && !known.includes(chosen)) known.unshift(chosen);
  if ([...select.options].slice(1).map((option) => option.value).join() === known.join()) return;
  select.replaceChildren(new Option("全部", ""), ...known.map((skill) => new Option(skill, skill)));
  select.value = chosen;
}

// --- the form ---

function show(seat) {
  notice("");
  editing = seat.id ? seat : null;
  edit.hidden = false;
  document.querySelector(".keeping").classList.add("editing");
  $("edit-title").textContent = editing ? `座位 ${seat.name}` : "添加座位";
  for (const name of ["id", "name", "uri"]) edit.elements[name].value = seat[name] ?? "";
  edit.elements.skills.value = (seat.skills ?? []).join("、");
  edit.elements.id.disabled = Boolean(editing);
  for (const element of edit.elements) element.removeAttribute("aria-invalid");
  $("edit-error").textContent = "";
  $("remove").hidden = !editing;
  mark();
  edit.elements[editing ? "name" : "id"].focus();
}

function close() {
  const line = document.querySelector("#seats [aria-current]");
  edit.hidden = true;
  editing = null;
  document.querySelector(".keeping").classList.remove("editing");
  mark();
  line?.focus();
}

function wrong(name, words) {
  edit.elements[name].setAttribute("aria-invalid", "true");
  edit.elements[name].focus();
  $("edit-error").textContent = words;
}

function values() {
  const { id, name, uri, skills } = edit.elements;
  const address = uri.value.trim();
  return {
    id: id.value.trim(),
    name: name.value.trim(),
    uri: /^sips?:/i.test(address) ? address : `sip:${address}`,
    skills: [...new Set(skills.value.split(/[\s、,，;；]+/).filter(Boolean))],
  };
}

async function save() {
  const body = values();
  $("edit-error").textContent = "";
  if (!/^[\p{L}\p{N}_.-]+$/u.test(body.id)) { wrong("id", "请填写编号，用字母、数字、“.”和“-”。"); return; }
  if (!editing && seats.some((seat) => seat.id === body.id)) { wrong("id", "已经有这个编号的座位。"); return; }
  if (!/^sips?:[^\s@]+@[^\s@]+$/i.test(body.uri)) { wrong("uri", "请填写完整的电话地址，如 sip:8001@10.1.2.3。"); return; }
  const saved = await attempt(() => api(PATH, { method: "POST", body }), `座位 ${body.name || body.id} 已保存。`, PROBLEMS);
  if (saved) close();
  await load();
}

async function remove() {
  const seat = editing;
  if (!(await confirmed(`删除座位 ${seat.name}？指定给它的回电任务改由任一座位回电。`, "删除"))) return;
  const removed = await attempt(() => api(pathOf(seat), { method: "DELETE" }), `座位 ${seat.name} 已删除。`, PROBLEMS);
  if (removed !== undefined) close();
  await load();
}

edit.addEventListener("submit", (event) => { event.preventDefault(); save(); });
edit.addEventListener("input", (event) => event.target.removeAttribute("aria-invalid"));
$("remove").addEventListener("click", remove);
$("close").addEventListener("click", close);
$("new").addEventListener("click", () => show({}));
document.addEventListener("keydown", (event) => {
  if (!admin || document.querySelector("dialog[open]")) return;
  if (event.altKey && event.code === "KeyN") { event.preventDefault(); show({}); }
  else if (event.key === "Escape" && !edit.hidden) close();
  else if (event.key === "Enter" && event.ctrlKey && !edit.hidden) { event.preventDefault(); save(); }
});

setInterval(() => {
  for (const line of document.querySelectorAll("#seats tbody tr")) line.querySelector(".clock").textContent = passed(line.seat);
}, 1000);

for (const [status, [words]] of Object.entries(STATUS)) filters.elements.status.append(new Option(words, status));
const list = filtered(filters, () => draw());
const account = await header(["ops", "admin"]);
if (account) {
  admin = account.role === "admin";
  $("new").hidden = !admin;
  $("guide").hidden = !admin;
  document.querySelector(".keeping").classList.toggle("alone", !admin);
  await load();
  live(calmly(150, load));
  whileLookedAt(15_000, load);
}
