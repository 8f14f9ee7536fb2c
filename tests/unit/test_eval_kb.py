"""The command `hotline eval kb`: what it takes, counts and tells; and the labelled questions there are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from hotline.check import load_knowledge
from hotline.cli import main
from hotline.errors import UsageError
from hotline.kb_cases import Case, load_cases
from hotline.kb_evaluation import Bin, reliability

pytestmark = [pytest.mark.unit]

DATA = Path(__file__).parents[1] / "data" / "kb"
CARD = "社保卡丢了怎么补办？"
POOL = "游泳馆几点开门？"
KNOWLEDGE = f"""id,question,answer,phrasings,valid_to
card-1,{CARD},请带身份证到银行网点补办，工本费20元。,社保卡不见了怎么补|社保卡遗失,
pool-1,{POOL},游泳馆早上6点开门。,泳池什么时间开放|游泳馆营业时间,
old-1,冬泳节哪天报名？,去年12月报名。,冬泳节怎么参加,2020-01-01
"""
KNOWN = {"text": CARD, "passages": ["card-1"], "level": "easy"}
UNKNOWN = {"text": "红烧肉怎么做才好吃", "kind": "far"}


@pytest.fixture
def _knowledge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("HOTLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    Path("city.csv").write_text(KNOWLEDGE, encoding="utf-8")
    Path("hotline.toml").write_text('[dialog]\nknowledge = "city.csv"\n', encoding="utf-8")


def written(name: str, rows: Iterable[dict[str, Any]]) -> str:
    """A file of JSON lines; its path."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    Path(name).write_text(lines, encoding="utf-8")
    return name


