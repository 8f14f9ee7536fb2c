"""Finds, checks and loads Vosk models; a loaded model is shared by all calls of the process."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr import ModelError

BUILTIN = Path(__file__).parent / "builtin" / "model"
BUILTIN_CHECKSUM = BUILTIN.with_name("model.blake2b")  # of the model as it was proved when it was made
BUILTIN_WARNING = (
    "built-in recogniser: synthetic voices only; for people run `hotline models get vosk-small-cn`"
)

_PROBE_TIMEOUT_S = 180.0  # the big official model takes half a minute from a slow disk
_VERDICT_FILE = ".checked.json"
_REMEDY = 'use asr.model = "builtin", a folder with a Vosk model, or `hotline models get vosk-small-cn`'

_lock = threading.Lock()
_loaded: dict[Path, VoskModel] = {}


@dataclass(frozen=True, slots=True)
class VoskModel:
    """A model in memory: Vosk's own handle and the sample rate (Hz) it was trained for.

    With a `dynamic_graph` the words that can be heard may be chosen anew for each decoder.
    """

    path: Path
    sample_rate: int
    handle: Any
    dynamic_graph: bool

    def knows(self, word: str) -> bool:
        """Whether `word` is in the model's vocabulary."""
        return bool(self.handle.vosk_model_find_word(word) >= 0)


def load_model(path: Path) -> VoskModel:
    """Load the model in the folder `path` once per process; later calls share it.

    Blocks for as long as loading takes (0.5 s for the built-in one, half a minute for the biggest).
    Raises ModelError when the folder is not a whole, sound Vosk model.
    """
    folder = path.expanduser().resolve()
    with _lock:
        if folder not in _loaded:
            _loaded[folder] = _load(folder)
        return _loaded[folder]


def check_model(path: Path) -> int:
    """The sample rate (Hz) of the model in the folder `path`, after proving that it loads.

    Raises ModelError with one line that names the folder, what is wrong and what would be right.
    """
    folder = path.expanduser().resolve()
    _require_files(folder)
    sample_rate = _sample_rate(folder)
    fingerprint = _fingerprint(folder)
    if not _proved_before(folder, fingerprint):
        _probe(folder, sample_rate)
        _remember(folder, fingerprint)
    return sample_rate


def checksum(folder: Path) -> str:
    """BLAKE2b of the names and contents of all files in `folder`."""
    found = hashlib.blake2b(digest_size=32)
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        found.update(f"{file.relative_to(folder).as_posix()}\0{file.stat().st_size}\0".encode())
        found.update(file.read_bytes())
    return found.hexdigest()


def _load(folder: Path) -> VoskModel:
    import vosk  # not before: with all that it brings this takes a tenth of a second

    sample_rate = check_model(folder)
    vosk.SetLogLevel(-2)  # Kaldi's errors only: its warnings are of no use to operators, and many
    try:
        handle = vosk.Model(str(folder))
    except Exception as error:  # vosk raises bare Exception
        raise ModelError(f"{folder}: Vosk cannot load this model ({error}); {_REMEDY}") from error
    return VoskModel(folder, sample_rate, handle, not (_graph(folder) / "HCLG.fst").is_file())


def _require_files(folder: Path) -> None:
    """Vosk's two folder layouts; a message from us beats a line of Kaldi's on stderr."""
    if not folder.is_dir():
        raise ModelError(f"{folder}: no such model folder; {_REMEDY}")
    graph = _graph(folder)
    if graph == folder:
        needed = [folder / "final.mdl", folder / "mfcc.conf"]
    else:
        needed = [folder / "am/final.mdl", folder / "conf/mfcc.conf"]
    if not (graph / "HCLG.fst").is_file():
        needed += [graph / "HCLr.fst", graph / "Gr.fst", graph / "disambig_tid.int"]
    if not (graph / "Gr.fst").is_file():  # a look-ahead graph carries its words in Gr.fst
        needed.append(graph / "words.txt")
    missing = [str(file.relative_to(folder)) for file in needed if not file.is_file()]
    if missing:
        raise ModelError(f"{folder}: not a Vosk model, {', '.join(missing)} missing; {_REMEDY}")


def _graph(folder: Path) -> Path:
    """Where the graph lies: in new models beside `am`, in old ones all is in one folder."""
    return folder / "graph" if (folder / "am" / "final.mdl").is_file() else folder


def _sample_rate(folder: Path) -> int:
    conf = folder / "conf" / "mfcc.conf"
    text = (conf if conf.is_file() else folder / "mfcc.conf").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"--sample-frequency=(\d+)", text)
    return int(found.group(1)) if found else 16000  # Kaldi's default


def _fingerprint(folder: Path) -> dict[str, list[int]]:
    """Size and time of every file of the model: what changes when somebody changes it."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != _VERDICT_FILE)
    stats = ((str(file.relative_to(folder)), file.stat()) for file in files)
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats}


def _proved_before(folder: Path, fingerprint: dict[str, list[int]]) -> bool:
    try:
        if folder == BUILTIN.resolve():  # to read it takes a tenth of the time that proving it again takes
            return BUILTIN_CHECKSUM.read_text(encoding="ascii").strip() == checksum(folder)
        return bool(json.loads((folder / _VERDICT_FILE).read_text(encoding="utf-8")) == fingerprint)
    except (OSError, ValueError):
        return False


def _remember(folder: Path, fingerprint: dict[str, list[int]]) -> None:
    if folder == BUILTIN.resolve():  # part of the program: nothing is written there
        return
    with contextlib.suppress(OSError):  # a read-only folder only means proving it again next time
        (folder / _VERDICT_FILE).write_text(json.dumps(fingerprint), encoding="utf-8")


def _probe(folder: Path, sample_rate: int) -> None:
    command = [sys.executable, "-m", "asr.vosk_probe", str(folder), str(sample_rate)]
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"{folder}: loading the model took over {_PROBE_TIMEOUT_S:.0f} s; {_REMEDY}"
        ) from error
    if done.returncode:
        raise ModelError(f"{folder}: corrupt or unsuitable model ({_reason(done)}); {_REMEDY}")


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return "the engine crashed while loading it"
    complaints = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    if not complaints:
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return re.sub(r"^ERROR[^)]*\)?(?:[^)]*\))?:?\s*", "", complaints[0])[:200] or complaints[0][:200]
