// The knowledge base, for those who keep it: find, add, change, expire, remove; how far the agent has taken it up.
import { confirmed } from "./ask.js";
import { api, calmly, dateTime, dayOf, h, header } from "./common.js";
import { expected, notice, opens } from "./keeping.js";
import { showGaps } from "./knowledge_gaps.js";
import { bindImport } from "./knowledge_import.js";
import { filtered, pager } from "./list.js";

const $ = (id) => document.getElementById(id);
const FIELDS = ["question", "answer", "department", "district", "topic", "source", "valid_from", "valid_to"];
const MISSING = { question: "请填写问题。", answer: "请填写答案。" };
const edit = $("edit");
let editing = null;  // the passage in the form; null for a new one
let asked = 0;

// --- the list ---

function state(passage) {
  const today = dayOf(new Date());
  if (passage.valid_to && passage.valid_to < today) return h("span.badge", {}, `${passage.valid_to} 已失效`);
  if (passage.valid_from && passage.valid_from > today) return h("span.badge.warm", {}, `${passage.valid_from} 生效`);
  return h("span.badge.good", {}, passage.valid_to ? `有效至 ${passage.valid_to}` : "有效");
}

function row(passage) {
  const last = passage.score === null ? dateTime(passage.updated_at) : `${Math.round(passage.score * 100)}%`;
  const line = h("tr", {},
    h("td.words", {}, h("b", {}, passage.question), h("small.muted", {}, passage.answer)),
    h("td", {}, passage.department || "—"), h("td.nowrap", {}, state(passage)), h("td.nowrap.muted", {}, last));
  line.dataset.id = passage.id;
  return opens(line, () => show(passage));
}

async function load() {
  const mine = ++asked;
  const query = new URLSearchParams({ page: list.query.get("page") ?? "1" });
  const words = list.query.get("words") ?? "";
  const by = list.query.get("how") === "asked" && words;
  if (by) query.set("q", words);
  else query.set("contains", words);
  if (by) query.set("limit", "20");
  try {
    const found = await api(`/api/v1/kb?${query}`);
    if (mine !== asked) return;
    document.querySelector("#passages tbody").replaceChildren(...found.items.map(row));
    mark();
    $("total").textContent = by ? `最接近的 ${found.total} 条` : `共 ${found.total} 条`;
    $("last").textContent = by ? "把握" : "更新时间";
    $("empty").hidden = found.total > 0;
    $("error").hidden = true;
    pager(by ? 0 : found.total, list);
  } catch (problem) {
    if (mine !== asked) return;
    expected(problem);
    $("error").textContent = "暂时无法读取知识库，请稍后再试。";
    $("error").hidden = false;
  }
}

// The passage that is in the form.
function mark() {
  for (const line of document.querySelectorAll("#passages tbody tr")) {
    if (line.dataset.id === editing?.id) line.setAttribute("aria-current", "true");
    else line.removeAttribute("aria-current");
  }
}

// Whether callers are told the newest: what is changed elsewhere is taken up within seconds.
async function showIndex() {
  const now = await api("/api/v1/kb/state");
  const newest = now.indexed_revision === now.revision;
  $("index").className = `badge ${now.fault ? "bad" : newest ? "good" : "warm"}`;
  $("index").textContent = now.fault ? "索引更新失败，仍按原有内容答复" : newest ? "智能助手已使用最新内容" : "智能助手正在更新…";
  $("index").title = now.fault || `第 ${now.revision} 次修改，索引中 ${now.indexed} 条`;
}

const changed = calmly(100, () => { load(); showIndex().catch(expected); });

// --- the form ---

