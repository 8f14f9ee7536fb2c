"""Recordings with what is said in them, from the layouts that people keep them in."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hotline.character_errors import compared
from hotline.errors import UsageError
from hotline.speech import SAMPLE_RATE, read_wav

LAYOUTS = (
    "a folder (manifest.jsonl, Kaldi's text, transcripts.txt, or x.txt beside each x.wav) or a .jsonl file"
)
# Why something is left out; whatever else is said comes from reading the file.
NO_TEXT = "it has no text"
TEXT_NO_STRING = "its text is not a string"
NOTHING_TO_COMPARE = "its text holds nothing to compare"
NO_FILE_NAMED = "it names no file: key file, audio or wav"
NO_RECORDING = "no such recording"
SEVERAL_RECORDINGS = "several recordings of this name"
NO_AUDIO = "no audio in it"

_FILE_KEYS = ("file", "audio", "wav")
_TEXT_KEYS = ("text", "transcript", "sentence")


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording that can be read and the text to compare with; `name` is short and can be printed."""

    file: Path
    name: str
    text: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Entry:
    file: Path
    text: str


_Found: TypeAlias = "_Entry | Skipped"


def load_clips(data: Path, limit: int | None = None) -> tuple[list[Clip], list[Skipped]]:
    """The first `limit` clips that can be measured on, in the order of their list or by name.

    Raises UsageError when `data` is nothing of the kind, its list cannot be read, or nothing is left.
    """
    clips: list[Clip] = []
    skipped: list[Skipped] = []
    for found in _entries(data):
        read = _clip(found, data) if isinstance(found, _Entry) else found
        if isinstance(read, Clip):
            clips.append(read)
        else:
            skipped.append(read)
        if len(clips) == limit:
            break
    if not clips:
        first = (
            f"{len(skipped)} are skipped, the first, {skipped[0].name}: {skipped[0].reason}"
            if skipped
            else ""
        )
        raise UsageError(f"{_printable(data)}: no recording with a text in it; {first or f'give {LAYOUTS}'}")
    return clips, skipped


def _clip(entry: _Entry, data: Path) -> Clip | Skipped:
    name = _name(entry.file, data)
    if not compared(entry.text):
        return Skipped(name, NOTHING_TO_COMPARE)
    if not entry.file.is_file():
        return Skipped(name, NO_RECORDING)
    try:
        pcm = read_wav(entry.file)
    except UsageError as error:
        return Skipped(name, str(error).removeprefix(f"{entry.file}: "))
    if not pcm:
        return Skipped(name, NO_AUDIO)
    return Clip(entry.file, name, _unbroken(entry.text), len(pcm) / 2 / SAMPLE_RATE)


def _entries(data: Path) -> Iterator[_Found]:
    if data.is_dir():
        if (data / "manifest.jsonl").is_file():
            return _from_jsonl(data / "manifest.jsonl")
        for name in ("text", "transcripts.txt"):
            if (data / name).is_file():
                return _from_kaldi(data, data / name)
        return _from_pairs(data)
    if not data.exists():
        raise UsageError(f"{_printable(data)}: no such file or folder; give {LAYOUTS}")
    if data.suffix.lower() != ".jsonl":
        raise UsageError(f"{_printable(data)}: no list of recordings; give {LAYOUTS}")
    return _from_jsonl(data)


def _from_jsonl(listing: Path) -> Iterator[_Found]:
    """One {"file": …, "text": …} a line; paths are relative to the list."""
    for number, line in enumerate(_text_of(listing).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{_printable(listing)} line {number}"
        try:
            item = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{where}: not JSON ({error})") from error
        if not isinstance(item, dict):
            raise UsageError(f'{where}: not an object such as {{"file": "a.wav", "text": "您好"}}')
        file = next((item[key] for key in _FILE_KEYS if item.get(key)), None)
        text = next((item[key] for key in _TEXT_KEYS if item.get(key) is not None), None)
        if not isinstance(file, str):
            yield Skipped(f"{listing.name} line {number}", NO_FILE_NAMED)
        elif text is None:
            yield Skipped(_name(listing.parent / file, listing), NO_TEXT)
        elif not isinstance(text, str):
            yield Skipped(_name(listing.parent / file, listing), TEXT_NO_STRING)
        else:
            yield _Entry(listing.parent / file, text)


def _from_kaldi(folder: Path, listing: Path) -> Iterator[_Found]:
    """A name and its text a line; recordings by wav.scp, or of that name anywhere in the folder."""
    by_name: dict[str, list[Path]] = defaultdict(list)
    if (folder / "wav.scp").is_file():
        for name, path in _named_lines(folder / "wav.scp"):
            by_name[name].append(folder / path)
    else:
        for file in _wavs(folder):
            by_name[file.stem].append(file)
    for name, text in _named_lines(listing):
        files = by_name.pop(name.removesuffix(".wav"), []) or by_name.pop(name, [])
        if len(files) == 1:
            yield _Entry(files[0], text)
        else:
            yield Skipped(_unbroken(name), SEVERAL_RECORDINGS if files else NO_RECORDING)
    for files in by_name.values():
        yield from (Skipped(_name(file, folder), NO_TEXT) for file in files)


def _from_pairs(folder: Path) -> Iterator[_Found]:
    """x.wav with x.txt beside it, anywhere in the folder."""
    for file in _wavs(folder):
        beside = file.with_suffix(".txt")
        try:
            found = _Entry(file, _text_of(beside)) if beside.is_file() else None
            yield found or Skipped(_name(file, folder), NO_TEXT)
        except UsageError as error:
            yield Skipped(_name(file, folder), str(error))


def _named_lines(listing: Path) -> Iterator[tuple[str, str]]:
    for line in _text_of(listing).splitlines():
        name, _, rest = line.strip().replace("\t", " ").partition(" ")
        if name:
            yield name, rest.strip()


def _wavs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".wav" and path.is_file())


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{_printable(file)}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{_printable(file)}: not UTF-8 text; convert it: iconv -f GB18030 -t UTF-8 OLD > NEW"
        ) from error


def _name(file: Path, data: Path) -> str:
    base = data if data.is_dir() else data.parent
    return _printable(file.relative_to(base) if file.is_relative_to(base) else file)


def _printable(path: Path) -> str:
    return _unbroken(str(path))


def _unbroken(text: str) -> str:
    """One line that any terminal and file takes: JSON may hold halves of characters."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
