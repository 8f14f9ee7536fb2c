"""The settings of the telephone side, as the SIP endpoint takes them."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network

from hotline.errors import UsageError
from hotline.settings import Settings
from sip_config import Network, SeatSettings, TrunkSettings
from voice.sip import SipConfig, TlsConfig, TrunkConfig
from voice.sip.config import REGISTERED


def sip_config(settings: Settings) -> SipConfig:
    """The endpoint's configuration; trunks named by host are looked up. Raises UsageError."""
    sip = settings.sip
    return SipConfig(
        host=sip.host,
        ipv6_host=sip.ipv6_host,
        port=sip.port,
        transports=tuple(sip.transports),
        tls=TlsConfig(
            port=sip.tls_port,
            cert_file=sip.tls_cert_file,
            key_file=sip.tls_key_file,
            ca_file=sip.tls_ca_file,
            verify_client=sip.tls_verify_client,
            verify_server=sip.tls_verify_server,
        ),
        rtp_port=sip.rtp_ports.first,
        rtp_port_range=sip.rtp_ports.last - sip.rtp_ports.first,
        rtp_timeout_s=sip.rtp_timeout_s,
        session_timer_s=sip.session_timer_s,
        public_address=sip.public_address,
        max_calls=settings.limits.max_calls,
        trunks=tuple(_trunk(trunk) for trunk in sip.trunks),
        allow=sip.allow,
        rate_per_s=sip.rate_per_s,
        realm=sip.realm,
        country_code=sip.country_code,
        registrations={
            seat.user: seat.password.get_secret_value() for seat in settings.seats.seats if seat.user
        },
    )


def seat_uri(seat: SeatSettings) -> str:
    """Where a seat's telephone rings: its `uri`, or wherever its `user` is registered with us."""
    return seat.uri or f"sip:{seat.user}@{REGISTERED}"


def _trunk(trunk: TrunkSettings) -> TrunkConfig:
    return TrunkConfig(
        name=trunk.name,
        uri=trunk.uri,
        host=trunk.host,
        networks=trunk.networks or _addresses(trunk),
        registration=trunk.registration,
        registration_s=trunk.registration_s,
        user=trunk.user,
        password=trunk.password.get_secret_value(),
        challenge=trunk.challenge,
        srtp=trunk.srtp,
        early_media=trunk.early_media,
        asserted_identity=trunk.asserted_identity,
    )


def _addresses(trunk: TrunkSettings) -> tuple[Network, ...]:
    """The addresses of the trunk's host; none for one that proves itself by password from anywhere."""
    try:
        found = {ip_address(trunk.host)}
    except ValueError:
        try:
            found = {ip_address(info[4][0]) for info in socket.getaddrinfo(trunk.host, None)}
        except OSError as error:
            if trunk.challenge:
                return ()
            raise UsageError(
                f"sip.trunks: {trunk.name}'s host {trunk.host} cannot be looked up"
                f" ({error.strerror or error}); name the networks that its calls come from in networks"
            ) from None
    return tuple(ip_network(address) for address in sorted(found, key=str))
