"""The decoding graph (Kaldi's HCLG.fst): the language model spelt out in phones, written state by state.

Every phone is one state: a forward arc enters it (one frame of the phone), its own loop lets blanks pass. A
word is a chain of such states that leads to the state of the history it makes; chains with one end share it.
From a history with few successors an arc leads straight into each word's chain; from one with many, a tree.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asr.builtin.language_model import BEGIN, END, History, LanguageModel
from asr.builtin.phones import BOUNDARY, ID_OF, PLACED, SILENCE

_EXPANDED_MUTABLE = 3  # OpenFst's properties of a vector transducer
_BLANK_COST = (
    0.03  # a frame that only waits; keeps pauses in the silence, which knows that they end sentences
)
_FEW = 40  # successors up to which a history has an arc for each
_ENDPOINT_TEXT = """\
--min-active=200
--max-active=2000
--beam=11
--lattice-beam=6
# without it 5 s of silence take 22 s: lattices of silence explode, and nothing here needs phones
--phone-determinize=false
--acoustic-scale={acoustic_scale}
--frame-subsampling-factor=3
--frames-per-chunk=12
--endpoint.silence-phones=1
--endpoint.rule2.min-trailing-silence=0.45
--endpoint.rule3.min-trailing-silence=0.75
--endpoint.rule4.min-trailing-silence=1.0
"""

Pronunciation = tuple[tuple[str, ...], float]  # placed phones, cost
Lexicon = Mapping[str, Sequence[Pronunciation]]
Arc = tuple[int, int, float, int]  # in, out, cost, next state
Exit = tuple[tuple[str, ...], float, int, int]  # a word's phones, cost, number, the state it leads to


def loop_id(phone: str) -> int:
    """The transition-id of a phone's loop, on which the network says blank."""
    return 2 * ID_OF[phone] - 1


def forward_id(phone: str) -> int:
    """The transition-id of the one frame that is the phone."""
    return 2 * ID_OF[phone]


@dataclass
class Graph:
    """Builds the states; `arcs[s]` are those of state s."""

    model: LanguageModel
    lexicon: Lexicon
    word_ids: Mapping[str, int]
    scale: float = 1.0  # of the language model's costs
    arcs: list[list[Arc]] = field(default_factory=list)
    final: dict[int, float] = field(default_factory=dict)
    _hubs: dict[History, int] = field(default_factory=dict)
    _open: list[History] = field(default_factory=list)
    _chains: dict[tuple[tuple[str, ...], int], int] = field(default_factory=dict)

    def build(self) -> int:
        """Make every state; the start state."""
        start, pause = self._state(), self._phone_state(SILENCE)
        first = self._hub((BEGIN,))
        self.arcs[start] += [(forward_id(SILENCE), 0, 0.0, pause), (0, 0, 0.0, first)]
        self.arcs[pause].append((0, 0, 0.0, first))
        self.final[pause] = 0.0
        while self._open:
            self._leave(self._open.pop(), pause)
        return start

    def _leave(self, history: History, pause: int) -> None:
        """All that can follow `history`: words, the end of the sentence, fewer words of history."""
        hub = self._hubs[history]
        exits = []
        for word, probability in self.model.listed[history].items():
            cost = -self.scale * math.log(probability)
            if word == END:
                self.arcs[hub].append((forward_id(SILENCE), 0, cost, pause))
                self.final[hub] = cost
                continue
            for phones, extra in self.lexicon.get(word, ()):
                exits.append((phones, cost + extra, self.word_ids[word], self._hub((*history, word))))
        if len(exits) > _FEW:
            self._tree(hub, exits, 0, 0.0)
        else:
            for phones, cost, word_id, goal in exits:
                self.arcs[hub].append((forward_id(phones[0]), word_id, cost, self._chain(phones, goal)))
        if history:
            cost = -self.scale * math.log(self.model.backoff[history])
            self.arcs[hub].append((0, 0, cost, self._hub(history[1:])))

    def _tree(
        self, state: int, exits: list[tuple[tuple[str, ...], float, int, int]], depth: int, paid: float
    ) -> None:
        """Words that begin alike share states; the word and the rest of its cost come where it is certain."""
        groups: dict[str, list[Exit]] = {}
        for item in exits:
            groups.setdefault(item[0][depth], []).append(item)
        for phone, group in groups.items():
            if len(group) == 1 or depth == len(group[0][0]) - 1:
                for phones, cost, word_id, goal in group:
                    self.arcs[state].append(
                        (forward_id(phone), word_id, cost - paid, self._chain(phones[depth:], goal))
                    )
                continue
            least = min(cost for _, cost, _, _ in group)
            below = self._phone_state(phone)
            self.arcs[state].append((forward_id(phone), 0, least - paid, below))
            self._tree(below, group, depth + 1, least)

    def _chain(self, phones: tuple[str, ...], goal: int) -> int:
        """The state just after phones[0], from which the rest leads to the state `goal`."""
        key = phones, goal
        if key not in self._chains:
            state = self._chains[key] = self._phone_state(phones[0])
            if len(phones) == 1:
                self.arcs[state].append((0, 0, 0.0, goal))
            else:
                self.arcs[state].append((forward_id(phones[1]), 0, 0.0, self._chain(phones[1:], goal)))
        return self._chains[key]

    def _hub(self, history: History) -> int:
        history = self.model.known(history)
        if history not in self._hubs:
            self._hubs[history] = self._state()
            self._open.append(history)
        return self._hubs[history]

    def _phone_state(self, phone: str) -> int:
        state = self._state()
        self.arcs[state].append((loop_id(phone), 0, 0.0 if phone == SILENCE else _BLANK_COST, state))
        return state

    def _state(self) -> int:
        self.arcs.append([])
        return len(self.arcs) - 1


