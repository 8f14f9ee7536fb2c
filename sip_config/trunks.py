"""Settings of the telephone side: where we listen, and the trunks calls come from and go to."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, SecretStr, model_validator

from sip_config.base import Section


class PortRange(NamedTuple):
    """UDP ports from `first` to `last`, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def _ports(value: Any) -> Any:
    if isinstance(value, PortRange):
        return value
    first, dash, last = str(value).partition("-")
    if not (dash and first.strip().isdecimal() and last.strip().isdecimal()):
        raise ValueError('write two ports with a dash, e.g. "16384-18383"')
    ports = PortRange(int(first), int(last))
    if not 1024 <= ports.first < ports.last <= 65535:
        raise ValueError("ports must be between 1024 and 65535, the lower one first")
    if ports.last - ports.first < 3:
        raise ValueError("the range must hold at least 4 ports: a call takes two, a transfer four")
    return ports


def _sip_uri(value: str) -> str:
    scheme, _, rest = value.partition(":")
    if scheme not in ("sip", "sips") or not rest or any(mark in value for mark in " <>\r\n"):
        raise ValueError("write a SIP address such as sip:1001@192.0.2.10:5060")
    return value


SipUri = Annotated[str, AfterValidator(_sip_uri)]
Ports = Annotated[PortRange, BeforeValidator(_ports)]


class TrunkSettings(Section):
    """A line to the telephone network: a carrier's or the PBX's SIP server."""

    name: str = Field(min_length=1)
    uri: SipUri  # of the other side, e.g. sip:10.1.2.3:5060
    networks: tuple[IPvAnyNetwork, ...] = ()  # calls from elsewhere are refused
    registration: bool = False
    user: str = ""
    password: SecretStr = SecretStr("")
    password_file: str = ""
    srtp: Literal["off", "optional", "required"] = "off"

    @model_validator(mode="after")
    def _whole(self) -> TrunkSettings:
        if self.registration and not self.user:
            raise ValueError("registration needs a user")
        return self


class SipSettings(Section):
    """The section [sip]."""

    host: str = Field(default="0.0.0.0", min_length=1)
    port: int = Field(default=5060, ge=0, le=65535)  # 0: any free one
    transports: tuple[Literal["udp", "tcp"], ...] = Field(default=("udp", "tcp"), min_length=1)
    rtp_ports: Ports = PortRange(16384, 18383)
    public_address: str = ""  # put into SIP and SDP instead of our own, when behind NAT
    trunks: tuple[TrunkSettings, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> SipSettings:
        names = [trunk.name for trunk in self.trunks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two trunks are called {twice[0]!r}; give each its own name")
        return self
