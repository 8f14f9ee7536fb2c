"""Services of the city as data: who may have one, what to bring, and how it is done, step by step.

One YAML file each; the format stands in dialog/services/README.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dialog.spoken_numbers import Unit
from dialog.yaml_text import read_yaml

SAMPLE = Path(__file__).parent / "services"
UNKNOWN = "?"  # the answer of a caller who does not know

Answers: TypeAlias = Mapping[str, str]  # slot -> "yes", "no", "65", "60-69", a choice, or UNKNOWN


class ServiceError(Exception):
    """A service cannot be used; the message says which and why."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(_Data):
    """Whole numbers from `min` to `max`, both included."""

    min: int | None = None
    max: int | None = None


# What an answer must be: yes or no, a number within a span, one of these choices; None: anything.
Needs: TypeAlias = bool | Span | tuple[str, ...] | None


def meets(needs: Needs, answer: str) -> bool | None:
    """Whether `answer` is what is needed; None where it is not known, or a span that is so in part."""
    if needs is None:
        return True
    if answer == UNKNOWN:
        return None
    if isinstance(needs, bool):
        return answer == ("yes" if needs else "no")
    if isinstance(needs, Span):
        low, high = span_of(answer)
        least, most = (
            needs.min if needs.min is not None else low,
            needs.max if needs.max is not None else high,
        )
        return True if least <= low and high <= most else False if high < least or most < low else None
    return answer in needs


def span_of(answer: str) -> tuple[int, int]:
    """A number as it is kept, "65" or "60-69", as a span."""
    low, _, high = answer.partition("-")
    return int(low), int(high or low)


class Line(_Data):
    """Something to say, where the answers are as `when` has them."""

    say: str = Field(min_length=1)
    when: Mapping[str, Needs] = {}

    def applies(self, answers: Answers) -> bool:
        """Whether the answers are as needed."""
        return all(slot in answers and meets(needs, answers[slot]) for slot, needs in self.when.items())

    def may_apply(self, answers: Answers) -> bool:
        """As `applies`, but what is not known does not stand against it."""
        return all(meets(needs, answers.get(slot, UNKNOWN)) is not False for slot, needs in self.when.items())


def _lines(value: Any) -> Any:
    """A string, or a list of strings and lines, as lines."""
    values = [value] if isinstance(value, str) else value
    return [{"say": one} if isinstance(one, str) else one for one in values]


Lines: TypeAlias = Annotated[tuple[Line, ...], BeforeValidator(_lines)]
Words: TypeAlias = tuple[str, ...]


class Condition(_Data):
    """One question that tells whether a caller qualifies.

    `means_yes` and `means_no` are words that answer without a yes or no (拿到了), `choices` what is chosen by
    which words, `cues` tell that a number is about this question though it was not asked. Where the answer is
    not what it `needs`, `reason` is spoken, and `otherwise` is another service that may be the right one.
    """

    slot: str = Field(min_length=1)
    ask: str = Field(min_length=1)
    kind: Literal["yes_no", "number", "choice"]
    needs: Needs = None
    reason: str = Field(default="", alias="else")
    otherwise: str = ""
    means_yes: Words = ()
    means_no: Words = ()
    choices: Mapping[str, Words] = {}
    unit: Unit = ""
    cues: Words = ()

    @model_validator(mode="after")
    def _whole(self) -> Condition:
        fits = {"yes_no": bool, "number": Span, "choice": tuple}[self.kind]
        if self.needs is not None and not isinstance(self.needs, fits):
            raise ValueError(f"needs of {self.slot} does not fit its kind, {self.kind}")
        if self.needs is not None and not self.reason:
            raise ValueError(f"{self.slot} needs something: say in else why not")
        if (self.kind == "choice") != bool(self.choices):
            raise ValueError(f"{self.slot}: choices belong to a choice, and only there")
        if isinstance(self.needs, tuple) and not set(self.needs) <= set(self.choices):
            raise ValueError(f"{self.slot} needs what is none of its choices")
        return self


class Service(_Data):
    """A service: how callers ask for it, who may have it, what to bring, what to do.

    `name` is a noun (新生儿落户), `doing` what a caller does (给孩子上户口). `gives` is said to who
    qualifies. Of `where`, `fee` and `time_limit` the first line that applies is said, of all others every
    line that may. `online` names the application in which it can be done, `link` is an address to be sent,
    never spoken. `passages` are the ids of the knowledge that all of it rests on.
    """

    id: str = Field(pattern="^[a-z]+(-[a-z]+)*$")
    name: str = Field(min_length=1)
    doing: str = Field(min_length=1)
    phrasings: Annotated[Words, Field(min_length=1)]
    department: str = ""
    district: str = ""
    conditions: tuple[Condition, ...] = ()
    gives: Lines = ()
    materials: Lines = ()
    steps: Annotated[Lines, Field(min_length=1)]
    fee: Lines = ()
    time_limit: Lines = ()
    where: Lines = ()
    online: str = ""
    link: str = ""
    source: str = ""
    passages: Words = ()

    @model_validator(mode="after")
    def _whole(self) -> Service:
        kinds = {condition.slot: condition for condition in self.conditions}
        if len(kinds) < len(self.conditions):
            raise ValueError("two conditions have the same slot")
        for line in (*self.gives, *self.materials, *self.steps, *self.fee, *self.time_limit, *self.where):
            for slot in line.when:
                if slot not in kinds:
                    raise ValueError(f"{line.say}: when names {slot}, which no condition asks")
        return self

    def condition(self, slot: str) -> Condition | None:
        """The condition that asks for `slot`."""
        return next((one for one in self.conditions if one.slot == slot), None)


def first_of(lines: Sequence[Line], answers: Answers) -> str:
    """What the first line that applies says, "" where none does."""
    return next((line.say for line in lines if line.applies(answers)), "")


def every_of(lines: Sequence[Line], answers: Answers) -> tuple[str, ...]:
    """What all lines say that may apply."""
    return tuple(line.say for line in lines if line.may_apply(answers))


def load_services(folder: Path = SAMPLE) -> list[Service]:
    """All services of a folder of YAML files. Raises ServiceError."""
    if not folder.is_dir():
        raise ServiceError(f"there is no folder {folder} with services; see dialog.services")
    services = [_load(path) for path in sorted(folder.glob("*.yaml"))]
    by_id = {service.id: service for service in services}
    if len(by_id) < len(services):
        raise ServiceError(f"two services in {folder} have the same id")
    for service in services:
        for condition in service.conditions:
            if condition.otherwise and condition.otherwise not in by_id:
                raise ServiceError(
                    f"{service.id}: otherwise names {condition.otherwise}, which is no service"
                )
    return services


def _load(path: Path) -> Service:
    try:
        return Service.model_validate(read_yaml(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ServiceError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ServiceError(f"{path} is not YAML in UTF-8: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"])
        raise ServiceError(f"{path.name}{': ' if at else ''}{at}: {first['msg']}") from error
