// Small windows over a page: a question to be confirmed, and a secret that is shown once.
import { h } from "./common.js";

function open(...content) {
  const dialog = h("dialog.ask", {}, ...content);
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  return dialog;
}

// Whether the question was answered with `yes`; Esc and 取消 mean no.
export function confirmed(words, yes) {
  return new Promise((resolve) => {
    const form = h("form", { method: "dialog" }, h("p", {}, words),
      h("div.ask-end", {}, h("button", { value: "" }, "取消"), h("button.primary", { value: "yes" }, yes)));
    const dialog = open(form);
    form.querySelector(".primary").focus();
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
  });
}

// Show what nobody will be shown again.
export function shownOnce(title, secret, hint) {
  const copied = h("span.muted", { role: "status" });
  const copy = h("button", { type: "button", onclick: async () => {
    await navigator.clipboard.writeText(secret);
    copied.textContent = "已复制";
  } }, "复制");
  const buttons = [navigator.clipboard ? copy : null, h("button.primary", {}, "我已记下")];
  return new Promise((resolve) => {
    const dialog = open(h("form", { method: "dialog" }, h("h2", {}, title), h("p.secret", {}, secret), h("p.muted", {}, hint),
      h("div.ask-end", {}, copied, buttons)));
    dialog.querySelector(".primary").focus();
    dialog.addEventListener("close", resolve);
  });
}
