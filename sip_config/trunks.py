"""Settings of the telephone side: where we listen, and the trunks calls come from and go to."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

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
    if isinstance(value, list) and len(value) == 1:  # as the environment gives it
        value = value[0]
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


def _network(value: Any) -> Any:
    if isinstance(value, (IPv4Network, IPv6Network)):
        return value
    try:
        return ip_network(str(value))
    except ValueError:
        raise ValueError("write networks such as 192.0.2.0/24, 192.0.2.10 or 2001:db8::/48") from None


Network: TypeAlias = "IPv4Network | IPv6Network"
Networks = tuple[Annotated[Network, BeforeValidator(_network)], ...]
SipUri = Annotated[str, AfterValidator(_sip_uri)]
Ports = Annotated[PortRange, BeforeValidator(_ports)]


def host_of(uri: str) -> str:
    """The host of a SIP URI, without brackets and port."""
    rest = uri.partition(":")[2].rpartition("@")[2]
    match = re.match(r"\[([^\]]+)\]|([^:;?]+)", rest)
    return (match[1] or match[2]) if match else ""


class TrunkSettings(Section):
    """A line to the telephone network: a carrier's or the PBX's SIP server."""

    name: str = Field(min_length=1)
    uri: SipUri  # of the other side, e.g. sip:10.1.2.3:5060 or sip:10.1.2.3;transport=tls
    networks: Networks = ()  # its calls come from these; empty: from the address in `uri`
    registration: bool = False  # we register there with user and password
    registration_s: int = Field(default=300, ge=60, le=86400)
    user: str = ""
    password: SecretStr = SecretStr("")
    password_file: str = ""
    challenge: bool = False  # its calls must prove user and password to us
    srtp: Literal["off", "optional", "required"] = "off"
    early_media: bool = False  # audio before the 200 OK, for lines that open late
    asserted_identity: bool = True  # its P-Asserted-Identity is believed

    @model_validator(mode="after")
    def _whole(self) -> TrunkSettings:
        for key in ("registration", "challenge"):
            if getattr(self, key) and not (self.user and self.password.get_secret_value()):
                raise ValueError(f"{key} needs user and password_file")
        return self

    @property
    def host(self) -> str:
        """The host in `uri`: an address or a name."""
        return host_of(self.uri)


def _file(value: str) -> str:
    if value and not Path(value).expanduser().is_file():
        raise ValueError("there is no such file")
    return str(Path(value).expanduser()) if value else ""


ReadableFile = Annotated[str, AfterValidator(_file)]


class SipSettings(Section):
    """The section [sip]."""

    host: str = Field(default="0.0.0.0", min_length=1)
    ipv6_host: str = ""  # "::" or an address: calls are taken there too
    port: int = Field(default=5060, ge=0, le=65535)  # 0: any free one
    transports: tuple[Literal["udp", "tcp", "tls"], ...] = Field(default=("udp", "tcp"), min_length=1)
    tls_port: int = Field(default=5061, ge=0, le=65535)  # 0: any free one
    tls_cert_file: ReadableFile = ""
    tls_key_file: ReadableFile = ""
    tls_ca_file: ReadableFile = ""  # whom we believe; empty: the system's
    tls_verify_client: bool = False  # who calls over TLS must show a certificate of that CA
    tls_verify_server: bool = True
    rtp_ports: Ports = PortRange(16384, 18383)
    rtp_timeout_s: float = Field(default=30.0, ge=0, le=3600)  # 0: never
    session_timer_s: int = Field(default=1800, ge=90, le=86400)
    public_address: str = ""  # put into SIP and SDP instead of our own, when behind NAT
    allow: Networks = ()  # calls are taken from here too; without trunks and this: from this machine alone
    rate_per_s: float = Field(default=100.0, gt=0)  # new calls and probes of one known source
    realm: str = Field(default="hotline", pattern=r"^[A-Za-z0-9.-]+$")  # in digest challenges
    country_code: str = Field(default="86", pattern=r"^[1-9][0-9]{0,2}$")  # dropped from callers' numbers
    trunks: tuple[TrunkSettings, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> SipSettings:
        names = [trunk.name for trunk in self.trunks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two trunks are called {twice[0]!r}; give each its own name")
        if "tls" in self.transports and not (self.tls_cert_file and self.tls_key_file):
            raise ValueError('transports with "tls" need tls_cert_file and tls_key_file')
        if self.tls_verify_client and not self.tls_ca_file:
            raise ValueError("tls_verify_client needs tls_ca_file, whose certificates we believe")
        return self
