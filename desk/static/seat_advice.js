// The knowledge base: what is suggested for the talk by itself, and what the seat looks for.
import { ApiError, api, h } from "./common.js";

const list = document.getElementById("advice");
const hint = document.getElementById("advice-hint");
const search = document.getElementById("search");

function item(passage) {
  const source = [passage.source, passage.department].filter(Boolean).join(" · ");
  return h("li", {}, h("details", {},
    h("summary", {}, h("b", {}, passage.question), h("span.preview", {}, passage.answer)),
    h("p", {}, passage.answer), source ? h("small.muted", {}, `依据：${source}`) : null));
}

export function showAdvice(passages, words) {
  hint.textContent = words;
  list.replaceChildren(...passages.map(item));
}

search.addEventListener("submit", async (event) => {
  event.preventDefault();
  const q = search.q.value.trim();
  if (!q) return;
  hint.textContent = "正在搜索…";
  try {
    const found = await api(`/api/v1/kb?limit=6&q=${encodeURIComponent(q)}`);
    showAdvice(found.items, found.total ? `“${q}”的搜索结果` : `没有找到“${q}”`);
    list.querySelector("summary")?.focus();
  } catch (error) {
    if (!(error instanceof ApiError) && !(error instanceof TypeError)) throw error;
    hint.textContent = "暂时无法搜索，请稍后再试。";
  }
});
