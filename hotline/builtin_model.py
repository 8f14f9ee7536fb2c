"""Builds a decoding graph for the built-in recogniser from a city's own words: seconds, and no training."""

from __future__ import annotations

import itertools
import math
import re
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from asr.builtin.generated import Phrases, Places
from asr.builtin.graph import Pronunciation, lexicon, write_graph
from asr.builtin.language_model import Segmenter, estimate, general_words
from asr.builtin.phones import word_phones
from asr.vosk_model import BUILTIN, check_model
from dialog.passages import Passage
from hotline.errors import UsageError
from hotline.speech import GAZETTEER
from tts.pinyin import phrases
from tts.spoken import spoken

TEXT = Path(__file__).parents[1] / "asr" / "builtin" / "text"
_GENERATED = 5000  # numbers, names and addresses, beside the sentences
_ACOUSTIC_SCALE, _LANGUAGE_SCALE = 1.0, 1.0
HAN = re.compile("[一-鿿]+")
_SYLLABLE = re.compile("[a-zêü:]+[1-5]")


def read(text: str) -> list[str]:
    """The toned syllables that the voice says."""
    return [
        syllable
        for phrase in phrases(spoken(text))
        if phrase.language == "zh"
        for word in phrase.words
        for syllable in _SYLLABLE.findall(word)
    ]


def places(gazetteer: Path) -> Places:
    """The names in a gazetteer file of the form of dialog/gazetteer.yaml."""
    data = yaml.safe_load(gazetteer.read_text(encoding="utf-8"))
    districts = data["districts"]

    def all_of(kind: str) -> list[str]:
        return sorted({name for parts in districts.values() for name in parts.get(kind, ())})

    return Places(
        [*districts, *all_of("aliases"), data["city"]],
        all_of("streets"),
        all_of("communities"),
        all_of("landmarks"),
    )


def general_vocabulary() -> dict[str, float]:
    """Common words of Mandarin that the text may lack, with frequencies."""
    return general_words(characters=3500, words=2000)


def written_text() -> list[str]:
    """The sentences written for this model, asr/builtin/text/."""
    return [line for file in sorted(TEXT.glob("*.txt")) for line in file.read_text(encoding="utf-8").split()]


def asked(passages: Iterable[Passage]) -> list[str]:
    """How citizens ask what the knowledge base answers; numbers in words."""
    return [spoken(text) for passage in passages for text in (passage.question, *passage.phrasings)]


def readings(sentences: Iterable[tuple[str, Sequence[str]]]) -> dict[str, list[Pronunciation]]:
    """How the words of segmented `sentences` are said in them, the commonest reading at no cost."""
    heard: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for text, words in sentences:
        syllables = read(text)
        if len(syllables) != len(text) or "".join(words) != text:
            continue  # a word of several syllables a character, or of none
        at = 0
        for word in words:
            heard[word][tuple(syllables[at : at + len(word)])] += 1
            at += len(word)
    return {word: _pronunciations(word, counts) for word, counts in heard.items()}


def _pronunciations(word: str, counts: Counter[tuple[str, ...]]) -> list[Pronunciation]:
    alone = tuple(read(word))
    if len(alone) == len(word):
        counts[alone] += 1
    most = max(counts.values(), default=0)
    return [
        (word_phones(list(said)), -math.log(count / most))
        for said, count in counts.items()
        if count > most / 20
    ]


def build_graph(
    target: Path,
    *,
    passages: Iterable[Passage],
    gazetteer: Path,
    more_text: Iterable[str] = (),
    source: Path = BUILTIN,
) -> int:
    """Write the model of `source` into the folder `target` with a graph of these words; its size in bytes.

    `more_text` is sentences as callers say them, e.g. in a city's own calls; all but Han parts them.
    """
    city = places(gazetteer)
    segmenter = Segmenter(city.names())
    texts = [*written_text(), *asked(passages), *map(spoken, more_text)]
    generated = itertools.islice(Phrases(city), _GENERATED)
    lines = [run for text in texts for run in HAN.findall(text)] + list(generated)
    sentences = [(line, segmenter.words(line)) for line in lines]
    model = estimate([words for _, words in sentences], general_vocabulary())
    said = readings(sentences)
    known = lexicon(model.listed[()], lambda word: said.get(word) or _pronunciations(word, Counter()))
    target.mkdir(parents=True, exist_ok=True)
    for part in ("am", "conf"):
        if source != target:
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
    write_graph(model, known, target, scale=_LANGUAGE_SCALE, acoustic_scale=_ACOUSTIC_SCALE)
    return sum(file.stat().st_size for file in target.rglob("*") if file.is_file())


def build_city_model(
    target: Path, passages: Iterable[Passage], gazetteer: Path | None, texts: Sequence[Path]
) -> int:
    """`hotline models build-graph`: build, prove that it loads, put it in place; its size in bytes.

    Raises UsageError for files missing or of the wrong kind, ModelError when the model does not load.
    """
    with tempfile.TemporaryDirectory(dir=_made(target.parent), prefix=".building-") as folder:
        made = Path(folder) / "model"
        try:
            lines = [line for file in texts for line in file.read_text(encoding="utf-8").splitlines()]
            size = build_graph(made, passages=passages, gazetteer=gazetteer or GAZETTEER, more_text=lines)
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            files = ", ".join(str(file) for file in (gazetteer, *texts) if file)
            raise UsageError(
                f"cannot take the city's words from {files} ({error}); a gazetteer is YAML of the form of"
                f" {GAZETTEER.name}, texts are UTF-8 with one sentence a line"
            ) from None
        check_model(made)
        if target.exists():
            target.rename(Path(folder) / "before")
        made.rename(target)
    return size


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
