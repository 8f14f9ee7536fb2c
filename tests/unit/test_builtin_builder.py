"""The builder of the built-in model: phones, language model, graph, Kaldi's files, another city's graph."""

from __future__ import annotations

import itertools
import re
import struct
from pathlib import Path

import anyio
import numpy as np
import pytest

from asr.builtin import HELD_OUT
from asr.builtin.generated import Phrases, Places
from asr.builtin.graph import Graph, forward_id, loop_id
from asr.builtin.kaldi_model import _Writer
from asr.builtin.language_model import BEGIN, Segmenter, estimate
from asr.builtin.line import alaw, lose_packets
from asr.builtin.phones import BLANK, FINALS, INITIALS, PDF_OF, PLACED, pdf_of, syllable_phones, word_phones
from asr.vosk_engine import VoskRecognizer
from asr.vosk_model import BUILTIN
from hotline.builtin_model import build_graph, places, read, readings, written_text
from hotline.check import load_knowledge
from hotline.speech import GAZETTEER
from tests.unit.espeak import synthesise

pytestmark = [pytest.mark.unit]

HELD_OUT_TEXT = Path(__file__).parents[2] / "bench" / "heldout"


@pytest.mark.parametrize(
    ("syllable", "phones"),
    [
        ("zhong1", ("zh", "ong1")),
        ("yi2", ("^", "i2")),
        ("yuan4", ("^", "van4")),
        ("ju1", ("j", "v1")),
        ("si4", ("s", "ii4")),
        ("shi2", ("sh", "iii2")),
        ("liu4", ("l", "iou4")),
        ("lv4", ("l", "v4")),
        ("lün2", ("l", "vn2")),
        ("er5", ("^", "er5")),
        ("xiong1", ("x", "iong1")),
        ("weng1", ("^", "ueng1")),
        ("a5", ("^", "a5")),
    ],
)
def test_syllables_as_phones(syllable: str, phones: tuple[str, str]) -> None:
    assert syllable_phones(syllable) == phones


@pytest.mark.parametrize("nonsense", ["", "1", "zhong", "zhong6", "bla1", "hello"])
def test_what_is_no_syllable(nonsense: str) -> None:
    with pytest.raises(ValueError, match="toned pinyin"):
        syllable_phones(nonsense)


def test_every_syllable_that_the_voice_says_can_be_written() -> None:
    for text in written_text():
        for syllable in read(text):
            initial, final = syllable_phones(syllable)
            assert initial in INITIALS
            assert final[:-1] in FINALS


def test_places_of_phones_in_a_word() -> None:
    assert word_phones(["she4", "bao3", "ka3"]) == ("sh_B", "e4_I", "b_I", "ao3_I", "k_I", "a3_E")
    assert word_phones(["wo3"]) == ("^_B", "uo3_E")
    assert pdf_of("uo3_E") == pdf_of("uo3_I") == PDF_OF["uo3"] != BLANK
    assert pdf_of("SIL") == BLANK
    ids = [loop_id(phone) for phone in PLACED] + [forward_id(phone) for phone in PLACED]
    assert sorted(ids) == list(range(1, 2 * len(PLACED) + 1))


@pytest.mark.parametrize(
    ("value", "spoken"),
    [
        (7, "七"),
        (10, "十"),
        (12, "十二"),
        (20, "二十"),
        (105, "一百零五"),
        (110, "一百一十"),
        (2004, "二千零四"),
        (3050, "三千零五十"),
        (20000, "两万"),
        (35000, "三万五千"),
        (40005, "四万零五"),
        (1000000, "一百万"),
    ],
)
def test_numbers_in_words(value: int, spoken: str) -> None:
    assert Phrases(Places()).number(value) == spoken


def test_generated_phrases_are_sayable_varied_and_the_same_each_time() -> None:
    city = places(GAZETTEER)
    first = list(itertools.islice(Phrases(city), 1000))
    assert first == list(itertools.islice(Phrases(city), 1000))
    assert all(re.fullmatch("[一-鿿]+", phrase) for phrase in first)
    assert len(set(first)) > 900
    assert sum(any(name in phrase for name in city.names()) for phrase in first) > 100


def test_language_model_is_a_distribution_and_prefers_what_it_saw() -> None:
    segmenter = Segmenter(["滨江花园"])
    text = [
        "我想问一下社保卡怎么补办",
        "我想问一下医保卡怎么办理",
        "滨江花园停水了",
        "我想投诉滨江花园",
        "路灯坏了",
    ]
    sentences = [segmenter.words(line) for line in text]
    assert "滨江花园" in sentences[2]
    model = estimate(sentences, {"路灯": 5.0, "坏": 3.0, "的": 100.0}, pruning=0.0)
    for history in [(), ("我",), ("我", "想"), (BEGIN,), ("没见过",)]:
        total = sum(model.probability(history, word) for word in model.listed[()])
        assert total == pytest.approx(1.0, abs=1e-6), history
    assert model.probability(("我",), "想") > 3 * model.probability((), "想")
    assert model.perplexity(sentences) < 5 < model.perplexity([list(reversed(line)) for line in sentences])


