// The work order form: filled in by the draft of the talk or the summary, kept per call, filed with one key.
import { ApiError, api } from "./common.js";

const SLOTS = ["place", "name", "contact"];
const FIELDS = ["category", "department", "title", "text", "urgency", ...SLOTS];
const MISSING = { category: "类别", title: "标题", text: "内容" };

function fromSummary(summary, call) {
  const [, name = "", contact = ""] = /^(.*?)（(.*)）$/.exec(summary?.caller ?? "") ?? [];
  const lines = [summary?.request, ...(summary?.open_points ?? []).filter((line) => !line.startsWith("工单未提交"))].filter(Boolean);
  return {
    category: summary?.category, department: summary?.department, title: (summary?.request ?? "").slice(0, 60), text: lines.join("\n"),
    urgency: call?.transfer?.reason === "emergency" ? "emergency" : "normal", place: summary?.place, name, contact: contact || call?.caller,
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
    const typed = (event) => {
      this.typed.add(event.target.name);
      event.target.removeAttribute("aria-invalid");
      this.keep();
    };
    form.addEventListener("input", typed);
    form.addEventListener("change", typed);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
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
    for (const name of FIELDS) {
      if (values[name] && !this.typed.has(name)) this.form.elements[name].value = values[name];
    }
    if (Object.values(values).some(Boolean)) document.getElementById("order-hint").textContent = summary ? "已按摘要预填，请核对" : "正在按通话更新，请核对";
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
    if (!this.form.contact.checkValidity()) return ["contact", "联系电话只能是数字。"];
    return null;
  }

  async submit() {
    if (this.busy || this.filed || !this.callId) return;
    const problem = this.problem();
    if (problem) {
      const field = this.form.elements[problem[0]];
      field.setAttribute("aria-invalid", "true");
      field.focus();
      this.error(problem[1]);
      return;
    }
    const callId = this.callId;
    const { elements } = this.form;
    const text = (name) => elements[name].value.trim();
    const slots = Object.fromEntries(SLOTS.filter(text).map((name) => [name, text(name)]));
    const body = {
      call_id: callId, caller: this.caller, category: text("category"), department: text("department"), urgency: elements.urgency.value,
      title: text("title"), text: text("text"), slots, secret: elements.secret.checked,
    };
    this.busy = this.button().disabled = true;
    this.error("");
    try {
      const ticket = await api("/api/v1/tickets", { method: "POST", body, headers: { "Idempotency-Key": `seat-page:${callId}` } });
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
