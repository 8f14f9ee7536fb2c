// What all pages share: the API, live events, building elements, words and formats.

const ZONE = "Asia/Shanghai";

export class ApiError extends Error {
  constructor(status, detail, challenge = null) {
    super(detail);
    this.status = status;
    this.challenge = challenge;  // what else is asked for, with 401: Bearer, TOTP
  }
}

// Ask the API; a session that is over leads to the sign-in page (unless `stay`).
export async function api(path, { method = "GET", body, file, stay = false, headers = {} } = {}) {
  const options = { method, credentials: "same-origin", headers: { ...headers } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  } else if (file !== undefined) {
    options.headers["Content-Type"] = "application/octet-stream";
    options.body = file;
  }
  const response = await fetch(path, options);
  if (response.status === 401 && !stay) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  if (!response.ok) {
    const detail = await response.json().then((json) => json.detail, () => "");
    throw new ApiError(response.status, detail, response.headers.get("WWW-Authenticate"));
  }
  return response.status === 204 || response.status === 202 ? null : response.json();
}

// Call `changed(event)` for every live event; shows in the header whether the line is up.
// Only a page in view holds a line: a browser has six for a site, and pages kept for "back" would use them up.
// With `always` a page behind others holds it too; `shown(up)` is told whether the line is up.
export function live(changed, { always = false, shown = () => {} } = {}) {
  const sign = document.getElementById("live");
  sign.textContent = "连接中";
  let source = null;
  let missed = false;
  const show = (up) => {
    sign.classList.toggle("up", up);
    sign.textContent = up ? "实时连接" : "连接中断，正在重连";
    shown(up);
  };
  const close = () => {
    source?.close();
    source = null;
    missed = true;
  };
  const open = () => {
    if (source) return;
    source = new EventSource("/api/v1/events");
    source.onopen = () => {
      show(true);
      if (missed) changed({ kind: "reconnected", call_id: null });
      missed = false;
    };
    source.onerror = () => {
      show(false);
      missed = true;
      if (source?.readyState === EventSource.CLOSED) {  // refused, e.g. the session is over: asking again says so
        close();
        setTimeout(() => { changed({ kind: "reconnected", call_id: null }); open(); }, 5000);
      }
    };
    source.onmessage = (message) => changed(JSON.parse(message.data));
  };
  if (!always) document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}

// Let several calls within `ms` become one.
export function calmly(ms, action) {
  let timer = 0;
  return () => {
    if (!timer) timer = setTimeout(() => { timer = 0; action(); }, ms);
  };
}

// An element; texts become text nodes, so nothing a caller says is ever read as HTML.
export function h(name, props = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined) continue;
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

export const ROLE = { seat: "坐席", ops: "运营", admin: "管理员" };

const EVERYBODY = ["seat", "ops", "admin"];
const PAGES = [
  ["/seat", "坐席工作台", EVERYBODY], ["/", "通话记录", EVERYBODY], ["/callbacks", "回电任务", EVERYBODY],
  ["/knowledge", "知识库", ["ops", "admin"]], ["/seats", "座位", ["ops", "admin"]], ["/outbox", "工单推送", ["ops", "admin"]],
  ["/accounts", "账号", ["admin"]], ["/audit", "操作记录", ["admin"]],
];

// The way to the other pages that this account may see. With `stay` they open beside this one.
export function showHeader(account, { stay = false, signOut = endSession } = {}) {
  const here = location.pathname.startsWith("/calls/") ? "/" : location.pathname;
  const target = stay ? "_blank" : undefined;
  const links = PAGES.filter(([, , roles]) => roles.includes(account.role)).map(([path, words]) =>
    h("a", path === here ? { href: path, "aria-current": "page" } : { href: path, target }, words));
  document.getElementById("nav").replaceChildren(...links);
  if (stay) document.querySelector(".brand").href = here;
  const mine = h("a", { href: "/account", target, title: "我的账号：修改密码、动态验证码" }, `${account.name} · ${ROLE[account.role] ?? account.role}`);
  document.getElementById("account").replaceChildren(mine);
  document.getElementById("sign-out").addEventListener("click", signOut);
}

async function endSession() {
  await api("/api/v1/session", { method: "DELETE" });
  location.assign("/login");
}

// Who is signed in, with the header filled; null where the page is not for this role, and says so.
export async function header(roles = EVERYBODY) {
  const account = await api("/api/v1/session");
  showHeader(account);
  if (roles.includes(account.role)) return account;
  document.querySelector("main").replaceChildren(h("p.empty", {}, `您的账号（${ROLE[account.role] ?? account.role}）不能使用这个页面。`));
  return null;
}

export const OUTCOME = {
  answered: ["已答复", "good"],
  ticket: ["已立工单", "info"],
  transferred: ["已转人工", "warm"],
  callback: ["约定回电", "warm"],
  abandoned: ["来电放弃", "quiet"],
  rejected: ["线路忙", "quiet"],
  failed: ["异常中断", "bad"],
};

export const END_REASON = {
  caller_hangup: "来电人挂机",
  agent_hangup: "话务员结束通话",
  transferred: "转人工后结束",
  rejected_busy: "线路忙，未接入",
  max_duration: "通话超过时限",
  media_timeout: "线路长时间无声音，已挂断",
  failed: "异常中断",
};

export function outcomeBadge(call) {
  if (!call.ended_at) return h("span.badge.live", {}, "通话中");
  const [words, tone] = OUTCOME[call.outcome] ?? [call.outcome || "已结束", "quiet"];
  return h(`span.badge.${tone}`, {}, words);
}

export const maskNumber = (number) =>
  !number ? "未显示号码" : number.length >= 7 ? `${number.slice(0, 3)}****${number.slice(-4)}` : number;

const DAY = new Intl.DateTimeFormat("sv-SE", { timeZone: ZONE, dateStyle: "short" });
const CLOCK = new Intl.DateTimeFormat("zh-CN", { timeZone: ZONE, timeStyle: "medium", hourCycle: "h23" });

export const dayOf = (at) => DAY.format(at);  // 2025-03-01, the day in China

export function dateTime(iso) {
  if (!iso) return "—";
  const at = new Date(iso);
  const today = DAY.format(at) === DAY.format(new Date());
  return `${today ? "今天" : DAY.format(at)} ${CLOCK.format(at)}`;
}

export function minutes(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}

export function lengthOf(call) {
  if (!call.answered_at) return 0;
  return (new Date(call.ended_at ?? Date.now()) - new Date(call.answered_at)) / 1000;
}
