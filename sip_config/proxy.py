"""Settings of the proxy in front of several nodes: what `hotline kamailio-config` needs to know."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from sip_config.base import Section
from sip_config.trunks import SipUri, host_of


class HostPort(NamedTuple):
    """An IP address of a machine and a port on it."""

    host: IPv4Address | IPv6Address
    port: int

    @classmethod
    def parse(cls, text: str, port: int = 5060) -> HostPort:
        """ADDRESS, ADDRESS:PORT or [IPv6]:PORT; `port` where none is written. Raises ValueError."""
        match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?", text)
        if not match:
            raise ValueError("write an IP address and a port such as 10.0.0.5:5060")
        made = cls(ip_address(match[1] or match[2]), int(match[3] or port))
        if not 1 <= made.port <= 65535:
            raise ValueError("ports are between 1 and 65535")
        return made

    @property
    def sip_host(self) -> str:
        """The address as it stands in a SIP URI: IPv6 in brackets."""
        return f"[{self.host}]" if self.host.version == 6 else str(self.host)

    def __str__(self) -> str:
        return f"{self.sip_host}:{self.port}"


def _own_address(value: str) -> str:
    if value and HostPort.parse(value).host.is_unspecified:
        raise ValueError("name one address of the proxy: nodes and trunks send what belongs to a call there")
    return value


OwnAddress = Annotated[str, AfterValidator(_own_address)]


def _node_uri(value: str) -> str:
    if not re.fullmatch(r"sip:(\[[0-9A-Fa-f:.]+\]|[0-9.]+)(:[0-9]{1,5})?(;transport=(udp|tcp))?", value):
        raise ValueError(
            "write an address such as sip:10.0.0.11:5060 or sip:10.0.0.11:5060;transport=tcp:"
            " an IP address, without a user, over udp or tcp"
        )
    HostPort.parse(value.removeprefix("sip:").partition(";")[0])
    return value


class ProxyNode(Section):
    """One `hotline serve` behind the proxy."""

    uri: Annotated[SipUri, AfterValidator(_node_uri)]
    max_calls: int = Field(default=0, ge=0)  # 0: the node itself says when it is full

    @property
    def address(self) -> IPv4Address | IPv6Address:
        """The machine it runs on."""
        return ip_address(host_of(self.uri))


class ProxySettings(Section):
    """The section [proxy]: Kamailio in front of several nodes."""

    listen: OwnAddress = ""  # the proxy's ADDRESS:PORT that trunks call
    inside: OwnAddress = ""  # the ADDRESS:PORT that nodes see, where it is another one
    public_address: str = Field(
        default="", pattern=r"^[0-9A-Za-z.:-]*$"
    )  # others reach `listen` at, behind NAT
    transports: tuple[Literal["udp", "tcp", "tls"], ...] = Field(default=("udp", "tcp"), min_length=1)
    tls_port: int = Field(default=5061, ge=1, le=65535)
    tls_cert_file: str = ""  # files on the proxy's machine, so they are looked for there and not here
    tls_key_file: str = ""
    tls_ca_file: str = ""  # whose certificates are believed; without it no call goes out over TLS
    tls_verify_client: bool = False  # who calls over TLS must show a certificate signed by one of these
    nodes: tuple[ProxyNode, ...] = ()
    probe_s: int = Field(default=2, ge=1, le=60)
    rate_per_s: int = Field(default=100, ge=1, le=10000)

    @model_validator(mode="after")
    def _whole(self) -> ProxySettings:
        uris = [node.uri for node in self.nodes]
        if twice := sorted({uri for uri in uris if uris.count(uri) > 1}):
            raise ValueError(f"two nodes have the address {twice[0]}; give each its own")
        if "tls" in self.transports and not (self.tls_cert_file and self.tls_key_file):
            raise ValueError('transports with "tls" need tls_cert_file and tls_key_file')
        if self.tls_verify_client and not self.tls_ca_file:
            raise ValueError("tls_verify_client needs tls_ca_file, whose certificates are believed")
        if self.inside and self.inside == self.listen:
            raise ValueError("inside is the same as listen; leave it out, or name another address or port")
        if self.public_address and not self.inside:
            raise ValueError(
                "public_address needs inside, an ADDRESS:PORT of the proxy that nodes reach without the NAT"
            )
        return self