def document(capsys: pytest.CaptureFixture[str], *paths: str) -> dict[str, Any]:
    """What --json prints."""
    assert main(["eval", "kb", *paths, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.usefixtures("_knowledge")
def test_a_question_that_is_answered_and_one_that_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, written("a.jsonl", [KNOWN]), written("b.jsonl", [UNKNOWN]))
    assert [(row["name"], row["known"], row["asked"]) for row in found["rows"]] == [
        ("all", True, 1),
        ("easy", True, 1),
        ("all", False, 1),
        ("far", False, 1),
    ]
    known, unknown = found["rows"][0], found["rows"][2]
    assert known["first"] == known["first_three"] == known["answered"] == {"count": 1, "of": 1}
    assert known["rightly"] == {"count": 1, "of": 1}
    assert unknown["answered"] == {"count": 0, "of": 1}
    assert unknown["became"] == {"person": 1}
    for choice in found["choices"]:
        assert choice["answered"] == {"count": 1, "of": 1}
        assert choice["unknown"] == {"count": 0, "of": 1}
    first = found["cases"][0]
    assert (first["became"], first["sources"], first["found"][0]) == ("right", ["card-1"], "card-1")
    assert first["search_ms"] > 0
    assert first["reply_ms"] > 0


@pytest.mark.usefixtures("_knowledge")
def test_what_was_imported_is_measured_and_not_what_the_database_began_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("more.csv").write_text("id,question,answer\nmine-1,冰场几点开门？,冰场早上8点开门。\n")
    assert main(["kb", "import", "more.csv"]) == 0
    capsys.readouterr()
    asked = {"text": "冰场几点开门？", "passages": ["kb:mine-1"]}  # as `hotline kb search` shows it
    found = document(capsys, written("a.jsonl", [asked]))
    assert found["cases"][0]["passages"] == ["mine-1"]
    assert found["cases"][0]["became"] == "right"


@pytest.mark.usefixtures("_knowledge")
def test_an_answer_that_no_label_names_is_wrong_and_listed(capsys: pytest.CaptureFixture[str]) -> None:
    path = written("a.jsonl", [{"text": CARD, "passages": ["pool-1"]}, {"text": POOL, "kind": "near"}])
    found = document(capsys, path)
    assert [row["became"] for row in found["rows"]] == [{"wrong": 1}, {"wrong": 1}, {"wrong": 1}]
    assert found["rows"][1]["answered"] == {"count": 1, "of": 1}
    answers, decisions, hits = found["reliability"]
    assert [one["what"] for one in found["reliability"]] == ["answers", "decisions", "best hits"]
    assert answers["count"] == decisions["count"] == hits["count"] == 2
    assert min(answers["error"], decisions["error"], hits["error"]) > 0.5
    assert main(["eval", "kb", path]) == 0
    shown = capsys.readouterr().out
    assert "wrong: 社保卡丢了怎么补办？ → card-1; meant: pool-1" in shown
    assert "meant: nothing (near)" in shown


@pytest.mark.usefixtures("_knowledge")
def test_what_was_heard_is_what_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    row = {**KNOWN, "text": "啊啊啊啊啊啊", "heard": CARD.rstrip("？"), "confidence": 0.95}
    found = document(capsys, written("a.jsonl", [row, {**KNOWN, "heard": "", "confidence": 0.0}]))
    assert {row["recognised"] for row in found["rows"]} == {True}
    assert found["rows"][0]["first"] == {"count": 1, "of": 2}
    assert found["rows"][0]["became"] == {"right": 1, "other": 1}
    counts = [(one["what"], one["line"], one["count"]) for one in found["reliability"]]
    assert counts == [
        ("answers", "recognised", 1),
        ("decisions", "recognised", 2),
        ("best hits", "recognised", 2),
    ]


@pytest.mark.usefixtures("_knowledge")
def test_a_folder_is_read_and_what_is_no_longer_valid_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    Path("set").mkdir()
    written("set/a.jsonl", [KNOWN])
    written("set/b.jsonl", [{"text": "冬泳节怎么报名", "passages": ["old-1"]}])
    Path("set/README.md").write_text("not asked", encoding="utf-8")
    assert main(["eval", "kb", "set"]) == 0
    shown = capsys.readouterr()
    assert "1 are left out" in shown.err
    assert shown.out.splitlines()[1].split()[:2] == ["all", "1"]
    assert "calibration error" in shown.out


@pytest.mark.usefixtures("_knowledge")
def test_the_page_has_figures_plot_and_the_words_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {"text": f"{CARD}<b>", "passages": ["pool-1"]}
    path = written("a.jsonl", [KNOWN, UNKNOWN, wrong])
    assert main(["eval", "kb", path, "--report", "page.html"]) == 0
    assert "holds callers' words" in capsys.readouterr().err
    page = Path("page.html").read_text(encoding="utf-8")
    assert "polyline" in page
    assert "社保卡丢了怎么补办？&lt;b&gt;" in page
    assert "无关话题" in page
    assert "None" not in page


@pytest.mark.usefixtures("_knowledge")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "a.jsonl:1: not JSON"),
        ('{"passages": []}', "a.jsonl:1: text: field required"),
        ('{"text": "问", "confidence": 2}', "a.jsonl:1: confidence: input should be less"),
        ('{"text": "问", "passages": ["none-1"]}', "a.jsonl:1: the knowledge base has no passage none-1"),
        ("\n", "a.jsonl: there is nothing to ask in it"),
        (
            '{"text": "冬泳节", "passages": ["old-1"]}',
            "no passage that answers anything in it is valid today",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    content: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.jsonl").write_text(content, encoding="utf-8")
    assert main(["eval", "kb", "a.jsonl"]) == 2
    assert said in capsys.readouterr().err


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_cases([tmp_path / "none.jsonl"], [])
    with pytest.raises(UsageError, match=r"no \.jsonl files in it"):
        load_cases([tmp_path], [])
    (tmp_path / "a.jsonl").write_bytes('{"text": "问"}'.encode("gbk"))
    with pytest.raises(UsageError, match="not UTF-8"):
        load_cases([tmp_path], [])


def test_a_case_reaches_the_dialog_as_a_call_would_tell_it() -> None:
    typed = Case("路灯坏了").message
    assert (typed.text, typed.confidence, typed.heard) == ("路灯坏了", 1.0, "")
    spoken = Case("18号", recognised=True, heard="十八号", written="18号", confidence=0.7)
    assert (spoken.message.text, spoken.message.heard, spoken.said) == ("18号", "十八号", "十八号")


def test_the_calibration_error_is_the_distance_weighed_by_how_many() -> None:
    count, bins, error = reliability([(0.95, True), (0.95, True), (1.0, False), (0.25, False)])
    assert count == 4
    assert bins == (Bin(0.2, 1, 0.25, 0.0), Bin(0.9, 3, 2.9 / 3, 2 / 3))
    assert error == pytest.approx((0.25 + 3 * (2.9 / 3 - 2 / 3)) / 4)
    assert reliability([]) == (0, (), 0.0)
    assert reliability([(0.5, True), (0.5, False)]) == (2, (Bin(0.5, 2, 0.5, 0.5),), 0.0)


def test_the_labelled_questions_are_many_and_name_passages_that_are_there() -> None:
    ids = {passage.id for passage in load_knowledge("sample")}
    halves = {}
    for half in ("dev", "held"):
        questions = load_cases([DATA / f"questions_{half}.jsonl"], ids)
        unknown = load_cases([DATA / f"unknown_{half}.jsonl"], ids)
        heard = load_cases([DATA / f"heard_{half}.jsonl"], ids)
        assert len(questions) >= 310
        assert all(case.passages for case in questions)
        assert len(unknown) >= 160
        assert not any(case.passages for case in unknown)
        assert sum(case.kind == "complaint" for case in unknown) <= 20
        assert [(case.text, case.passages) for case in heard] == [
            (case.text, case.passages) for case in (*questions, *unknown)
        ]
        assert all(case.recognised for case in heard)
        halves[half] = {case.text for case in (*questions, *unknown)}
        assert len(halves[half]) == len(questions) + len(unknown)
        assert len({one for case in questions for one in case.passages}) >= 300
    assert not halves["dev"] & halves["held"]