def test_pruning_forgets_the_rare_first() -> None:
    sentences = [["甲", "乙"]] * 50 + [["甲", "丙"], ["丁", "乙"]]
    whole = estimate(sentences, {"戊": 1.0}, pruning=0.0)
    pruned = estimate(sentences, {"戊": 1.0}, pruning=1e-4)
    listed = sum(map(len, pruned.listed.values()))
    assert listed < sum(map(len, whole.listed.values()))
    assert pruned.probability((BEGIN, "甲"), "乙") > 0.8
    for history in [("甲",), ("丁",), (BEGIN, "甲")]:
        assert sum(pruned.probability(history, w) for w in pruned.listed[()]) == pytest.approx(1.0, abs=0.02)


def test_graph_spells_words_and_shares_their_ends() -> None:
    model = estimate([["路灯", "坏"], ["电灯", "坏"]], {"坏": 1.0}, pruning=0.0)
    said = readings([("路灯坏", ["路灯", "坏"]), ("电灯坏", ["电灯", "坏"])])
    known = {word: said.get(word, []) for word in ("路灯", "电灯", "坏")}
    graph = Graph(model, known, {word: number for number, word in enumerate(known, 1)})
    start = graph.build()
    reached, todo = set(), [start]
    while todo:
        state = todo.pop()
        if state not in reached:
            reached.add(state)
            todo += [goal for *_, goal in graph.arcs[state]]
    assert reached == set(range(len(graph.arcs))), "states that nothing leads to"
    words = [word for arcs in graph.arcs for _, word, _, _ in arcs if word]
    assert set(words) == {1, 2, 3}
    ends = [s for s, arcs in enumerate(graph.arcs) if any(entry == loop_id("eng1_E") for entry, *_ in arcs)]
    assert len(ends) <= 3, "路灯 and 电灯 end alike and lead to the same history"


def test_compressed_matrix_is_read_back_as_it_was() -> None:
    values = np.random.default_rng(3).normal(0, 0.2, (64, 48)).astype(np.float32)
    values[0, 0] = 3.0  # an outlier
    writer = _Writer()
    writer.matrix(values)
    data = bytes(writer.data[2:])
    assert data[:3] == b"CM "
    least, span, rows, columns = struct.unpack_from("<ffii", data, 3)
    assert (rows, columns) == values.shape
    marks = np.frombuffer(data, "<u2", 4 * columns, 19).reshape(columns, 4) / 65535 * span + least
    codes = np.frombuffer(data, "u1", rows * columns, 19 + 8 * columns).reshape(columns, rows).astype(float)
    low, first, third, high = marks.T[:, :, None]
    # CompressedMatrix::CharToFloat, matrix/compressed-matrix.h
    found = np.where(
        codes <= 64,
        low + (first - low) * codes / 64,
        np.where(
            codes <= 192,
            first + (third - first) * (codes - 64) / 128,
            third + (high - third) * (codes - 192) / 63,
        ),
    )
    assert np.abs(found.T - values).max() < 0.03
    assert np.abs(found.T - values).mean() < 0.002


def test_telephone_line() -> None:
    samples = np.arange(-32768, 32768, 13).astype(np.float32)
    coded = alaw(samples)
    assert len(np.unique(coded)) <= 256
    assert np.abs(coded - samples).max() <= 1024
    assert np.abs(coded - samples)[np.abs(samples) < 256].max() <= 8
    tone = np.full(80000, 1000, np.float32)
    lost = lose_packets(tone, 0.1, np.random.default_rng(1))
    assert 0.05 < np.mean(lost != tone) < 0.2


def test_what_it_is_measured_on_stays_out_of_training() -> None:
    training = set(written_text())
    for file in ("sentences.txt", "sentences_dev.txt"):
        measured = (HELD_OUT_TEXT / file).read_text(encoding="utf-8").split()
        assert len(measured) >= 150
        assert not training & set(measured)


def test_committed_model_is_small() -> None:
    assert sum(file.stat().st_size for file in BUILTIN.rglob("*") if file.is_file()) <= 10_000_000


