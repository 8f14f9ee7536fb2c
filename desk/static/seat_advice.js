// The knowledge base: what is suggested for the talk by itself, and what the seat looks for.
import { ApiError, api, h } from "./common.js";

const MOST = 9;  // suggestions kept in view
const list = document.getElementById("advice");
const hint = document.getElementById("advice-hint");
const search = document.getElementById("search");
const items = new Map();  // what is drawn keeps its element, and stays open
let found = [];
let suggested = [];

function itemOf(passage) {
  const known = items.get(passage.id);
  if (known) return known;
  const source = [passage.source, passage.department].filter(Boolean).join(" · ");
  const item = h("li", {}, h("details", {},
    h("summary", {}, h("b", {}, passage.question), h("span.preview", {}, passage.answer)),
    h("p", {}, passage.answer), source ? h("small.muted", {}, `依据：${source}`) : null));
  items.set(passage.id, item);
  return item;
}

function draw() {
  const rest = suggested.filter((passage) => !found.some((one) => one.id === passage.id));
  const heading = found.length && rest.length ? [h("li.advice-heading", {}, "根据通话推荐")] : [];
  list.replaceChildren(...found.map(itemOf), ...heading, ...rest.map(itemOf));
}

export function clearAdvice() {
  found = [];
  suggested = [];
  items.clear();
  hint.textContent = "";
  draw();
}

// Passages for what is being said now; the newest come first.
export function suggest(passages) {
  const known = new Set(suggested.map((passage) => passage.id));
  const fresh = passages.filter((passage) => !known.has(passage.id));
  if (!fresh.length) return;
  suggested = [...fresh, ...suggested].slice(0, MOST);
  if (!found.length) hint.textContent = "根据通话推荐";
  draw();
}

search.addEventListener("submit", async (event) => {
  event.preventDefault();
  const q = search.q.value.trim();
  found = [];
  if (!q) {
    hint.textContent = suggested.length ? "根据通话推荐" : "";
    draw();
    return;
  }
  hint.textContent = "正在搜索…";
  try {
    found = (await api(`/api/v1/kb?limit=6&q=${encodeURIComponent(q)}`)).items;
    hint.textContent = found.length ? `“${q}”的搜索结果` : `没有找到“${q}”`;
    draw();
    if (found.length) list.querySelector("summary").focus();
  } catch (error) {
    if (!(error instanceof ApiError) && !(error instanceof TypeError)) throw error;
    hint.textContent = "暂时无法搜索，请稍后再试。";
  }
});
