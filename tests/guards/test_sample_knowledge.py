"""The sample knowledge base keeps its own rules: these texts are spoken to citizens."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.guard]

KNOWLEDGE = Path(__file__).parents[2] / "dialog" / "knowledge"
DISTRICTS = {"", "江北区", "江南区", "高新区", "滨河区"}
FILE_FIELDS = {"topic", "department", "district", "passages"}
PASSAGE_FIELDS = {"id", "question", "phrasings", "answer", "source", "valid_from", "valid_to"}
HANZI = re.compile(r"[\u4e00-\u9fff]+")
# What a voice cannot say: Latin letters, brackets, Markdown, list marks, line breaks.
NOT_SPOKEN = re.compile(
    r"[A-Za-zａ-ｚＡ-Ｚ()（）\[\]【】{}<>#*_`|/\\~～•·①-⑳\n]"
    r"|^\s*[-—]"
    r"|\d[.、]\s*[\u4e00-\u9fff]"
)
# Long amounts are written 1万2千, so that five digits or more can only be a telephone number.
TELEPHONE = re.compile(r"(?<![\d.])\d{5,}(?!\d)|(?:打|拨|电话)(\d+)")
ADDRESS = re.compile(r"[\u4e00-\u9fff]{2}(?:路|街|大道)\d+号")
# The demo asks about these and must find nothing.
NOT_KNOWN = re.compile("无人机|航拍|出口退税|航天|卫星|专利|赌博|彩票|外星")


@functools.cache
def _files() -> dict[str, dict[str, Any]]:
    paths = sorted(KNOWLEDGE.glob("*.yaml"))
    return {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths}


def _passages() -> list[dict[str, Any]]:
    return [passage for content in _files().values() for passage in content["passages"]]


def _readme() -> str:
    return (KNOWLEDGE / "README.md").read_text(encoding="utf-8")


def _bare(text: str) -> str:
    return re.sub(r"[^\w]", "", text)


def test_there_are_enough_passages() -> None:
    assert len(_passages()) >= 200


@pytest.mark.parametrize("name", sorted(path.name for path in KNOWLEDGE.glob("*.yaml")))
def test_a_file_has_every_field_and_no_other(name: str) -> None:
    content = _files()[name]
    assert set(content) == FILE_FIELDS
    assert content["topic"]
    assert content["department"]
    assert content["district"] in DISTRICTS
    assert 8 <= len(content["passages"]) <= 15
    for passage in content["passages"]:
        assert set(passage) - {"district"} == PASSAGE_FIELDS, passage["id"]
        assert passage.get("district", "") in DISTRICTS, passage["id"]
        for field in ("id", "question", "answer", "source"):
            assert isinstance(passage[field], str), f"{passage['id']}: {field}"
            assert passage[field].strip(), f"{passage['id']}: {field}"


def test_topics_and_ids_are_unique_and_ids_are_well_formed() -> None:
    topics = [content["topic"] for content in _files().values()]
    assert len(topics) == len(set(topics))
    ids = [passage["id"] for passage in _passages()]
    assert [one for one, count in Counter(ids).items() if count > 1] == []
    assert [one for one in ids if not re.fullmatch(r"[a-z]+(?:-[a-z]+)*-\d{3}", one)] == []


def test_validity_is_dates_in_order() -> None:
    for passage in _passages():
        begins, ends = passage["valid_from"], passage["valid_to"]
        assert type(begins) is dt.date, passage["id"]
        assert ends is None or (type(ends) is dt.date and begins <= ends), passage["id"]


def test_some_passages_are_for_one_district_and_some_have_expired() -> None:
    passages = _passages()
    assert {passage.get("district", "") for passage in passages} == DISTRICTS
    assert len([passage for passage in passages if passage["valid_to"] is not None]) >= 2


def test_phrasings_are_three_to_thirty_in_chinese_characters() -> None:
    for passage in _passages():
        assert 3 <= len(passage["phrasings"]) <= 30, passage["id"]
        for phrasing in passage["phrasings"]:
            assert HANZI.fullmatch(phrasing), f"{passage['id']}: {phrasing}"
            assert 4 <= len(phrasing) <= 45, f"{passage['id']}: {phrasing}"


def test_no_wording_leads_to_two_passages() -> None:
    wordings: dict[str, set[str]] = {}
    for passage in _passages():
        for wording in (passage["question"], *passage["phrasings"]):
            wordings.setdefault(_bare(wording), set()).add(passage["id"])
    assert {wording: ids for wording, ids in wordings.items() if len(ids) > 1} == {}


def test_phrasings_within_a_passage_differ() -> None:
    for passage in _passages():
        assert len(set(passage["phrasings"])) == len(passage["phrasings"]), passage["id"]


def test_answers_can_be_spoken() -> None:
    for passage in _passages():
        answer = passage["answer"]
        assert 15 <= len(answer) <= 160, f"{passage['id']}: {len(answer)} characters"
        assert answer.endswith("。"), passage["id"]
        found = NOT_SPOKEN.search(answer)
        assert found is None, f"{passage['id']}: {found and found.group()!r}"
        assert HANZI.search(answer), passage["id"]


def test_answers_differ_and_questions_end_as_questions() -> None:
    answers = Counter(passage["answer"] for passage in _passages())
    assert [answer for answer, count in answers.items() if count > 1] == []
    for passage in _passages():
        assert re.search(r"？(?:（[^）]+）)?$", passage["question"]), passage["id"]


def test_sources_name_a_document_and_its_number() -> None:
    for passage in _passages():
        assert re.fullmatch(r"《[^《》]+》（.+〔\d{4}〕\d+号）", passage["source"]), passage["id"]
        year = int(re.findall(r"〔(\d{4})〕", passage["source"])[0])
        assert year <= passage["valid_from"].year, f"{passage['id']}: in force before it was issued"


def test_telephone_numbers_stand_in_the_readme() -> None:
    known = set(re.findall(r"^\| (\d{3,}) \|", _readme(), flags=re.MULTILINE))
    assert "12345" in known
    for passage in _passages():
        for found in TELEPHONE.finditer(passage["answer"]):
            number = found.group(1) or found.group()
            assert number in known, f"{passage['id']}: {number}"


def test_addresses_stand_in_the_readme() -> None:
    known = set(ADDRESS.findall(_readme()))
    assert known
    for passage in _passages():
        for address in ADDRESS.findall(passage["answer"]):
            assert address in known, f"{passage['id']}: {address}"


def test_what_the_demo_asks_in_vain_stays_unknown() -> None:
    for passage in _passages():
        text = "".join((passage["question"], *passage["phrasings"], passage["answer"], passage["source"]))
        assert NOT_KNOWN.search(text) is None, passage["id"]
