// The call's recording on the seat's page: as far as it goes while the call runs, heard from any turn on.
const audio = document.getElementById("audio");
const said = document.getElementById("audio-said");
const button = document.getElementById("play");
let call = null;
let held = "";  // the call whose audio is loaded; "" for none

function forget() {
  audio.pause();
  if (audio.src.startsWith("blob:")) URL.revokeObjectURL(audio.src);
  audio.removeAttribute("src");
  audio.load();
  audio.hidden = true;
  held = "";
}

const WHY = { 403: "没有收听这通录音的权限。", 404: "录音不在这台机器上。" };

// A recording that still grows is taken whole, as it is now: a browser would stumble over its changing length.
async function fetchAudio() {
  const { id, recording } = call;
  said.textContent = "正在载入…";
  try {
    const response = await fetch(recording, { credentials: "same-origin" });
    const sound = response.ok ? await response.blob() : null;
    if (call?.id !== id) return false;
    said.textContent = sound ? "" : WHY[response.status] ?? "录音暂时不能收听。";
    if (!sound) return false;
    forget();
    audio.src = URL.createObjectURL(sound);
    audio.hidden = false;
    held = id;
    return await new Promise((resolve) => {
      audio.addEventListener("loadedmetadata", () => resolve(true), { once: true });
      audio.addEventListener("error", () => resolve(false), { once: true });
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    said.textContent = "连接中断，录音没有载入。";
    return false;
  }
}

// Hear the call from `seconds` after its answer on; what was said since it was loaded is loaded, too.
export async function hear(seconds) {
  if (!call?.recording) return;
  const enough = held === call.id && seconds < audio.duration - 0.5;
  if (!enough && !(await fetchAudio())) return;
  audio.currentTime = Math.min(seconds, Math.max(0, audio.duration - 1));
  await audio.play().catch((error) => { if (error.name !== "AbortError") throw error; });  // paused at once
}

export function toggleAudio() {
  if (!audio.paused) audio.pause();
  else hear(held === call?.id && !audio.ended ? audio.currentTime : 0);
}

export function showAudio(shown) {
  if (shown?.id !== call?.id) {
    forget();
    said.textContent = "";
  }
  call = shown;
  button.hidden = !call?.recording;
}

button.addEventListener("click", toggleAudio);
for (const name of ["play", "pause"]) {
  audio.addEventListener(name, () => { button.firstChild.data = audio.paused ? "听录音 " : "暂停 "; });
}
