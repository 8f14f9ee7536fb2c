// What a seat does with the call it is in: hold, resume, a third party, send on, hand back.
import { api, h } from "./common.js";

const $ = (id) => document.getElementById(id);
const FORMS = { three: "three-form", "send-on": "send-form" };

export function setCommands(seat, { held, third }) {
  const talking = seat.status === "talking";
  $("commands").hidden = !talking;
  $("hold").replaceChildren(held ? "恢复 " : "保持 ", h("kbd", {}, "F9"));
  $("hold").classList.toggle("on", held);
  $("hold").setAttribute("aria-pressed", String(held));
  $("three").textContent = third ? "结束三方" : "三方通话";
  $("three").classList.toggle("on", third);
  if (!talking) toggle(null);
}

function toggle(button) {
  for (const [id, form] of Object.entries(FORMS)) {
    const open = id === button && $(form).hidden;
    $(form).hidden = !open;
    $(id).setAttribute("aria-expanded", String(open));
    if (open) $(form).querySelector("input, select").focus();
  }
}

// A number is rung through the exchange that the seat's own telephone is at.
function address(words, seat) {
  const typed = words.trim();
  if (/^sips?:/.test(typed)) return typed;
  const host = seat.uri.replace(/^sips?:/, "").split("@").at(-1);
  return typed.includes("@") ? `sip:${typed}` : `sip:${typed.replace(/[\s-]/g, "")}@${host}`;
}

async function fillTargets(seat) {
  const { items } = await api("/api/v1/seats");
  const others = items.filter((one) => one.id !== seat.id && one.status !== "away");
  const skills = [...new Set(items.flatMap((one) => one.skills))];
  const select = $("send-form").elements.to;
  select.replaceChildren(
    h("optgroup", { label: "坐席" }, others.map((one) => new Option(`${one.name}（${one.status === "free" ? "空闲" : "忙"}）`, `seat ${one.id}`))),
    h("optgroup", { label: "业务组" }, skills.map((skill) => new Option(`${skill}组`, `skill ${skill}`))));
}

export function bindCommands(now, attempt, notice) {
  const give = async (action, detail, words) => {
    const { seat } = now();
    if (seat?.status !== "talking") return;
    const path = `/api/v1/calls/${encodeURIComponent(seat.call_id)}/commands`;
    const problems = { 409: "通话已经结束。", 403: "您不在这通电话里。", 422: "号码或地址不正确，请检查。" };
    if (await attempt(() => api(path, { method: "POST", body: { action, detail } }), problems)) {
      notice(words);
      toggle(null);
    }
  };
  $("hold").addEventListener("click", () => (now().held ? give("resume", {}, "正在恢复通话…") : give("hold", {}, "正在保持，来电人将听到音乐…")));
  $("hand-back").addEventListener("click", () => give("hand_back", {}, "正在转回智能助手…"));
  $("three").addEventListener("click", () => (now().third ? give("drop", {}, "正在请第三方离开…") : toggle("three")));
  $("send-on").addEventListener("click", async () => { if (await attempt(() => fillTargets(now().seat))) toggle("send-on"); });
  $("three-form").addEventListener("submit", (event) => {
    event.preventDefault();
    give("add", { uri: address($("three-form").elements.number.value, now().seat) }, "正在呼叫第三方…");
  });
  $("send-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [kind, ...rest] = $("send-form").elements.to.value.split(" ");
    if (kind) give("send_on", { [kind]: rest.join(" ") }, "正在转给其他坐席…");
  });
}
