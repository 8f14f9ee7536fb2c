// What pages with a list share: its filters in the address of the page, and the way from page to page.
import { h } from "./common.js";

const PAGE_SIZE = 50;

// `load` is called whenever the filters or the page change; gives the query that they make.
export function filtered(form, load) {
  const query = new URLSearchParams(location.search);
  const names = [...form.elements].map((element) => element.name).filter(Boolean);
  for (const name of names) form.elements[name].value = query.get(name) ?? form.elements[name].value;
  const go = (changes) => {
    for (const [key, value] of Object.entries(changes)) {
      if (value) query.set(key, value);
      else query.delete(key);
    }
    history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
    load();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go({ ...Object.fromEntries(new FormData(form)), page: "" });
  });
  form.addEventListener("reset", () => go({ ...Object.fromEntries(names.map((name) => [name, ""])), page: "" }));
  return { query, go };
}

// The buttons below a list of `total`; `go` is that of `filtered`.
export function pager(total, { query, go }) {
  const page = Number(query.get("page") ?? 1);
  const last = Math.max(1, Math.ceil(total / PAGE_SIZE));
  const button = (words, target, enabled) =>
    h("button.plain", { type: "button", disabled: !enabled, onclick: () => go({ page: target > 1 ? String(target) : "" }) }, words);
  document.getElementById("pages").replaceChildren(...(last < 2 ? [] : [
    button("上一页", page - 1, page > 1),
    h("span.muted", {}, `第 ${page} / ${last} 页`),
    button("下一页", page + 1, page < last),
  ]));
}
