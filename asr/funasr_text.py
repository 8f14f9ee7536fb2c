"""FunASR's tokens as words: pieces joined, tags and punctuation dropped, hotwords and punctuation written.

Paraformer's vocabulary is characters and pieces of Latin words, where `hel@@` says that the word goes on;
SenseVoice's is SentencePiece's, where `▁he` says that a word begins. Both have tags: `<unk>`, `<|zh|>`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from asr import Word

MAX_HOTWORD_TOKENS = 10  # the exported hotword encoder takes no more

_TAG = re.compile(r"<[^<>]*>")
_UNITS = re.compile(r"[A-Za-z0-9']+|[^\sA-Za-z0-9']")
_BEGINS = "▁"
_GOES_ON = "@@"


class Token(NamedTuple):
    """One token a model gave, by its number; times are seconds from the start of the audio it was given."""

    number: int
    start_s: float
    end_s: float
    confidence: float  # 0..1, the model's own probability of it


class Vocabulary:
    """A model's tokens, in the order of their numbers."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = list(tokens)
        self._numbers = {token: number for number, token in enumerate(self._tokens)}
        self._is_sentencepiece = any(token.startswith(_BEGINS) for token in self._tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def number(self, token: str) -> int:
        """The token's number, or that of `<unk>`, or the last one."""
        return self._numbers.get(token, self._numbers.get("<unk>", len(self._tokens) - 1))

    def words(self, tokens: Iterable[Token]) -> tuple[Word, ...]:
        """Chinese characters singly, Latin words whole, without tags and punctuation."""
        words: list[Word] = []
        goes_on = False  # whether the next piece belongs to the last word
        for token in tokens:
            piece = self._tokens[token.number] if token.number < len(self._tokens) else ""
            text = _spoken(piece)
            goes_on = goes_on and not piece.startswith(_BEGINS)
            if not text:
                continue
            word = Word(text, token.start_s, token.end_s, token.confidence)
            if goes_on and words and _is_latin(text):
                words[-1] = _glued(words[-1], word)
            else:
                words.append(word)
            goes_on = _is_latin(text) and (self._is_sentencepiece or piece.endswith(_GOES_ON))
        return tuple(words)


def without_tags(text: str) -> str:
    """The text without `<…>`."""
    return _TAG.sub("", text)


def _spoken(piece: str) -> str:
    bare = without_tags(piece).removesuffix(_GOES_ON).replace(_BEGINS, "")
    return "".join(letter for letter in bare if letter == "'" or unicodedata.category(letter)[0] in "LNM")


def _is_latin(text: str) -> bool:
    return text.isascii()


def _glued(first: Word, second: Word) -> Word:
    """One word of two pieces; its confidence is the mean over the characters."""
    letters, more = len(first.text), len(second.text)
    confidence = (first.confidence * letters + second.confidence * more) / (letters + more)
    return Word(first.text + second.text, first.start_s, second.end_s, confidence)


def joined(words: Iterable[Word]) -> str:
    """Words as text: Chinese without blanks, a blank between Latin words or numbers."""
    text = ""
    for word in words:
        text += f" {word.text}" if text and text[-1].isascii() and _is_latin(word.text) else word.text
    return text


def mean_confidence(words: Sequence[Word]) -> float:
    """The mean over the words' characters; 0.0 for no words."""
    characters = sum(len(word.text) for word in words)
    return sum(word.confidence * len(word.text) for word in words) / characters if characters else 0.0


def units(text: str) -> list[str]:
    """Text as the models count it: characters singly, Latin words and numbers whole."""
    return _UNITS.findall(text)


def hotword_list(hotwords: Iterable[str]) -> list[str]:
    """The hotwords without blanks and punctuation, each once, too long ones left out.

    FunASR separates them by blanks, and would fetch one that begins like an address from the network.
    """
    bare = ("".join(_spoken(unit) for unit in units(word)) for word in hotwords)
    return [
        word
        for word in dict.fromkeys(bare)
        if word and len(units(word)) <= MAX_HOTWORD_TOKENS and not word.lower().startswith("http")
    ]


def with_marks(tokens: Sequence[str], marks: Sequence[str]) -> str:
    """Each token followed by its punctuation mark ("" for none), the end closed by a full stop if need be."""
    text = ""
    for token, mark in zip(tokens, marks, strict=True):
        text += f" {token}" if text and text[-1].isascii() and token.isascii() else token
        text += mark
    text = text.rstrip("，、")
    return text if not text or text[-1] in "。？" else f"{text}。"
