// What stands beside the transcript: the transfer with its summary, the work order, the call's facts.
import { api, dateTime, h } from "./common.js";

export const REASON = {
  low_confidence: "把握不足",
  caller_asked: "来电人要求转人工",
  emergency: "紧急情况",
  failure: "系统故障",
  no_input: "来电人一直未说话",
};
const TRANSFER_OUTCOME = {
  "": ["正在转接", "live"],
  connected: ["已接通坐席", "good"],
  no_seat: ["无空闲坐席", "bad"],
  declined: ["坐席拒接", "bad"],
  no_answer: ["坐席未应答", "bad"],
  busy: ["坐席忙", "bad"],
  unreachable: ["线路不通", "bad"],
  caller_gone: ["来电人已挂机", "quiet"],
};
const STATUS = { filed: "已登记", accepted: "已受理", in_progress: "处理中", resolved: "已办结", closed: "已关闭" };
const URGENCY = { normal: "一般", urgent: "紧急", emergency: "特急" };
const SLOT = {
  name: "姓名", contact: "联系方式", phone: "联系方式", place: "地点", time: "时间", matter: "事项", request: "诉求",
};

function fields(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value.length !== 0);
  return h("dl", {}, shown.flatMap(([name, value]) => [
    h("dt", {}, name),
    h("dd", {}, Array.isArray(value) ? h("ul", {}, value.map((line) => h("li", {}, line))) : value),
  ]));
}

export function fillTransfer(transfer) {
  const card = document.getElementById("transfer");
  card.hidden = !transfer;
  if (!transfer) return;
  const [words, tone] = TRANSFER_OUTCOME[transfer.outcome] ?? [transfer.outcome, "quiet"];
  const summary = transfer.summary;
  card.replaceChildren(
    h("h2", {}, "转人工", h(`span.badge.${tone}`, {}, words)),
    fields([["原因", REASON[transfer.reason] ?? transfer.reason], ["坐席", transfer.seat]]),
    h("h3", {}, "转接摘要"),
    fields([
      ["来电人", summary.caller],
      ["诉求", summary.request],
      ["地点", summary.place],
      ["时间", summary.time],
      ["类别", summary.category],
      ["承办部门", summary.department],
      ["已答复", summary.answered],
      ["待解决", summary.open_points],
      ["情绪", summary.mood],
    ]));
}

export async function fillTicket(number) {
  const card = document.getElementById("ticket");
  card.hidden = !number;
  if (!number) return;
  const ticket = await api(`/api/v1/tickets/${encodeURIComponent(number)}`);
  card.replaceChildren(
    h("h2", {}, "工单", h("span.badge.info", {}, STATUS[ticket.status] ?? ticket.status)),
    h("p.ticket-number", {}, ticket.id),
    fields([
      ["标题", ticket.title],
      ["类别", ticket.category],
      ["承办部门", ticket.department],
      ["紧急程度", URGENCY[ticket.urgency] ?? ticket.urgency],
      ...Object.entries(ticket.slots).map(([name, value]) => [SLOT[name] ?? name, value]),
      ["内容", ticket.text],
      ["登记时间", dateTime(ticket.created_at)],
    ]));
}

// One leg's audio in a line of words; what the other side lost is told only where it reports at all.
function lineWords(line) {
  const share = (lost, all) => (all ? `${((100 * lost) / all).toFixed(1)}%` : "—");
  const words = [`来话丢包 ${share(line.lost_packets, line.received_packets + line.lost_packets)}`, `抖动 ${Math.round(line.jitter_ms)} 毫秒`];
  if (line.round_trip_ms !== null) {
    words.push(`去话丢包 ${share(line.remote_lost_packets, line.sent_packets)}`, `往返 ${Math.round(line.round_trip_ms)} 毫秒`);
  }
  return [line.codec, ...words].filter(Boolean).join("，");
}

const legs = (call, leg) => call.line.filter((line) => line.leg === leg).map(lineWords);

export function fillFacts(call) {
  const gaps = call.turns.map((turn) => turn.response_gap_ms).filter((ms) => ms !== null).sort((a, b) => a - b);
  const median = gaps.length ? `${Math.round(gaps[Math.floor((gaps.length - 1) / 2)])} 毫秒（最长 ${Math.round(gaps.at(-1))} 毫秒）` : "";
  document.getElementById("facts").replaceChildren(
    h("h2", {}, "通话信息"),
    fields([
      ["来电号码", call.caller || "未显示号码"],
      ["被叫号码", call.callee],
      ["来电时间", dateTime(call.started_at)],
      ["接听时间", dateTime(call.answered_at)],
      ["结束时间", call.ended_at ? dateTime(call.ended_at) : "通话中"],
      ["响应间隔", median],
      ["来电线路", legs(call, "caller")],
      ["坐席线路", legs(call, "seat")],
      ["打断次数", String(call.turns.filter((turn) => turn.interrupted).length)],
      ["通话编号", h("code", {}, call.id)],
      ["节点", call.node],
    ]));
}
