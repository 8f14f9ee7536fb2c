// The work order form: filled in by the draft of the talk or the summary, kept per call, filed with one key.
import { ApiError, api, h } from "./common.js";

const SLOTS = ["place", "time", "name", "contact", "kind"];
const FIELDS = ["category", "department", "title", "text", "urgency", ...SLOTS];
const MISSING = { category: "类别", title: "标题", text: "内容" };
const MORE = { duration: "持续时间", wish: "诉求", business: "涉及单位", plate: "车牌号", account: "户号", anonymous: "匿名" };
// What the draft says besides, and which fields it says it of: when one of these is typed over it is no longer true.
const SAID_OF = { district: ["place"], street: ["place"], landmark: ["place"], matter: ["title", "text"] };

function fromSummary(summary, call) {
  const [, name = "", contact = ""] = /^(.*?)（(.*)）$/.exec(summary?.caller ?? "") ?? [];
  const lines = [summary?.request, ...(summary?.open_points ?? []).filter((line) => !line.startsWith("工单未提交"))].filter(Boolean);
  return {
    category: summary?.category, department: summary?.department, title: (summary?.request ?? "").slice(0, 60), text: lines.join("\n"),
    urgency: call?.transfer?.reason === "emergency" ? "emergency" : "normal", place: summary?.place, time: summary?.time, name, contact: contact || call?.caller,
  };
}

// What a person has typed stays; all else follows the draft as it grows.
export class OrderForm {
  constructor(form) {
    this.form = form;
    this.callId = null;
    this.typed = new Set();
    this.filed = "";
    this.busy = false;
    this.categories = [];
    this.more = {};
    form.addEventListener("input", (event) => this.change(event.target));
    form.addEventListener("change", (event) => {
      this.change(event.target);
      if (event.target.name === "category") this.choose();
    });
    form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
  }

  // The city's categories, each with its department; without any nothing is checked.
  offerCategories(categories) {
    this.categories = categories;
    document.getElementById("categories").replaceChildren(...categories.map((one) => h("option", { value: one.category }, one.department)));
  }

  change(field) {
    this.typed.add(field.name);
    field.removeAttribute("aria-invalid");
    if (field.name === "category") this.follow();
    this.error("");
    this.keep();
  }

  // Whoever leaves the field with a part of one category's name means that one; a wrong name is told at once.
  choose() {
    const field = this.form.elements.category;
    const words = field.value.trim();
    const like = this.categories.filter((one) => words && one.category.includes(words));
    if (like.length === 1) field.value = like[0].category;
    this.follow();
    this.keep();
    if (words && this.unknownCategory()) this.refuse("category", this.unknownCategory());
  }

  // Department and kind are those of the category, unless they were typed.
  follow() {
    const known = this.categories.find((one) => one.category === this.form.elements.category.value.trim());
    if (!known) return;
    if (!this.typed.has("department")) this.form.elements.department.value = known.department;
    if (!this.typed.has("kind")) this.form.elements.kind.value = known.kind;
  }

  unknownCategory() {
    const words = this.form.elements.category.value.trim();
    const known = !this.categories.length || this.categories.some((one) => one.category === words);
    return known ? "" : `没有“${words}”这个类别，请从列表中选择。`;
  }

  show(callId, call, summary) {
    if (callId !== this.callId) this.open(callId);
    this.caller = call?.caller ?? this.caller ?? "";
    if (summary || call) this.offer(fromSummary(summary, call), true);
    if (call?.ticket_id && !this.filed) this.say(`通话中已登记工单 ${call.ticket_id}`);
  }

  open(callId) {
    this.callId = callId;
    this.form.reset();
    this.typed.clear();
    this.filed = "";
    this.drafted = false;
    this.caller = "";
    this.more = {};
    this.drawMore();
    this.error("");
    this.say("");
    for (const name of FIELDS) this.form.elements[name].removeAttribute("aria-invalid");
    const kept = JSON.parse(sessionStorage.getItem(`order:${callId}`) ?? "null");
    if (kept) {
      for (const [name, value] of Object.entries(kept.values)) this.form.elements[name].value = value;
      this.form.secret.checked = kept.secret;
      this.typed = new Set(kept.typed);
      this.filed = kept.filed;
      if (this.filed) this.say(`已提交 工单 ${this.filed}`);
    }
    this.button().disabled = Boolean(this.filed);
    document.getElementById("order-hint").textContent = "";
  }

