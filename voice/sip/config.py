"""What an endpoint needs to know of its addresses, its trunks and who may call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal, TypeAlias

DEFAULT_CODECS = ("PCMA/8000", "PCMU/8000", "G722/16000", "opus/48000")
ANY_HOST = "0.0.0.0"
Network: TypeAlias = "IPv4Network | IPv6Network"
Srtp: TypeAlias = Literal["off", "optional", "required"]
LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
REGISTERED = "registered.invalid"  # sip:USER@ this host is wherever USER is registered with us


def host_of(uri: str) -> str:
    """The host of a SIP URI, without brackets and port; "" where there is none."""
    match = re.match(r"[^:]*:(?:[^@]*@)?(?:\[([^\]]+)\]|([^:;?>]+))", uri)
    return (match[1] or match[2]) if match else ""


@dataclass(frozen=True, slots=True)
class TrunkConfig:
    """A line to a carrier's or a PBX's SIP server; `networks` are those its calls come from."""

    name: str
    uri: str
    host: str
    networks: tuple[Network, ...] = ()
    registration: bool = False
    registration_s: int = 300
    user: str = ""
    password: str = field(default="", repr=False)
    challenge: bool = False
    srtp: Srtp = "off"
    early_media: bool = False
    asserted_identity: bool = True


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """PEM files, and whose certificates must be good."""

    port: int = 5061
    cert_file: str = ""
    key_file: str = ""
    ca_file: str = ""
    verify_client: bool = False
    verify_server: bool = True


@dataclass(frozen=True, slots=True)
class SipConfig:
    """What an endpoint needs to know; `rtp_port` 0 lets the library choose, `port` 0 takes any free port."""

    host: str = ANY_HOST
    ipv6_host: str = ""
    port: int = 5060
    transports: tuple[str, ...] = ("udp", "tcp")
    tls: TlsConfig = TlsConfig()
    rtp_port: int = 16384
    rtp_port_range: int = 1999
    rtp_timeout_s: float = 0.0  # 0: never
    session_timer_s: int = 1800
    public_address: str = ""
    user: str = "12345"
    codecs: tuple[str, ...] = DEFAULT_CODECS
    max_calls: int = 0  # incoming calls at a time; 0: what the build allows
    retry_after_s: int = 5
    trunks: tuple[TrunkConfig, ...] = ()
    allow: tuple[Network, ...] = ()  # without trunks and this: loopback
    srtp: Srtp = "optional"  # of calls that are no trunk's
    rate_per_s: float = 100.0
    realm: str = "hotline"
    country_code: str = "86"
    registrations: Mapping[str, str] = field(default_factory=dict, repr=False)  # users and their passwords

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses that calls are taken on."""
        return (self.host, self.ipv6_host) if self.ipv6_host else (self.host,)

    @property
    def allowed(self) -> tuple[Network, ...]:
        """Networks besides the trunks' that may call."""
        return self.allow if self.allow or self.trunks else LOOPBACK
