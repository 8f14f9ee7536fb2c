"""Downloads speech models from their publishers: resumed, checked, unpacked safely, put in place whole."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import rich.progress
from rich.table import Table

from asr import ModelError
from asr.catalog import KNOWN, KnownModel
from asr.vosk_model import BUILTIN, check_model
from hotline.console import err, out
from hotline.errors import HotlineError, UsageError
from hotline.sections import AsrSettings

SOURCE_FILE = "source.json"  # beside the model: where it came from and what its checksum was
Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0: not known)

_ATTEMPTS = 5
_TIMEOUT = httpx.Timeout(30.0, connect=15.0)
_UNPACKED_TIMES = 20  # a zip that grows by more than this is no model


class _Interrupted(Exception):
    """The transfer broke off; what has come so far is kept."""


def get_model(
    model: KnownModel,
    models_dir: Path,
    progress: Progress,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> Path:
    """Download `model` into models_dir/NAME and return that folder; at once if it is there already.

    A transfer that breaks off is resumed, in this run or the next; `pause` waits between attempts (seconds).
    Raises HotlineError.
    """
    target = models_dir / model.name
    if (target / SOURCE_FILE).is_file():
        return target
    if target.exists():
        raise UsageError(
            f"{target} is in the way and did not come from `hotline models get`; move it elsewhere"
        )
    work = models_dir / ".download"
    try:
        work.mkdir(parents=True, exist_ok=True)
        with _alone(work / f"{model.name}.lock"):
            archive = work / f"{model.name}.zip.part"
            _download(model, archive, progress, pause)
            checksum = _check(model, archive)
            _unpack(model, archive, work / model.name, checksum)
            os.replace(work / model.name, target)
            archive.unlink()
    except OSError as error:
        raise HotlineError(f"{error.filename or models_dir}: {error.strerror or error}") from error
    return target


def source_of(folder: Path) -> dict[str, str]:
    """Where a downloaded model came from ("url", "sha256"); empty for one put there by hand."""
    try:
        found: dict[str, str] = json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HotlineError("another `hotline models get` is downloading this model") from None
        yield


def _download(model: KnownModel, archive: Path, progress: Progress, pause: Callable[[float], None]) -> None:
    host = urlsplit(model.url).hostname
    for attempt in range(1, _ATTEMPTS + 1):
        before = archive.stat().st_size if archive.exists() else 0
        try:
            _transfer(model, archive, progress)
            return
        except (httpx.TransportError, _Interrupted) as error:
            moved = archive.exists() and archive.stat().st_size > before
            if attempt == _ATTEMPTS or (isinstance(error, httpx.ConnectError) and not moved):
                raise HotlineError(
                    f"cannot download from {host} ({error}); check the network and run the command again:"
                    f" it goes on where it stopped. Or unzip {model.url} and set asr.model to the folder"
                ) from error
            pause(min(2.0**attempt, 20))


def _transfer(model: KnownModel, archive: Path, progress: Progress) -> None:
    """One request, for what is missing."""
    have = archive.stat().st_size if archive.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with httpx.stream("GET", model.url, headers=headers, timeout=_TIMEOUT, follow_redirects=True) as reply:
        if reply.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if reply.headers.get("content-range", "").rpartition("/")[2] == str(have):
                return  # it was whole already
            archive.unlink()
            raise _Interrupted("the server has another file than the one begun")
        if reply.status_code == httpx.codes.OK:
            have = 0  # no ranges here, or a fresh start
        elif reply.status_code != httpx.codes.PARTIAL_CONTENT:
            raise _refused(model, reply.status_code)
        elif reply.headers.get("content-range", "").startswith(f"bytes {have}-") is False:
            archive.unlink(missing_ok=True)
            raise _Interrupted("the server sent another part than was asked for")
        length = int(reply.headers.get("content-length", 0))
        total = have + length if length else model.size_bytes
        _room_for(archive, 3 * (total - have))
        with archive.open("ab" if have else "wb") as file:
            for block in reply.iter_raw(1 << 18):
                file.write(block)
                have += len(block)
                progress(have, total)
    if total and have < total:
        raise _Interrupted(f"the connection ended after {have} of {total} bytes")


def _refused(model: KnownModel, status: int) -> Exception:
    if status >= 500 or status == httpx.codes.TOO_MANY_REQUESTS:
        return _Interrupted(f"the server answers {status}")
    return HotlineError(f"{model.url}: the server answers {status}; the publisher may have moved the model")


def _room_for(archive: Path, needed: int) -> None:
    free = shutil.disk_usage(archive.parent).free
    if free < needed:
        raise HotlineError(
            f"{archive.parent}: {needed >> 20} MB are needed and {free >> 20} MB are free; make room first"
        )


def _check(model: KnownModel, archive: Path) -> str:
    """The archive's SHA-256, after comparing it with the one known, if one is."""
    digest = hashlib.sha256()
    with archive.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    found = digest.hexdigest()
    if model.sha256 and found != model.sha256:
        archive.unlink()
        raise HotlineError(
            f"{model.url}: wrong checksum (sha256 {found}, expected {model.sha256}); the download was thrown"
            " away, run the command again"
        )
    return found


