// One's own account: another password, and a second factor.
import { ApiError, api, header } from "./common.js";

const $ = (id) => document.getElementById(id);

async function send(form, action, problems) {
  const said = form.querySelector(".said");
  const button = form.querySelector("button");
  said.textContent = "";
  button.disabled = true;
  try {
    const done = await action(form.elements);
    said.className = "said";
    return done;
  } catch (error) {
    if (!(error instanceof ApiError) && !(error instanceof TypeError)) throw error;
    said.className = "said error";
    said.textContent = problems[error.status] ?? "没有成功，请稍后再试。";
    return undefined;
  } finally {
    button.disabled = false;
  }
}

const WRONG = "当前密码不正确；连续输错几次后要等一会儿。";

$("password").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.elements.new.value !== form.elements.again.value) {
    form.querySelector(".said").className = "said error";
    form.querySelector(".said").textContent = "两次输入的新密码不一致。";
    return;
  }
  const body = { old: form.elements.old.value, new: form.elements.new.value };
  const problems = { 403: WRONG, 422: "新密码至少 10 个字符，且不能与当前密码相同。" };
  const done = await send(form, () => api("/api/v1/session/password", { method: "PUT", body }), problems);
  if (done === undefined) return;
  form.reset();
  form.querySelector(".said").textContent = "密码已修改，其他设备上的登录已退出。";
});

$("begin").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const begun = await send(form, (elements) => api("/api/v1/session/totp", { method: "POST", body: { password: elements.password.value } }), { 403: WRONG, 409: "动态验证码已经开启；要换手机，请管理员先关闭。" });
  if (!begun) return;
  form.reset();
  $("secret").textContent = begun.secret.replace(/(.{4})(?=.)/g, "$1 ");
  $("uri").href = begun.uri;
  $("qr").src = begun.qr;
  $("confirm").hidden = false;
  $("confirm").elements.code.focus();
});

$("confirm").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const body = { code: form.elements.code.value.replaceAll(" ", "") };
  const done = await send(form, () => api("/api/v1/session/totp", { method: "PUT", body }), { 422: "验证码不正确或已经用过，请等待新的验证码。" });
  if (done === undefined) return;
  form.hidden = true;
  $("secret").textContent = "";
  $("uri").removeAttribute("href");
  $("qr").removeAttribute("src");
  $("begin").querySelector(".said").textContent = "动态验证码已开启，下次登录时使用。";
});

await header();