@pytest.mark.timeout(240)
def test_a_graph_of_another_city_hears_its_streets(tmp_path: Path) -> None:
    gazetteer = tmp_path / "gazetteer.yaml"
    gazetteer.write_text(
        "city: 云泽市\ndistricts:\n  鹿鸣区:\n    streets: [缃绮路, 芷汀街]\n    communities: [汀芷里]\n",
        encoding="utf-8",
    )
    build_graph(tmp_path / "model", passages=load_knowledge("sample"), gazetteer=gazetteer)
    pcm = synthesise("地址是缃绮路", variant="m8")

    async def heard(model: Path) -> str:
        recognizer = VoskRecognizer(model, workers=1)

        async def audio():  # type: ignore[no-untyped-def]
            yield pcm

        finals = [item.text async for item in recognizer.transcribe(audio())]
        await recognizer.aclose()
        return finals[-1]

    assert anyio.run(heard, tmp_path / "model") == "地址是缃绮路"
    assert "缃绮路" not in anyio.run(heard, BUILTIN)


class TestTraining:
    """What needs the extra `builder`."""

    def test_loss_is_the_sum_over_all_ways(self) -> None:
        torch = pytest.importorskip("torch", reason="needs the extra builder")
        from asr.builtin.network import one_frame_loss

        generator = torch.Generator().manual_seed(0)
        logits = torch.randn(2, 6, len(PDF_OF), generator=generator, requires_grad=True)
        phones, frames, lengths = torch.tensor([[3, 5, 0], [2, 3, 2]]), [5, 6], [2, 3]
        loss = one_frame_loss(logits, phones, torch.tensor(frames), torch.tensor(lengths))
        log_probs = torch.log_softmax(logits, 2)
        expected = []
        for row in range(2):
            ways = []
            for places_ in itertools.combinations(range(frames[row]), lengths[row]):
                outputs = [
                    int(phones[row, places_.index(t)]) if t in places_ else BLANK for t in range(frames[row])
                ]
                ways.append(sum(log_probs[row, t, output] for t, output in enumerate(outputs)))
            expected.append(-torch.logsumexp(torch.stack(ways), 0))
        assert torch.allclose(loss, torch.stack(expected), atol=1e-4)
        (ours,) = torch.autograd.grad(loss.sum(), logits, retain_graph=True)
        (theirs,) = torch.autograd.grad(sum(expected), logits)
        assert torch.allclose(ours, theirs, atol=1e-5)

    def test_training_learns_and_folding_changes_nothing(self) -> None:
        torch = pytest.importorskip("torch", reason="needs the extra builder")
        from asr.builtin import network
        from asr.builtin.acoustic import Utterance

        dice = np.random.default_rng(5)
        patterns = dice.normal(0, 1, (4, 40))
        utterances = []
        for _ in range(60):
            labels = dice.integers(1, 4, 5)
            frames = np.concatenate([np.repeat(patterns[[0, label]], 9, 0) for label in labels])
            utterances.append(Utterance(frames.astype(np.float16), labels.astype(np.int16)))
        told: list[str] = []
        net = network.train(utterances, minutes=0.1, rate=2e-2, report=told.append)
        losses = [
            float(re.search("loss ([0-9.]+)", line).group(1)) for line in told if line.startswith("epoch")
        ]  # type: ignore[union-attr]
        assert losses[-1] < losses[0] * 0.9
        net.eval()
        features = torch.randn(1, network.LEFT + 60 + network.RIGHT, 40)
        expected = net(features)
        layers = net.affines()
        x = features.unfold(1, len(network.SPLICE), 3).transpose(2, 3).flatten(2)
        for index, (weight, bias) in enumerate(layers):
            x = x @ torch.from_numpy(weight).T + torch.from_numpy(bias)
            if index < len(layers) - 1:
                x = torch.relu(x)
            if index < len(network.LAYERS):
                offsets = network.LAYERS[index]
                count = x.shape[1] + offsets[0] - offsets[-1]
                x = torch.cat([x[:, o - offsets[0] : o - offsets[0] + count] for o in offsets], 2)
        assert torch.allclose(x, expected, atol=1e-3)

    def test_voices_kept_for_tests_are_not_trained_on(self) -> None:
        pytest.importorskip("torch", reason="needs the extra builder")
        from asr.builtin.acoustic import plan, salad
        from hotline.builtin_training import training_voices

        voices = training_voices()
        assert not set(voices) & set(HELD_OUT)
        assert len(voices) > 50
        sayings = plan(["你好", "再见"], voices, copies=3)
        assert len(sayings) == 6
        assert len({saying.voice for saying in sayings if saying.text == "你好"}) == 3
        with pytest.raises(ValueError, match="kept for tests"):
            plan(["你好"], [*voices, "m8"], copies=1)
        mixed = salad(["社保", "卡"], 50)
        assert len(mixed) == 50
        assert all(set(line) <= set("社保卡") for line in mixed)