def _unpack(model: KnownModel, archive: Path, folder: Path, checksum: str) -> None:
    """Unzip the model into `folder`, prove that it loads, and note where it came from."""
    raw = folder.with_name(f"{folder.name}.unzipped")
    for stale in (raw, folder):
        shutil.rmtree(stale, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as contents:
            _refuse_tricks(model, contents, archive.stat().st_size)
            contents.extractall(raw)  # checks every member's CRC
        check_model(raw / model.folder)
    except (zipfile.BadZipFile, EOFError, ModelError) as error:
        archive.unlink()
        shutil.rmtree(raw, ignore_errors=True)
        raise HotlineError(f"{model.url}: not a sound model archive ({error})") from error
    os.replace(raw / model.folder, folder)
    shutil.rmtree(raw)
    note = {"url": model.url, "sha256": checksum, "verified": "checksum" if model.sha256 else "contents"}
    (folder / SOURCE_FILE).write_text(json.dumps(note, indent=1), encoding="utf-8")


def _refuse_tricks(model: KnownModel, contents: zipfile.ZipFile, size: int) -> None:
    for name in contents.namelist():
        parts = name.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or parts[0] != model.folder:
            raise zipfile.BadZipFile(f"it holds {name!r}, outside of {model.folder}/")
    if sum(item.file_size for item in contents.infolist()) > _UNPACKED_TIMES * size:
        raise zipfile.BadZipFile(f"it unpacks to over {_UNPACKED_TIMES} times its size")


def get_with_progress(name: str, models_dir: Path) -> Path:
    """Download the known model `name`, showing a progress bar on stderr. Raises HotlineError."""
    model = KNOWN.get(name)
    if model is None:
        raise UsageError(f"no model {name!r} is known; there are {', '.join(KNOWN)}")
    bar = rich.progress.Progress(
        "{task.description}",
        rich.progress.BarColumn(),
        rich.progress.DownloadColumn(),
        rich.progress.TransferSpeedColumn(),
        rich.progress.TimeRemainingColumn(),
        console=err,
    )
    with bar:
        task = bar.add_task(model.name, total=model.size_bytes or None)
        return get_model(
            model, models_dir, lambda done, total: bar.update(task, completed=done, total=total or None)
        )


def print_models(settings: AsrSettings) -> None:
    """List the known models, which of them are here, and which one is set."""
    table = Table("", "model", "size", "here", "about", box=None, pad_edge=False)
    size_mb = sum(file.stat().st_size for file in BUILTIN.rglob("*") if file.is_file()) / 1e6
    about = "in the program; synthetic voices only, useless for people"
    rows = [("builtin", f"{size_mb:.0f} MB", "yes", about)]
    for model in KNOWN.values():
        here = "yes" if (settings.models_dir / model.name).is_dir() else "no"
        rows.append((model.name, model.size_text, here, model.about))
    for name, size, here, about in rows:
        chosen = "vosk" in settings.engine and name == settings.model
        table.add_row("*" if chosen else "", name, size, here, about)
    for folder, key in _folders(settings).items():
        table.add_row("*", folder, "", "yes" if Path(folder).expanduser().is_dir() else "no", f"set in {key}")
    out.print(table)


def _folders(settings: AsrSettings) -> dict[str, str]:
    """The models in use that nobody offers here, with the keys that name them."""
    folders = {}
    if "vosk" in settings.engine and settings.model not in {"builtin", *KNOWN}:
        folders[settings.model] = "asr.model"
    if {"funasr", "funasr-onnx"} & set(settings.engine):
        for key in ("funasr_streaming", "funasr_offline", "funasr_punctuation"):
            if folder := getattr(settings, key):
                folders[folder] = f"asr.{key}"
    return folders