function show(passage) {
  editing = passage.id ? passage : null;
  edit.hidden = false;
  document.querySelector(".keeping").classList.add("editing");
  mark();
  $("edit-title").textContent = editing ? `编号 ${passage.id}` : "添加知识";
  for (const name of FIELDS) edit.elements[name].value = passage[name] ?? "";
  edit.elements.phrasings.value = (passage.phrasings ?? []).join("\n");
  for (const element of edit.elements) element.removeAttribute("aria-invalid");
  $("edit-error").textContent = "";
  $("expire").hidden = $("remove").hidden = !editing;
  edit.elements[passage.question && !editing ? "answer" : "question"].focus();
}

function close() {
  edit.hidden = true;
  editing = null;
  document.querySelector(".keeping").classList.remove("editing");
  mark();
}

function wrong(name, words) {
  edit.elements[name].setAttribute("aria-invalid", "true");
  edit.elements[name].focus();
  $("edit-error").textContent = words;
}

function values() {
  const given = Object.fromEntries(FIELDS.map((name) => [name, edit.elements[name].value.trim()]));
  const phrasings = edit.elements.phrasings.value.split("\n").map((line) => line.trim()).filter(Boolean);
  return { ...given, valid_from: given.valid_from || null, valid_to: given.valid_to || null, phrasings };
}

async function attempt(action, words) {
  $("edit-error").textContent = "";
  try {
    await action();
    close();
    notice(words);
    changed();
  } catch (error) {
    expected(error);
    const said = { 404: "这条知识已被删除。", 409: "已经有同样的问题，请修改那一条。", 422: "有内容不符合要求，请检查后再保存。" };
    $("edit-error").textContent = said[error.status] ?? "没有保存成功，内容还在，请稍后再试。";
  }
}

const pathOf = (passage) => `/api/v1/kb/${encodeURIComponent(passage.id)}`;

function save() {
  const body = values();
  for (const [name, words] of Object.entries(MISSING)) if (!body[name]) { wrong(name, words); return; }
  if (body.valid_from && body.valid_to && body.valid_to < body.valid_from) { wrong("valid_to", "失效日期早于生效日期。"); return; }
  if (editing) attempt(() => api(pathOf(editing), { method: "PUT", body }), "已保存，智能助手马上按新内容答复。");
  else attempt(() => api("/api/v1/kb", { method: "POST", body }), "已添加，智能助手马上可以答复。");
}

// From now on nobody is told it; it stays, and can be made valid again.
async function expire() {
  if (!(await confirmed("停用这条知识？智能助手不再用它答复，内容保留，改失效日期即可恢复。", "停用"))) return;
  const yesterday = dayOf(new Date(Date.now() - 86_400_000));
  const body = { ...values(), valid_to: yesterday };
  if (body.valid_from && body.valid_from > yesterday) body.valid_from = yesterday;
  attempt(() => api(pathOf(editing), { method: "PUT", body }), "已停用。");
}

async function remove() {
  if (await confirmed("删除这条知识？删除后不能恢复；只是过期请用“停用”。", "删除")) attempt(() => api(pathOf(editing), { method: "DELETE" }), "已删除。");
}

edit.addEventListener("submit", (event) => { event.preventDefault(); save(); });
edit.addEventListener("input", (event) => event.target.removeAttribute("aria-invalid"));
$("close").addEventListener("click", close);
$("expire").addEventListener("click", expire);
$("remove").addEventListener("click", remove);
$("new").addEventListener("click", () => show({}));
document.addEventListener("keydown", (event) => {
  if (event.altKey && event.code === "KeyN") { event.preventDefault(); show({}); }
  else if (event.key === "Escape" && !edit.hidden && !document.querySelector("dialog[open]")) close();
  else if (event.key === "Enter" && event.ctrlKey && !edit.hidden) { event.preventDefault(); save(); }
});

const list = filtered($("filters"), () => load());
if (await header(["ops", "admin"])) {
  bindImport(changed);
  await load();
  await Promise.all([showIndex(), showGaps((text) => show({ question: text }))]).catch(expected);
  setInterval(() => { if (!document.hidden) showIndex().catch(expected); }, 3000);
}
