"""What the agent says to a caller who says nothing, and what comes of it."""

from __future__ import annotations

from typing import Literal

from dialog import phrases


def answer_to_silence(
    times: int, spoken_to: bool, closing: bool
) -> tuple[str, Literal["", "transfer", "end"]]:
    """Words for the silence that is the caller's `times`-th in a row, and what is done after them.

    Who has `spoken_to` us before is given to a person in the end, anybody else let go; after `closing` words
    silence is the end.
    """
    if closing:
        return phrases.SILENT_GOODBYE, "end"
    if times == 1:
        return phrases.NO_INPUT_FIRST, ""
    if times == 2:
        return phrases.NO_INPUT_SECOND, ""
    return (phrases.NO_INPUT_TRANSFER, "transfer") if spoken_to else (phrases.NO_INPUT_GOODBYE, "end")
