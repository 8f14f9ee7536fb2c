// The line that tells a seat what has just happened, or why something did not work.
const HAPPENED = {
  seat_answered: "电话已接起", seat_accepted: "已接受，正在接通来电人", bridged: "已与来电人接通",
  seat_held: "来电人正在听等待音乐", seat_resumed: "已恢复通话", sent_on: "正在转给其他坐席", handed_back: "已转回智能助手",
  unbridged: "与来电人的通话已结束", call_ended: "通话已结束", seat_failed: "电话没有接通", seat_declined: "已拒接", seat_no_answer: "电话没有确认接听",
};
const FAILED = { busy: "对方忙", declined: "对方拒接", no_answer: "无人应答", unreachable: "线路不通", failed: "线路不通", telephone_holds: "请先在话机上恢复通话" };
const line = document.getElementById("notice");

export function notice(words, tone = "") {
  line.textContent = words;
  line.className = `notice ${tone}`;
  line.hidden = !words;
}

// Say what an event of the call means to the seat, where it means anything.
export function tell(event) {
  const { detail = {} } = event;
  if (event.kind === "third_party") notice(detail.joined ? "第三方已加入通话" : "第三方已离开通话");
  else if (event.kind === "command_failed") notice(`没有成功：${FAILED[detail.outcome] ?? "线路不通"}`, "bad");
  else if (HAPPENED[event.kind]) notice(HAPPENED[event.kind]);
}
