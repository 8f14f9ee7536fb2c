// Signing in, and replacing the one-time password.
import { api } from "./common.js";

const signIn = document.getElementById("sign-in");
const change = document.getElementById("change");
const second = document.getElementById("second");
const message = document.getElementById("message");
let tries = 0;

function proceed(account) {
  if (account.must_change) {
    signIn.hidden = true;
    change.hidden = false;
    if (signIn.password.value) change.old.value = signIn.password.value;
    (change.old.value ? change.new : change.old).focus();
    return;
  }
  let next = new URLSearchParams(location.search).get("next") || "/";
  if (next === "/" && account.role === "seat") next = "/seat";
  location.replace(/^\/(?![/\\])/.test(next) ? next : "/");  // never to another site
}

// Show the field for the code of the second factor; gives what is to be said.
function askForCode() {
  const { code } = signIn.elements;
  const wrong = code.value !== "";
  second.hidden = false;
  code.disabled = false;
  code.required = true;
  code.value = "";
  code.focus();
  return wrong ? "验证码不正确或已经用过，请等待新的验证码。" : "请输入验证器上显示的 6 位动态验证码。";
}

async function send(form, method, path, body, words) {
  const button = form.querySelector("button");
  message.textContent = "";
  button.disabled = true;
  try {
    proceed(await api(path, { method, body, stay: true }));
  } catch (error) {
    message.textContent = error.challenge === "TOTP" ? askForCode() : words[error.status] || "暂时无法登录，请稍后再试。";
  } finally {
    button.disabled = false;
  }
}

signIn.elements.name.addEventListener("input", () => {  // perhaps one without a second factor
  second.hidden = true;
  signIn.elements.code.disabled = true;
  signIn.elements.code.value = "";
});

signIn.addEventListener("submit", (event) => {
  event.preventDefault();
  tries += 1;
  const { name, password, code } = signIn.elements;
  const body = { name: name.value.trim(), password: password.value, code: code.value };
  send(signIn, "POST", "/api/v1/session", body, {
    401: tries < 3 ? "账号或密码不正确，请重新输入。" : "账号或密码不正确；连续输错五次，账号会暂时锁定。请稍后再试，或请管理员解锁。",
    429: "输错次数过多，请一分钟后再试。",
  });
});

change.addEventListener("submit", (event) => {
  event.preventDefault();
  if (change.new.value !== change.again.value) {
    message.textContent = "两次输入的新密码不一致。";
    return;
  }
  send(change, "PUT", "/api/v1/session/password", { old: change.old.value, new: change.new.value }, {
    403: "当前密码不正确。",
    422: "新密码至少 10 个字符，且不能与当前密码相同。",
  });
});

api("/api/v1/session", { stay: true }).then(proceed, () => {});  // not signed in yet: stay here
