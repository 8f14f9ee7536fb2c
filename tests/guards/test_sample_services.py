"""The sample services keep the rules of their README: these texts are spoken to citizens."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dialog.passages import Passage, load_passages
from dialog.services import SAMPLE, Line, Service, load_services

pytestmark = [pytest.mark.guard]

KNOWLEDGE = Path(__file__).parents[2] / "dialog" / "knowledge"
HANZI = re.compile(r"[\u4e00-\u9fff]+")
NOT_SPOKEN = re.compile(r"[A-Za-zａ-ｚＡ-Ｚ()（）\[\]【】{}<>#*_`|/\\~～•·①-⑳\n]")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
ADDRESS = re.compile(r"[\u4e00-\u9fff]{2}(?:路|街|大道)\d+号")
IDS = [path.stem for path in sorted(SAMPLE.glob("*.yaml"))]


@functools.cache
def services() -> dict[str, Service]:
    return {service.id: service for service in load_services()}


@functools.cache
def passages() -> dict[str, Passage]:
    return {passage.id: passage for passage in load_passages(KNOWLEDGE)}


def lines(service: Service) -> Iterator[Line]:
    for field in (service.gives, service.materials, service.fee, service.time_limit, service.where):
        yield from field


def spoken(service: Service) -> list[str]:
    said = [line.say for line in (*lines(service), *service.steps)]
    asked = [text for one in service.conditions for text in (one.ask, one.reason) if text]
    return [service.name, service.doing, service.online, *said, *asked]


def test_there_are_enough_services_each_in_a_file_of_its_name() -> None:
    assert len(IDS) >= 12
    assert sorted(services()) == IDS


def test_no_phrasing_leads_to_two_services() -> None:
    wordings = Counter(wording for one in services().values() for wording in (one.doing, *one.phrasings))
    assert [wording for wording, times in wordings.items() if times > 1] == []


@pytest.mark.parametrize("name", IDS)
def test_phrasings_are_chinese_characters_and_enough(name: str) -> None:
    phrasings = services()[name].phrasings
    assert 5 <= len(phrasings) <= 14
    assert [one for one in phrasings if not HANZI.fullmatch(one) or not 4 <= len(one) <= 24] == []


@pytest.mark.parametrize("name", IDS)
def test_all_that_is_spoken_can_be_spoken(name: str) -> None:
    for text in spoken(services()[name]):
        found = NOT_SPOKEN.search(text)
        assert found is None, f"{text}: {found and found.group()!r}"


@pytest.mark.parametrize("name", IDS)
def test_what_is_spoken_is_short_and_ends_as_it_should(name: str) -> None:
    service = services()[name]
    for step in service.steps:
        assert len(step.say) <= 60, step.say
        assert step.say.endswith("。"), step.say
    for condition in service.conditions:
        assert len(condition.ask) <= 45, condition.ask
        assert condition.ask.endswith("？"), condition.ask
        assert len(condition.reason) <= 60, condition.reason
        assert not condition.reason.endswith("。"), condition.reason
    for line in lines(service):
        assert len(line.say) <= 30, line.say
        assert not line.say.endswith(("。", "，")), line.say
    assert len(service.steps) >= 2


@pytest.mark.parametrize("name", IDS)
def test_it_is_said_where_or_in_what_application_it_is_done(name: str) -> None:
    service = services()[name]
    assert service.where or service.online
    for field in (service.where, service.fee, service.time_limit):
        assert not field or not field[-1].when, "the last entry is for all others"


@pytest.mark.parametrize("name", IDS)
def test_every_number_and_the_source_stand_in_the_passages(name: str) -> None:
    service = services()[name]
    found = [passages()[one] for one in service.passages]
    assert found
    assert service.source in {passage.source for passage in found}
    # The sample knowledge keeps 低保 among the matters of families, whose department is another.
    assert service.department == found[0].department or name == "minimum-living"
    known = set(NUMBER.findall("".join(passage.question + passage.answer for passage in found)))
    readme = set(ADDRESS.findall((KNOWLEDGE / "README.md").read_text(encoding="utf-8")))
    for text in spoken(service):
        for address in ADDRESS.findall(text):
            assert address in readme, text
        assert set(NUMBER.findall(ADDRESS.sub("", text))) <= known, text


@pytest.mark.parametrize("name", IDS)
def test_what_costs_nothing_and_what_costs_is_as_in_the_passages(name: str) -> None:
    service = services()[name]
    answers = "".join(passages()[one].answer for one in service.passages)
    assert [line.say for line in service.fee if line.say not in answers] == []
    assert service.online in answers


@pytest.mark.parametrize("name", IDS)
def test_keys_that_yaml_reads_as_something_else_are_not_there(name: str) -> None:
    """In YAML `yes:` and `no:` are no words but true and false."""
    text = (SAMPLE / f"{name}.yaml").read_text(encoding="utf-8")

    def keys(value: object) -> Iterator[object]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield key
                yield from keys(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from keys(inner)

    assert [key for key in keys(yaml.safe_load(text)) if not isinstance(key, str)] == []