  // Values for what nobody has typed; those of the summary give way to those of the talk's own draft.
  offer(draft, summary = false) {
    if (this.filed || !this.callId || (summary && this.drafted)) return;
    this.drafted ||= !summary;
    const values = { ...draft, ...(draft.slots ?? {}) };
    const theirs = this.typed.has("category") ? ["department", "kind"] : [];  // they belong to the category that was chosen
    for (const name of FIELDS) {
      if (values[name] && !this.typed.has(name) && !theirs.includes(name)) this.form.elements[name].value = values[name];
    }
    if (draft.secret !== undefined && !this.typed.has("secret")) this.form.secret.checked = draft.secret;
    this.more = Object.fromEntries(Object.entries(draft.slots ?? {}).filter(([name, value]) => value && !FIELDS.includes(name)));
    this.drawMore();
    if (Object.values(values).some(Boolean)) document.getElementById("order-hint").textContent = summary ? "已按摘要预填，请核对" : "正在按通话更新，请核对";
  }

  // What the draft says besides, as it will be filed.
  besides() {
    const stays = ([name]) => !this.typed.has(`more:${name}`) && !(SAID_OF[name] ?? []).some((field) => this.typed.has(field));
    return Object.fromEntries(Object.entries(this.more).filter(stays));
  }

  drawMore() {
    const shown = Object.entries(this.besides()).filter(([name]) => !(name in SAID_OF));
    const box = document.getElementById("more");
    box.hidden = !shown.length;
    box.replaceChildren("另记：", ...shown.map(([name, value]) => {
      const drop = () => { this.typed.add(`more:${name}`); this.keep(); this.drawMore(); };
      return h("button.chip-button", { type: "button", title: "不要这一项", onclick: drop }, `${MORE[name] ?? name}：${value} ×`);
    }));
  }

  unsaved() {
    return this.callId !== null && this.typed.size > 0 && !this.filed;
  }

  keep() {
    const values = Object.fromEntries(FIELDS.map((name) => [name, this.form.elements[name].value]));
    sessionStorage.setItem(`order:${this.callId}`, JSON.stringify({ values, secret: this.form.secret.checked, typed: [...this.typed], filed: this.filed }));
  }

  problem() {
    for (const [name, label] of Object.entries(MISSING)) {
      if (!this.form.elements[name].value.trim()) return [name, `请填写${label}。`];
    }
    if (this.unknownCategory()) return ["category", this.unknownCategory()];
    if (!this.form.contact.checkValidity()) return ["contact", "联系电话只能是数字。"];
    return null;
  }

  refuse(name, words) {
    this.form.elements[name].setAttribute("aria-invalid", "true");
    this.error(words);
  }

  body() {
    const { elements } = this.form;
    const text = (name) => elements[name].value.trim();
    const slots = { ...this.besides(), ...Object.fromEntries(SLOTS.filter(text).map((name) => [name, text(name)])) };
    return {
      call_id: this.callId, caller: this.caller, category: text("category"), department: text("department"), urgency: elements.urgency.value,
      title: text("title"), text: text("text"), slots, secret: elements.secret.checked,
    };
  }

  async submit() {
    if (this.busy || this.filed || !this.callId) return;
    const problem = this.problem();
    if (problem) {
      this.refuse(...problem);
      this.form.elements[problem[0]].focus();
      return;
    }
    const callId = this.callId;
    this.busy = this.button().disabled = true;
    this.error("");
    try {
      const ticket = await api("/api/v1/tickets", { method: "POST", body: this.body(), headers: { "Idempotency-Key": `seat-page:${callId}` } });
      if (callId !== this.callId) return;
      this.filed = ticket.id;
      this.keep();
      this.say(`已提交 工单 ${ticket.id}`);
    } catch (error) {
      if (!(error instanceof ApiError) && !(error instanceof TypeError)) throw error;
      this.error(error.status === 422 ? "有内容不符合要求，请检查后再提交。" : "没有提交成功，内容已保留，请重试。");
    } finally {
      this.busy = false;
      this.button().disabled = Boolean(this.filed);
    }
  }

  button() {
    return this.form.querySelector("button.primary");
  }

  error(words) {
    document.getElementById("order-error").textContent = words;
  }

  say(words) {
    document.getElementById("filed").textContent = words;
  }
}
