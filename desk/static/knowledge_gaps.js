// What callers asked in vain, in their words: what the knowledge base lacks.
import { api, dateTime, h } from "./common.js";

export async function showGaps(answer) {
  const { items } = await api("/api/v1/kb/gaps?days=30&limit=20");
  document.getElementById("gaps").replaceChildren(...(items.length ? items.map((gap) => h("li", {},
    h("span", {}, gap.text),
    h("span.gap-end", {}, h("a", { href: `/calls/${encodeURIComponent(gap.call_id)}` }, `${gap.count} 通，最近${dateTime(gap.last_at)}`),
      h("button.small", { type: "button", onclick: () => answer(gap.text) }, "补充")))) : [h("li.muted", {}, "近 30 天没有。")]));
}
