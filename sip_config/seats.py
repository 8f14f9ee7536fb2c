"""Settings of the seats: the people a caller can be handed to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from sip_config.base import Section
from sip_config.hours import parse_hours
from sip_config.trunks import SipUri


def _hours(value: str) -> str:
    parse_hours(value)
    return value


class SeatSettings(Section):
    """One person's telephone; `skills` are the words a transfer may ask for.

    With `user` and a password the telephone registers with us, and needs no `uri`.
    """

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    uri: SipUri | Literal[""] = ""
    skills: tuple[str, ...] = ()
    user: str = Field(default="", pattern=r"^[A-Za-z0-9._+-]*$")
    password: SecretStr = SecretStr("")
    password_file: str = ""

    @model_validator(mode="after")
    def _reachable(self) -> SeatSettings:
        if self.user and not self.password.get_secret_value():
            raise ValueError("user needs password_file: the telephone proves it when it registers")
        if not (self.uri or self.user):
            raise ValueError(
                "give uri, the telephone's SIP address, or user and password_file when it registers with us"
            )
        return self


class SeatsSettings(Section):
    """The section [seats]: our own seat board (`direct`), or a queue of the PBX there is (`pbx`)."""

    mode: Literal["direct", "pbx"] = "direct"
    seats: tuple[SeatSettings, ...] = ()
    ring_s: float = Field(default=20.0, ge=1, le=180)
    accept: Literal["answer", "key"] = (
        "key"  # "key": the seat presses 1 to take the call, or takes it on the desk
    )
    max_wait_s: float = Field(default=60.0, ge=0, le=3600)
    wrap_up_s: float = Field(default=15.0, ge=0, le=3600)  # after a talk, before the next call
    hours: Annotated[str, AfterValidator(_hours)] = ""  # e.g. "08:30-20:00"; "": day and night
    queue: SipUri | Literal[""] = ""
    handover: Literal["refer", "replaces", "dial"] = "refer"  # how the caller gets to the queue

    @model_validator(mode="after")
    def _whole(self) -> SeatsSettings:
        ids = [seat.id for seat in self.seats]
        if twice := sorted({id_ for id_ in ids if ids.count(id_) > 1}):
            raise ValueError(f"two seats have the id {twice[0]!r}; give each its own")
        if self.mode == "pbx" and not self.queue:
            raise ValueError('mode "pbx" needs queue, the SIP address of the queue, e.g. sip:8000@192.0.2.10')
        return self
