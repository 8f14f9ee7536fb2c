"""The library's transports and accounts: our own, another on IPv6, one for each trunk."""

from __future__ import annotations

from typing import Any

import pjsua2 as pj
import structlog

from voice.sip import library
from voice.sip.config import ANY_HOST, SipConfig, Srtp, TrunkConfig

log = structlog.get_logger()

REGISTER_AGAIN_S = 20  # after a registration failed
MIN_SESSION_TIMER_S = 90  # RFC 4028's least
_SRTP: dict[Srtp, int] = {
    "off": pj.PJMEDIA_SRTP_DISABLED,
    "optional": pj.PJMEDIA_SRTP_OPTIONAL,
    "required": pj.PJMEDIA_SRTP_MANDATORY,
}
_TRANSPORTS = {
    ("udp", False): pj.PJSIP_TRANSPORT_UDP,
    ("tcp", False): pj.PJSIP_TRANSPORT_TCP,
    ("tls", False): pj.PJSIP_TRANSPORT_TLS,
    ("udp", True): pj.PJSIP_TRANSPORT_UDP6,
    ("tcp", True): pj.PJSIP_TRANSPORT_TCP6,
    ("tls", True): pj.PJSIP_TRANSPORT_TLS6,
}


class Accounts:
    """Our own identity, another on IPv6, one for each trunk; `registered`: of those that we register at."""

    def __init__(self, owner: library.Owner, config: SipConfig) -> None:
        self.registered = {trunk.name: False for trunk in config.trunks if trunk.registration}
        self._owner = owner
        self._config = config
        self._accounts: list[library.Account] = []

    def open(self) -> None:
        """Create them, which begins to register those that do."""
        config = self._config
        for host in config.hosts:
            self._add(own_account(config, host), ipv6=":" in host)
        for trunk in config.trunks:
            self._add(trunk_account(config, trunk), trunk=trunk.name, ipv6=":" in trunk.host)

    def _add(self, settings: Any, *, trunk: str = "", ipv6: bool) -> None:
        account = library.Account(self._owner, trunk, ipv6)
        account.create(settings)
        self._accounts.append(account)

    def of(self, trunk: str, *, ipv6: bool) -> library.Account:
        """The trunk's account, or ours for calls that are no trunk's."""
        fitting = (
            account
            for account in self._accounts
            if account.trunk == trunk and (trunk or account.ipv6 == ipv6)
        )
        return next(fitting, self._accounts[0])

    def on_registration(self, account: library.Account, active: bool) -> None:
        """The carrier's answer to our registration."""
        if self.registered.get(account.trunk) != active:
            log.info("trunk_registration", trunk=account.trunk, active=active)
        self.registered[account.trunk] = active

    def close(self) -> None:
        """Free them, before the library is destroyed."""
        for account in self._accounts:
            account.shutdown()
            library.Account.__swig_destroy__(account)
        self._accounts.clear()


def open_transports(endpoint: Any, config: SipConfig) -> tuple[int, int]:
    """Listen on every address for every kind; returns the port and TLS's, as chosen where they were 0."""
    port, tls_port = config.port, config.tls.port
    for host in config.hosts:
        for kind in config.transports:
            if kind == "tls":
                tls_port = open_transport(endpoint, config, kind, host, tls_port)
            else:
                port = open_transport(endpoint, config, kind, host, port)
    return port, tls_port


def open_transport(endpoint: Any, config: SipConfig, kind: str, host: str, port: int) -> int:
    """Listen for `kind` (udp, tcp, tls) on `host`; returns the port, chosen by the system where it was 0."""
    settings = pj.TransportConfig()
    settings.port = port
    if host not in (ANY_HOST, "::"):
        settings.boundAddress = host
    settings.publicAddress = config.public_address if ":" not in host else ""
    if kind == "tls":
        tls = settings.tlsConfig
        tls.certFile, tls.privKeyFile = config.tls.cert_file, config.tls.key_file
        tls.CaListFile = config.tls.ca_file
        tls.verifyServer = config.tls.verify_server
        tls.verifyClient = tls.requireClientCert = config.tls.verify_client
        tls.proto = pj.PJ_SSL_SOCK_PROTO_TLS1_2 | pj.PJ_SSL_SOCK_PROTO_TLS1_3
    transport_id = endpoint.transportCreate(_TRANSPORTS[kind, ":" in host], settings)
    return port or int(endpoint.transportGetInfo(transport_id).localAddress.rpartition(":")[2])


def own_account(config: SipConfig, host: str) -> Any:
    """The account of calls that are no trunk's, on one of our addresses."""
    account = _account(config, host, config.srtp)
    named = {ANY_HOST: "127.0.0.1", "::": "::1"}.get(host, host)
    if config.public_address and ":" not in host:
        named = config.public_address
    account.idUri = f"sip:{config.user}@" + (f"[{named}]" if ":" in named else named)
    return account


def trunk_account(config: SipConfig, trunk: TrunkConfig) -> Any:
    """The account of one trunk's calls, registered there if it wants that."""
    ours = next((ours for ours in config.hosts if (":" in ours) == (":" in trunk.host)), config.host)
    account = _account(config, ours, trunk.srtp)
    host = f"[{trunk.host}]" if ":" in trunk.host else trunk.host
    account.idUri = f"sip:{trunk.user or config.user}@{host}"
    if trunk.user and trunk.password:
        account.sipConfig.authCreds.push_back(pj.AuthCredInfo("digest", "*", trunk.user, 0, trunk.password))
    if trunk.registration:
        account.regConfig.registrarUri = trunk.uri
        account.regConfig.timeoutSec = trunk.registration_s
        account.regConfig.retryIntervalSec = account.regConfig.firstRetryIntervalSec = REGISTER_AGAIN_S
    return account


def _account(config: SipConfig, host: str, srtp: Srtp) -> Any:
    ipv6 = ":" in host
    account = pj.AccountConfig()
    calls = account.callConfig
    calls.timerUse = pj.PJSUA_SIP_TIMER_OPTIONAL
    calls.timerMinSESec, calls.timerSessExpiresSec = MIN_SESSION_TIMER_S, config.session_timer_s
    calls.prackUse = pj.PJSUA_100REL_OPTIONAL
    account.natConfig.sipOutboundUse = 0
    audio = account.mediaConfig
    audio.srtpUse, audio.srtpSecureSignaling = _SRTP[srtp], 0
    audio.ipv6Use = pj.PJSUA_IPV6_ENABLED_USE_IPV6_ONLY if ipv6 else pj.PJSUA_IPV6_DISABLED
    transport = audio.transportConfig
    transport.port = config.rtp_port
    transport.portRange = config.rtp_port_range if config.rtp_port else 0
    # Whoever talked with a process that crashed sends on to its port. Audio that comes before the caller's
    # own would be taken for the caller's, so the next process begins elsewhere.
    transport.randomizePort = True
    if not ipv6:
        transport.publicAddress = config.public_address
    if host not in (ANY_HOST, "::"):
        transport.boundAddress = host
    return account
