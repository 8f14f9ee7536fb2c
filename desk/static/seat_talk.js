// What is said in the call, as it is said: turns and events, each drawn anew only when it has changed.
import { h, minutes } from "./common.js";
import { hear, showAudio } from "./seat_audio.js";

const WHO = { caller: "市民", agent: "智能助手", seat: "坐席", third: "第三方" };
const EVENT = {
  transfer_started: "开始转人工", seat_ringing: "坐席振铃", seat_answered: "坐席接听", seat_accepted: "坐席接受", seat_declined: "坐席拒接",
  seat_failed: "坐席未接通", seat_no_answer: "坐席未确认", bridged: "来电人与坐席已接通", unbridged: "与坐席的通话结束", seat_held: "保持", seat_resumed: "恢复通话",
  sent_on: "转给其他坐席", handed_back: "转回智能助手", queued: "来电人排队",
};

const list = document.getElementById("turns");
const drawn = new Map();  // key -> what its element was made of
let shown = null;
let following = true;  // whether the newest words stay in view: until somebody scrolls back

const toEnd = () => { list.scrollTop = list.scrollHeight; };
let height = 0;  // when it changes, the list is scrolled by that and not by somebody
list.addEventListener("scroll", () => {
  if (list.clientHeight === height) following = list.scrollHeight - list.scrollTop - height < 60;
});
new ResizeObserver(() => {
  height = list.clientHeight;
  if (following) toEnd();
}).observe(list);

function eventWords(event) {
  if (event.kind === "third_party") return event.detail.joined ? "第三方加入通话" : "第三方离开通话";
  return EVENT[event.kind];
}

function turnItem(turn) {
  const cut = turn.interrupted && turn.heard_text !== null && turn.heard_text !== undefined && turn.text.startsWith(turn.heard_text);
  const text = cut ? [turn.heard_text, h("s", { title: "被打断，来电人没有听到" }, turn.text.slice(turn.heard_text.length))] : turn.text;
  const from = h("button.from", { type: "button", tabIndex: -1, title: "从这里听录音", onclick: () => hear(turn.started_s) }, h("time", {}, minutes(turn.started_s)));
  return h(`li.turn.${turn.who}`, {}, from, h("div.bubble", {}, h("div.who", {}, WHO[turn.who] ?? turn.who), h("div.text", {}, text)));
}

const eventItem = (event) => h("li.event", {}, h("time", {}, minutes(event.at_s)), h("span", {}, eventWords(event)));

function parts(call) {
  const turns = call.turns.map((turn) => [turn.started_s, 1, `turn ${turn.index}`, JSON.stringify([turn.text, turn.heard_text, turn.who]), () => turnItem(turn)]);
  const events = call.events.filter(eventWords).map((event, n) => [event.at_s, 0, `event ${n}`, event.kind, () => eventItem(event)]);
  return [...turns, ...events].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
}

export function showTalk(call) {
  const id = call?.id ?? null;
  if (id !== shown) {
    drawn.clear();
    list.replaceChildren();
    shown = id;
    following = true;
  }
  showAudio(call);
  if (!call) {
    list.replaceChildren(h("li.empty", {}, "正在读取通话…"));
    return;
  }
  const stay = following;
  const items = parts(call).map(([, , key, made, make]) => {
    const known = drawn.get(key);
    if (known?.made === made) return known.item;
    const item = make();
    drawn.set(key, { made, item });
    return item;
  });
  const same = items.length === list.childElementCount && items.every((item, n) => list.children[n] === item);
  if (!same) list.replaceChildren(...(items.length ? items : [h("li.empty", {}, "还没有人说话。")]));
  if (!same && stay) toEnd();
}
