// What the pages that change something share: what is said about it, and a list that is shown.
import { ApiError, api } from "./common.js";
import { pager } from "./list.js";

// The API's refusals and a broken line are told to the person; anything else is a fault of the page.
export function expected(error) {
  if (!(error instanceof ApiError) && !(error instanceof TypeError)) throw error;
}

export function notice(words, tone = "") {
  const line = document.getElementById("notice");
  line.textContent = words;
  line.className = `notice ${tone}`;
  line.hidden = !words;
}

// Do it and say `done`, or why not by `problems` (words by status); gives the result, or undefined.
export async function attempt(action, done, problems = {}) {
  try {
    const result = await action();
    notice(done);
    return result;
  } catch (error) {
    expected(error);
    notice(problems[error.status] ?? "操作没有成功，请稍后再试。", "bad");
    return undefined;
  }
}

// Show each of `items` as a `row`, unless they are as they were: a row being pressed stays, and so does the focus.
// What a row tells of the time that passes is shown anew every minute.
export function drawRows(body, items, row) {
  const now = JSON.stringify([items, Math.floor(Date.now() / 60_000)]);
  if (body.drawn === now) return;
  body.drawn = now;
  const focused = document.activeElement?.closest?.("tr")?.dataset.id;
  const does = document.activeElement?.dataset?.does;
  body.replaceChildren(...items.map(row));
  if (!focused) return;
  const line = body.querySelector(`[data-id="${CSS.escape(focused)}"]`);
  (does ? line?.querySelector(`[data-does="${CSS.escape(does)}"]`) : line)?.focus();
}

// A function that asks `path()` for a page of things and shows each as `row`; `list` is that of `filtered`.
// What comes late, after a newer question, is dropped.
export function listing({ body, path, row, list, counted, failed, shown = () => {} }) {
  const error = document.getElementById("error");
  let asked = 0;
  return async () => {
    const mine = ++asked;
    try {
      const found = await api(path());
      if (mine !== asked) return;
      drawRows(body, found.items, row);
      document.getElementById("total").textContent = counted(found.total);
      document.getElementById("empty").hidden = found.total > 0;
      error.hidden = true;
      pager(found.total, list);
      shown(found);
    } catch (problem) {
      if (mine !== asked) return;
      expected(problem);
      error.textContent = problem.status === 422 ? "查询条件有误，请检查后再试。" : failed;
      error.hidden = false;
    }
  };
}

// A row that is opened by a click or Enter.
export function opens(line, action) {
  line.tabIndex = 0;
  line.addEventListener("click", (event) => { if (!event.target.closest("a, button, select")) action(); });
  line.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target !== line) return;
    event.preventDefault();  // else it also presses the button that is in focus then
    action();
  });
  return line;
}

// Do `action` every `ms` while somebody looks.
export function whileLookedAt(ms, action) {
  setInterval(() => { if (!document.hidden) action(); }, ms);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) action(); });
}
