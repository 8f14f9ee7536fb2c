"""The speech models the program knows by name, and where they are on this machine."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from asr import ModelError
from asr.vosk_model import BUILTIN


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model its publisher offers for download as one zip holding the folder `folder`.

    `sha256` is "" where no checksum is known beforehand: the zip's own CRCs and its contents are checked
    instead, and the checksum found is written down beside the model.
    """

    name: str
    folder: str
    url: str
    size_bytes: int  # 0: not known exactly
    size_text: str
    sha256: str
    about: str


_PUBLISHER = "https://alphacephei.com/vosk/models"

KNOWN = {
    model.name: model
    for model in (
        KnownModel(
            name="vosk-small-cn",
            folder="vosk-model-small-cn-0.22",
            url=f"{_PUBLISHER}/vosk-model-small-cn-0.22.zip",
            size_bytes=43_898_754,
            size_text="42 MB",
            sha256="3af8b0e7e0f835ae9d414ce5df580237a3cfb08d586c9fbbb0f7ff29ad5b14ba",
            about="small Mandarin model for people's voices; light, 23-38 % character errors on hard speech",
        ),
        KnownModel(
            name="vosk-cn",
            folder="vosk-model-cn-0.22",
            url=f"{_PUBLISHER}/vosk-model-cn-0.22.zip",
            size_bytes=0,
            size_text="1.3 GB",
            sha256="",
            about="large Mandarin model for people's voices; needs several GB of memory",
        ),
    )
}


def resolve_model(name: str, models_dir: Path) -> Path:
    """The folder of the model called `name`: "builtin", a known or downloaded model's name, or a path.

    Raises ModelError when there is no such folder; whether it holds a sound model is `load_model`'s to say.
    """
    if name == "builtin":
        return BUILTIN
    downloaded = models_dir / name
    if "/" not in name and downloaded.is_dir():
        return downloaded
    if name in KNOWN:
        raise ModelError(f"model {name!r} is not downloaded; run `hotline models get {name}`")
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if "/" in name:
        raise ModelError(f"{path}: no such model folder; give an existing folder or one of {_names()}")
    close = difflib.get_close_matches(name, ["builtin", *KNOWN], n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"give an existing folder or one of {_names()}"
    raise ModelError(f"asr.model {name!r} is neither a known model nor a folder; {hint}")


def _names() -> str:
    return ", ".join(["builtin", *KNOWN])
