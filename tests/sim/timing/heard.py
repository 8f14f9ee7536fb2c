"""What the agent was heard to say: clauses, whole, cut off, or held; and their characters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.sim.fakes import MUSIC
from tests.sim.timing.sounds import Stretch
from voice.phone import FRAME_S

CUT = "✂"
REWIND_S = 0.3  # as much may be heard again after a hold: a syllable


@dataclass(frozen=True)
class Char:
    """A character that was heard to its end, or ✂ where a clause was cut off."""

    text: str
    began_at: float
    ended_at: float


@dataclass(frozen=True)
class Clause:
    """A clause, or music, as heard: one stretch, or more where the agent held its breath in it."""

    text: str
    stretches: list[Stretch]

    @property
    def held_s(self) -> float:
        """How long the agent fell silent in it."""
        return sum(
            after.began_at - before.ended_at
            for before, after in zip(self.stretches, self.stretches[1:], strict=False)
        )

    def chars(self) -> Iterator[Char]:
        """Each character once, though after a hold a syllable may have been begun again."""
        last = self.stretches[-1]
        if self.text == MUSIC:
            yield Char(MUSIC, self.stretches[0].began_at, last.ended_at)
            return
        per_char = last.clause_frames / len(self.text)
        for at, char in enumerate(self.text):
            frame = round((at + 1) * per_char) - 1  # its last
            for stretch in self.stretches:
                if stretch.first <= frame < stretch.next:
                    ended_at = stretch.began_at + (frame + 1 - stretch.first) * FRAME_S
                    yield Char(char, ended_at - per_char * FRAME_S, ended_at)
                    break
        if last.next < last.clause_frames:
            yield Char(CUT, last.ended_at, last.ended_at)


def clauses_heard(stretches: Iterable[Stretch]) -> list[Clause]:
    """The clauses of these stretches, in order."""
    clauses: list[Clause] = []
    for stretch in stretches:
        before = clauses[-1].stretches[-1] if clauses else None
        if before is not None and _goes_on(before, stretch):
            clauses[-1].stretches.append(stretch)
        else:
            clauses.append(Clause(stretch.text, [stretch]))
    return clauses


def _goes_on(before: Stretch, stretch: Stretch) -> bool:
    if before.text != stretch.text:
        return False
    held = before.next < before.clause_frames and 0 <= (before.next - stretch.first) * FRAME_S <= REWIND_S
    return held or stretch.text == MUSIC
