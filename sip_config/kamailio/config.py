"""Fills the template kamailio.cfg and writes the lists beside it, from the settings [proxy] and [sip]."""

from __future__ import annotations

import re
from importlib.resources import files
from ipaddress import ip_network
from pathlib import Path

from sip_config.proxy import HostPort, ProxySettings
from sip_config.trunks import Network, SipSettings, TrunkSettings

CONTROL_SOCKET = Path("/run/kamailio/kamailio_ctl")  # where kamcmd looks for it
TRUNKS, NODES = 1, 2  # groups in address.list


class ProxyUnset(ValueError):
    """The settings do not say enough for a proxy; the message names the key and what would be right."""


def render(
    proxy: ProxySettings, sip: SipSettings, folder: Path, control: Path = CONTROL_SOCKET
) -> dict[str, str]:
    """The files of Kamailio's configuration by name: kamailio.cfg, dispatcher.list, address.list, tls.cfg.

    `folder` (absolute) is where they will lie on the proxy's machine, `control` the socket for kamcmd.
    tls.cfg is there only with the transport tls. Raises ProxyUnset.
    """
    if not proxy.listen:
        raise ProxyUnset("proxy.listen is not set; it is the proxy's own address, such as 10.0.0.5:5060")
    if not proxy.nodes:
        raise ProxyUnset("proxy.nodes is empty; name the address of each node, such as sip:10.0.0.11:5060")
    made = {
        "kamailio.cfg": _kamailio(proxy, folder, control),
        "dispatcher.list": _dispatcher(proxy),
        "address.list": _addresses(proxy, sip),
    }
    if "tls" in proxy.transports:
        made["tls.cfg"] = _tls(proxy)
    return made


def _kamailio(proxy: ProxySettings, folder: Path, control: Path) -> str:
    outside, inside = _sides(proxy)
    values = {
        "DEFINES": "#!define WITH_TLS" if "tls" in proxy.transports else "",
        "LISTEN": _listen(proxy),
        "DIR": str(folder),
        "CONTROL": str(control),
        "INSIDE_HOST": inside.sip_host,
        "PROBE_S": str(proxy.probe_s),
        "RATE_PER_S": str(proxy.rate_per_s),
        "OUTSIDE_SOCKETS": _outside_sockets(proxy) if outside != inside else "",
    }
    template = files("sip_config.kamailio").joinpath("kamailio.cfg").read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], template)


def _sides(proxy: ProxySettings) -> tuple[HostPort, HostPort]:
    """Where trunks reach the proxy, and where nodes do."""
    outside = HostPort.parse(proxy.listen)
    return outside, HostPort.parse(proxy.inside) if proxy.inside else outside


def _ports(proxy: ProxySettings) -> dict[str, HostPort]:
    """Where trunks reach the proxy, by transport."""
    outside, _ = _sides(proxy)
    return {
        name: outside._replace(port=proxy.tls_port) if name == "tls" else outside for name in proxy.transports
    }


def _listen(proxy: ProxySettings) -> str:
    _, inside = _sides(proxy)
    public = f"[{proxy.public_address}]" if ":" in proxy.public_address else proxy.public_address
    lines = [
        f"listen={name}:{at}" + (f" advertise {public}:{at.port}" if public else "")
        for name, at in _ports(proxy).items()
    ]
    # Nodes may use either transport, whatever is open to the outside.
    lines += [f"listen={name}:{inside}" for name in ("udp", "tcp") if _ports(proxy).get(name) != inside]
    return "\n".join(lines)


def _outside_sockets(proxy: ProxySettings) -> str:
    """From which address messages leave for trunks, where nodes reach the proxy at another one."""
    lines = [
        f'    if ($rP =~ "^{name}$") {{\n        $fs = "{name}:{at}";\n    }}'
        for name, at in _ports(proxy).items()
    ]
    return "\n".join(lines)


def _dispatcher(proxy: ProxySettings) -> str:
    _, inside = _sides(proxy)
    lines = ["# group, address, flags, priority, attributes: made by `hotline kamailio-config`"]
    for node in proxy.nodes:
        transport = "tcp" if node.uri.endswith(";transport=tcp") else "udp"
        name = re.sub(r"[^0-9A-Za-z]+", "-", node.uri.removeprefix("sip:")).strip("-")
        attributes = f"duid={name};socket={transport}:{inside};maxload={node.max_calls}"
        lines.append(f"1 {node.uri} 0 0 {attributes}")
    return "\n".join(lines) + "\n"


def _addresses(proxy: ProxySettings, sip: SipSettings) -> str:
    """Who is talked to: the trunks' networks, and the nodes' machines."""
    allowed = [
        (f"trunk {' '.join(trunk.name.split())}", network)
        for trunk in sip.trunks
        for network in _networks(trunk)
    ]
    allowed += [("sip.allow", network) for network in sip.allow]
    if not allowed:
        raise ProxyUnset(
            "sip.trunks and sip.allow name nobody who may call; name each trunk and its networks"
        )
    lines = [f"# group ({TRUNKS} trunks, {NODES} nodes), network, bits: made by `hotline kamailio-config`"]
    for name, network in allowed:
        lines += [f"# {name}", f"{TRUNKS} {network.network_address} {network.prefixlen}"]
    nodes = sorted({ip_network(node.address) for node in proxy.nodes}, key=str)
    lines += [f"{NODES} {network.network_address} {network.prefixlen}" for network in nodes]
    return "\n".join(lines) + "\n"


def _networks(trunk: TrunkSettings) -> tuple[Network, ...]:
    if trunk.networks:
        return trunk.networks
    try:
        return (ip_network(trunk.host),)
    except ValueError:
        raise ProxyUnset(
            f"sip.trunks: {trunk.name!r} has a name and no address in uri; give the networks it calls from"
        ) from None


def _tls(proxy: ProxySettings) -> str:
    certificate = [
        f"certificate = {_file(proxy.tls_cert_file)}",
        f"private_key = {_file(proxy.tls_key_file)}",
    ]
    # Not the system's by default: every process of Kamailio would read them all, for ten seconds.
    authorities = [f"ca_list = {_file(proxy.tls_ca_file)}"] if proxy.tls_ca_file else []
    asked = "yes" if proxy.tls_verify_client else "no"
    lines = ["# made by `hotline kamailio-config`", "[server:default]", "method = TLSv1.2+", *certificate]
    lines += [*authorities, f"verify_certificate = {asked}", f"require_certificate = {asked}", ""]
    lines += ["[client:default]", "method = TLSv1.2+", *certificate, *authorities]
    lines += ["verify_certificate = yes", "require_certificate = yes"]
    return "\n".join(lines) + "\n"


def _file(name: str) -> Path:
    return Path(name).expanduser().absolute()
