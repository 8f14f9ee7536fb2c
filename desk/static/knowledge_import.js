// A file put into the knowledge base: first the report of what it would change, then the import itself.
import { ApiError, api, h } from "./common.js";

const form = document.getElementById("import");
const report = document.getElementById("report");
const carryOut = document.getElementById("carry-out");
const error = document.getElementById("import-error");
const WHAT = { new: ["新增", "good"], changed: ["更改", "warm"], removed: ["删除", "bad"] };
// What the importer says, in the words of this page; what is not here is shown as it came.
const SAID = [
  [/the answer has (\d+) characters; (\d+) are enough to listen to/, "答案有 $1 个字，念给来电人听 $2 字左右为宜"],
  [/the answer holds a web address, which nobody can listen to/, "答案里有网址，电话里念不清楚"],
  [/speaks to a machine, not to a reader; it is taken as mere text/, "有像是对机器下指令的话，只当普通文字处理，请核对"],
  [/files of this kind cannot be read; save it as (\S+)/, "不能读取这种文件，请另存为 $1"],
  [/files of this kind cannot be read; known are (.+)/, "不能读取这种文件；可以是 $1"],
  [/no question with its answer and no section with text in it/, "里面没有问答，也没有带标题的正文"],
  [/there is no text in it; scanned pages.*/, "里面没有文字；扫描件请先做文字识别"],
  [/there is no text in it/, "里面没有文字"],
  [/needs a password; save it without one/, "有密码保护，请去掉密码再导入"],
  [/missing column (.+)/, "缺少列：$1"],
  [/(question|answer|id) is missing or empty/, "$1 没有填写"],
  [/more values than columns; quote.*/, "值比列多；含逗号的内容请加引号"],
  [/id '(.+)' is already used at (.+)/, "编号 $1 与 $2 重复"],
  [/id '(.+)': right are letters.*/, "编号 $1 不符合要求：只能用字母、数字和 . : - _"],
  [/(question|answer) has (\d+) characters; at most (\d+) are right/, "$1 有 $2 个字，最多 $3 个"],
  [/valid_to (\S+) is before valid_from (\S+)/, "失效日期 $1 早于生效日期 $2"],
  [/(valid_from|valid_to) '(.+)' is not a date.*/, "$1 “$2”不是日期，应如 2025-03-01"],
  [/no text in UTF-8 or GB 18030; save it again in UTF-8/, "不是 UTF-8 或 GB 18030 编码，请另存为 UTF-8"],
  [/not readable as (?:an )?([^:;]+).*/, "不能按 $1 读取，文件可能已损坏"],
  [/reading it needs too much memory.*/, "文件太大，读取时内存不够，请拆成几个文件"],
  [/reading it took more than (\d+) s.*/, "读取超过 $1 秒，请拆成几个文件"],
];
const PLACE = [[/\bsheet (.+), row (\d+)/, "工作表 $1 第 $2 行"], [/\bline (\d+)/, "第 $1 行"], [/\bentry (\d+)/, "第 $1 条"], [/\bquestion\b/, "问题"], [/\banswer\b/, "答案"]];

function inChinese(line) {
  const said = SAID.find(([pattern]) => pattern.test(line));
  const words = said ? line.replace(...said) : line;
  return PLACE.reduce((text, [pattern, name]) => text.replace(pattern, name), words);
}

function places(title, lines) {
  return lines.length ? [h("h3", {}, `${title} ${lines.length}${lines.length === 100 ? "（只列出前 100 处）" : ""}`), h("ul.places", {}, lines.map((line) => h("li", {}, inChinese(line))))] : [];
}

function show(found, done) {
  const counts = [["新增", found.new], ["更改", found.changed], ["不变", found.unchanged], ["删除", found.removed]];
  const left = found.left ? h("p.muted", {}, `以前从这个文件导入、现在文件里没有的还有 ${found.left} 条，保留不动。`) : null;
  report.replaceChildren(
    h("p", {}, h("b", {}, done ? "已导入：" : "将会："), counts.map(([words, count]) => `${words} ${count} 条`).join("，")), left ?? "",
    ...places("请核对", found.notes), ...places("答案只取了开头", found.shortened),
    found.changes.length ? h("details", {}, h("summary", {}, done ? "改动的条目" : "将要改动的条目"), h("ul.places", {}, found.changes.map((change) =>
      h("li", {}, h(`span.badge.${WHAT[change.what][1]}`, {}, WHAT[change.what][0]), ` ${change.question || change.id}`)))) : "");
  report.hidden = false;
  carryOut.hidden = done || found.new + found.changed + found.removed === 0;
  if (!carryOut.hidden) carryOut.focus();
}

async function send(dryRun) {
  const file = form.elements.file.files[0];
  if (!file) return null;
  const query = new URLSearchParams({ name: file.name, scope: form.elements.replace.checked ? "replace" : "add", dry_run: String(dryRun) });
  error.textContent = "";
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  try {
    const found = await api(`/api/v1/kb/import?${query}`, { method: "POST", file });
    show(found, !dryRun);
    return found;
  } catch (problem) {
    if (!(problem instanceof ApiError) && !(problem instanceof TypeError)) throw problem;
    report.hidden = carryOut.hidden = true;
    const words = { 409: "知识库刚被别人修改，请重新查看报告。", 413: "文件超过 20 MB，请拆开导入。", 422: `文件有问题，没有导入。${inChinese(problem.message)}` };
    error.textContent = words[problem.status] ?? "没有成功，请稍后再试。";
    return null;
  } finally {
    for (const button of form.querySelectorAll("button")) button.disabled = false;
  }
}

export function bindImport(changed) {
  form.addEventListener("submit", (event) => { event.preventDefault(); send(true); });
  form.addEventListener("change", () => { report.hidden = carryOut.hidden = true; error.textContent = ""; });
  carryOut.addEventListener("click", async () => {
    if (await send(false)) {
      form.reset();
      changed();
    }
  });
}
