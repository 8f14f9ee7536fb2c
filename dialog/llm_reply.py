"""One reply of a language model while it is made: what it was given, what it has said, what that rests on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from dialog import Basis, CallContext, Message
from dialog.confidence import confidence
from dialog.expecting import asked_in
from dialog.grounding import Grounds
from dialog.intake import Intake
from dialog.knowledge import Hit
from dialog.llm_prompt import Sent
from dialog.llm_stream import Wording
from dialog.masking import Masks
from dialog.talk import Talk, understood

PASSAGES = 4
SOURCE_SCORE = 0.3  # from this score on a passage shown counts as a source where the words do not tell
MAX_SENTENCES = 5
MAX_CHARS = 240
_SENTENCE_END = re.compile("[。！？!?]")


@dataclass(slots=True)
class Reply:
    """The state of one reply."""

    call: CallContext
    history: Sequence[Message]
    talk: Talk
    masks: Masks
    messages: list[Sent]  # of the next request
    hits: list[Hit]  # the passages shown to the model
    grounds: Grounds
    told: list[str] = field(default_factory=list)  # what tools told
    lookups: int = 0
    round: str = ""  # what the model said since the last look-up, with marks
    wording: Wording = field(default_factory=Wording)
    held: list[str] = field(default_factory=list)  # first clauses, not given out yet
    spoken: str = ""
    began: bool = False  # the Basis is out: the memory of this reply cannot be changed any more

    @property
    def sure(self) -> float:
        """How sure an answer from the best passage is, in the model's words where it has said any."""
        asr = self.history[-1].confidence
        best, second = ([hit.score for hit in self.hits] + [0.0, 0.0])[:2]
        return confidence(asr, best, best - second, self.talk.misses, self.wording.probability)

    @property
    def is_long(self) -> bool:
        """Whether the reply has gone on long enough, and may end here."""
        ended = bool(_SENTENCE_END.search(self.spoken[-1:]))
        enough = len(_SENTENCE_END.findall(self.spoken)) >= MAX_SENTENCES or len(self.spoken) > MAX_CHARS
        return (ended and enough) or len(self.spoken) > 2 * MAX_CHARS

    def basis(self, words: str, intake: Intake | None) -> Basis:
        """What the reply rests on and asks for, as its first `words` tell; `intake` goes on after it."""
        used = {passage.id for passage in self.grounds.used(words)}
        likely = [hit for hit in self.hits if hit.score >= SOURCE_SCORE]
        sources = [hit for hit in self.hits if hit.passage.id in used] or likely
        talk = understood(self.talk, intake=intake)
        if used:
            answered = (*self.talk.answered, sources[0].passage.question)
            talk = understood(self.talk, awaiting="more", answered=answered)
        return Basis(
            self.sure,
            tuple(hit.passage.ref for hit in sources),
            talk,
            talk.rate,
            "yes_no" if intake and intake.asking in ("confirm", "join") else asked_in(words),
            decision={
                "kind": "llm",
                "retrieval": round(self.hits[0].score, 3) if self.hits else 0.0,
                "shown": len(self.hits),
                "used": len(used),
                "lookups": self.lookups,
                **({"wording": round(self.wording.probability, 3)} if self.wording.tokens else {}),
            },
        )


def distinct(hits: Sequence[Hit]) -> list[Hit]:
    """The first `PASSAGES` of `hits`, each passage once."""
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(hit.passage.id, hit)
    return list(best.values())[:PASSAGES]
