"""A Vosk model whose graph is put together while it runs, made from one whose graph is fixed.

The official small models have such graphs (HCLr.fst, Gr.fst), and only they take grammars. Here the whole
fixed graph stands in for HCLr.fst, and a Gr.fst that takes any words in any order for the language model: so
what is heard is the same.
"""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

_MAGIC = 2125659606
_ADD_ON_MAGIC = 446681434
_EXPANDED, _MUTABLE, _ILABEL_SORTED, _OLABEL_SORTED = 1, 2, 1 << 28, 1 << 30
_HEADER = struct.Struct("<iiQqqq")  # version, flags, properties, start, states, arcs
_ARC = np.dtype([("input", "<i4"), ("output", "<i4"), ("weight", "<f4"), ("next", "<i4")])


def make_dynamic(model: Path, folder: Path) -> Path:
    """Copy `model` to `folder`, its graph made over; returns `folder`."""
    shutil.copytree(model, folder)
    graph = folder / "graph"
    start, finals, arcs = _read_vector(graph / "HCLG.fst")
    (graph / "HCLG.fst").unlink()
    words = sum(1 for line in (graph / "words.txt").read_text(encoding="utf-8").splitlines() if line.strip())
    (graph / "HCLr.fst").write_bytes(_look_ahead(start, finals, arcs, words))
    (graph / "Gr.fst").write_bytes(_any_words(words))
    (graph / "disambig_tid.int").write_text("")
    return folder


def _text(text: str) -> bytes:
    return struct.pack("<i", len(text)) + text.encode()


def _head(kind: str, *numbers: int) -> bytes:
    return struct.pack("<i", _MAGIC) + _text(kind) + _text("standard") + _HEADER.pack(*numbers)


def _read_vector(path: Path) -> tuple[int, list[float], list[npt.NDArray[np.void]]]:
    """Start state, final weights and arcs of a transducer in OpenFst's "vector" format."""
    raw = path.read_bytes()
    at = len(struct.pack("<i", 0) + _text("vector") + _text("standard"))
    _, _, _, start, states, _ = _HEADER.unpack_from(raw, at)
    at += _HEADER.size
    finals, arcs = [], []
    for _ in range(states):
        final, count = struct.unpack_from("<fq", raw, at)
        at += 12
        finals.append(final)
        arcs.append(np.frombuffer(raw, _ARC, count, at))
        at += count * _ARC.itemsize
    return start, finals, arcs


def _look_ahead(start: int, finals: list[float], arcs: list[npt.NDArray[np.void]], words: int) -> bytes:
    """An "olabel_lookahead" transducer that expects any word everywhere: true, if less than it could know."""
    states, leaving, place = [], [], 0
    for final, out in zip(finals, arcs, strict=True):
        epsilons = int((out["input"] == 0).sum()), int((out["output"] == 0).sum())
        states.append(struct.pack("<fIIII", final, place, len(out), *epsilons))
        leaving.append(np.sort(out, order="output", kind="stable").tobytes())
        place += len(out)
    properties = _EXPANDED | _OLABEL_SORTED
    size = (start, len(states), place)
    inner = _head("const", 2, 0, properties, *size) + b"".join(states) + b"".join(leaving)
    everything = struct.pack("<qiii", 1, 1, words + 1, 1)  # one interval: all words, and the end
    numbers = [*((word, word) for word in range(1, words)), (-1, words)]  # -1 is the end
    indices = struct.pack("<q", len(numbers)) + b"".join(struct.pack("<ii", *pair) for pair in numbers)
    reachable = struct.pack("<??", False, True) + indices + struct.pack("<iq", words, len(states))
    add_on = struct.pack("<???", True, False, True) + reachable + everything * len(states)
    return (
        _head("olabel_lookahead", 1, 0, properties, *size) + struct.pack("<i", _ADD_ON_MAGIC) + inner + add_on
    )


def _any_words(words: int) -> bytes:
    """A "vector" transducer of one state that takes every word at no cost."""
    loops = np.array([(word, word, 0.0, 0) for word in range(1, words)], _ARC)
    properties = _EXPANDED | _MUTABLE | _ILABEL_SORTED | _OLABEL_SORTED
    state = struct.pack("<fq", 0.0, len(loops)) + loops.tobytes()
    return _head("vector", 2, 0, properties, 0, 1, len(loops)) + state
