// The recording, the lanes that show who spoke when, and the turn being heard.
import { h, lengthOf, minutes } from "./common.js";

const audio = document.getElementById("audio");
const lanes = document.getElementById("lanes");
const playhead = document.getElementById("playhead");
const playButton = document.getElementById("play");

export class Player {
  constructor(allowed) {
    this.allowed = allowed;  // seats may read, not listen
    this.turns = [];
    this.seconds = 0;
    this.source = null;
    this.marked = -1;
    playButton.addEventListener("click", () => this.toggle());
    document.getElementById("rate").addEventListener("change", (event) => { audio.playbackRate = Number(event.target.value); });
    document.getElementById("reload").addEventListener("click", () => this.loadRunning());
    lanes.addEventListener("click", (event) => {
      const box = lanes.getBoundingClientRect();
      this.seek(((event.clientX - box.left) / box.width) * this.seconds);
    });
    for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, () => this.playing());
    for (const name of ["timeupdate", "seeked"]) audio.addEventListener(name, () => this.step());
    audio.addEventListener("loadedmetadata", () => this.draw());
    audio.addEventListener("error", () => this.without("录音无法播放。"));
    addEventListener("pagehide", () => audio.pause());
    document.addEventListener("keydown", (event) => {
      if (event.key !== " " || event.target.closest("button, select, input, a")) return;
      event.preventDefault();
      this.toggle();
    });
  }

  show(call) {
    this.turns = call.turns;
    this.call = call;
    if (!this.allowed) this.without("您的账号可以查看文字记录，没有收听录音的权限。");
    else if (!call.recording) this.without("这通电话没有录音。");
    else if (!call.ended_at) document.getElementById("reload").hidden = false;
    else if (this.source !== call.recording) this.open(call.recording, call.recording);
    this.draw();
    this.step();
  }

  open(source, address) {
    this.source = source;
    audio.src = address;
    audio.playbackRate = Number(document.getElementById("rate").value);
    document.getElementById("download").href = source;
    document.getElementById("reload").hidden = Boolean(this.call.ended_at);
    playButton.disabled = false;
  }

  // A recording that still grows is taken as it is now, whole: a browser would stumble over its changing length.
  async loadRunning() {
    const at = audio.currentTime;
    const response = await fetch(this.call.recording);
    if (!response.ok) {
      this.without("录音暂时无法载入，请稍后再试。");
      return;
    }
    if (audio.src.startsWith("blob:")) URL.revokeObjectURL(audio.src);
    this.open(`${this.call.recording}`, URL.createObjectURL(await response.blob()));
    this.source = null;  // once the call has ended, the whole recording is opened
    audio.currentTime = at;
  }

  without(words) {
    const note = document.getElementById("no-audio");
    note.textContent = words;
    note.hidden = false;
    document.getElementById("player").classList.add("silent");
    document.getElementById("hint").hidden = true;
    playButton.disabled = true;
  }

  async toggle() {
    if (!audio.paused) audio.pause();
    else if (await this.holds(audio.currentTime)) audio.play();
  }

  // Hear a turn from its beginning.
  async hear(turn) {
    if (!(await this.holds(turn.started_s))) return;
    this.seek(turn.started_s);
    audio.play();
  }

  // Have audio that reaches this far, in a running call by loading what there is by now.
  async holds(seconds) {
    if (!this.allowed || !this.call.recording) return false;
    const loaded = Boolean(audio.getAttribute("src"));
    if (!this.call.ended_at && (!loaded || seconds >= audio.duration - 0.5)) await this.loadRunning();
    return Boolean(audio.getAttribute("src"));
  }

  seek(seconds) {
    if (audio.getAttribute("src")) audio.currentTime = Math.max(0, seconds);
  }

  playing() {
    playButton.classList.toggle("on", !audio.paused);
    playButton.setAttribute("aria-label", audio.paused ? "播放" : "暂停");
    const glide = () => {
      if (audio.paused) return;
      this.movePlayhead();
      requestAnimationFrame(glide);
    };
    glide();
    this.step();
  }

  movePlayhead() {
    playhead.style.left = `${this.seconds ? Math.min(100, (audio.currentTime / this.seconds) * 100) : 0}%`;
  }

  // Mark the turn being heard: the last one begun, as a barge-in begins before the other has ended.
  step() {
    document.getElementById("now").textContent = minutes(audio.currentTime);
    this.movePlayhead();
    const started = audio.currentTime > 0 || !audio.paused;
    const index = started ? this.turns.findLastIndex((turn) => turn.started_s <= audio.currentTime + 0.05) : -1;
    const items = document.querySelectorAll("#turns .turn");
    for (const item of items) {
      const heard = Number(item.dataset.index) === index;
      item.classList.toggle("heard", heard);
      if (heard) item.setAttribute("aria-current", "true");
      else item.removeAttribute("aria-current");
      if (heard && this.marked !== index && !audio.paused) item.scrollIntoView({ block: "nearest", behavior: "smooth" });
    }
    this.marked = index;
  }

  draw() {
    const lastTurn = Math.max(0, ...this.turns.map((turn) => turn.ended_s ?? turn.started_s));
    const heard = Number.isFinite(audio.duration) ? audio.duration : 0;
    this.seconds = Math.max(heard || lengthOf(this.call), lastTurn, 1);
    document.getElementById("length").textContent = minutes(heard || this.seconds);
    const place = (element, from, to) => {
      element.style.left = `${(from / this.seconds) * 100}%`;
      if (to !== undefined) element.style.width = `${Math.max(0.3, ((to - from) / this.seconds) * 100)}%`;
      return element;
    };
    const blocks = this.turns.map((turn) =>
      place(h(`i.block.${turn.who}`, { title: turn.text }), turn.started_s, turn.ended_s ?? turn.started_s + 0.5));
    const marks = this.call.events.map((event) => place(h("i.mark"), event.at_s));
    lanes.replaceChildren(h("div.lane"), h("div.lane"), ...blocks, ...marks, playhead);
    this.movePlayhead();
  }
}