def lexicon(
    words: Iterable[str], readings: Callable[[str], Sequence[Pronunciation]]
) -> dict[str, list[Pronunciation]]:
    """The words that can be said, with their pronunciations."""
    found = {word: list(readings(word)) for word in words if word not in (BEGIN, END)}
    return {word: pronunciations for word, pronunciations in found.items() if pronunciations}


def write_graph(
    model: LanguageModel, words: Lexicon, folder: Path, *, scale: float, acoustic_scale: float
) -> int:
    """Write graph/ and conf/model.conf into the model `folder`; the number of arcs."""
    ids = {word: number for number, word in enumerate(sorted(words), 1)}
    graph = Graph(model, words, ids, scale)
    start = graph.build()
    (folder / "graph" / "phones").mkdir(parents=True, exist_ok=True)
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "graph" / "HCLG.fst").write_bytes(_openfst(graph.arcs, graph.final, start))
    _write_table(folder / "graph" / "words.txt", ["<eps>", *sorted(words)])
    _write_table(folder / "graph" / "phones.txt", ["<eps>", *PLACED])
    marks = [f"{ID_OF[phone]} {BOUNDARY.get(phone[-1], 'nonword')}\n" for phone in PLACED]
    (folder / "graph" / "phones" / "word_boundary.int").write_text("".join(marks), encoding="utf-8")
    conf = _ENDPOINT_TEXT.format(acoustic_scale=acoustic_scale)
    (folder / "conf" / "model.conf").write_text(conf, encoding="utf-8")
    return sum(map(len, graph.arcs))


def _openfst(arcs: Sequence[Sequence[Arc]], final: Mapping[int, float], start: int) -> bytes:
    """A transducer in OpenFst's binary "vector" format (fst.h, vector-fst.h).

    Written here and not by a library: each brings OpenFst, which in one process with Vosk's own deadlocks.
    """

    def text(name: str) -> bytes:
        return struct.pack("<i", len(name)) + name.encode()

    header = struct.pack("<i", 2125659606) + text("vector") + text("standard")
    header += struct.pack("<iiQqqq", 2, 0, _EXPANDED_MUTABLE, start, len(arcs), sum(map(len, arcs)))
    parts = [header]
    for state, leaving in enumerate(arcs):
        parts.append(struct.pack("<fq", final.get(state, math.inf), len(leaving)))
        parts += [struct.pack("<iifi", *arc) for arc in leaving]
    return b"".join(parts)


def _write_table(file: Path, symbols: Iterable[str]) -> None:
    text = "".join(f"{symbol} {number}\n" for number, symbol in enumerate(symbols))
    file.write_text(text, encoding="utf-8")
