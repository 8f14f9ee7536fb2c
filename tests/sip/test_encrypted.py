"""Calls over TLS with encrypted audio; TLS in which both sides show certificates, all made here."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.sip.agent import ANSWER, QUESTION, Agent, environment, running_agent, words

pytestmark = [pytest.mark.sip]

NUMBER = "13000000001"
LIMITS = {"loop_late_s": 10.0}  # a slow machine is no reason to refuse calls here


@dataclass(frozen=True, slots=True)
class Identity:
    """A key, its certificate, and the files that both are in."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    key_file: Path
    cert_file: Path


def certify(folder: Path, name: str, issuer: Identity | None = None) -> Identity:
    """A certificate for loopback, good for an hour; an authority's own where there is no issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
    )
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    made = Identity(key, certificate, folder / f"{name}.key", folder / f"{name}.pem")
    encoding, none = serialization.Encoding.PEM, serialization.NoEncryption()
    pem = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, none)
    made.key_file.write_bytes(pem)
    made.cert_file.write_bytes(certificate.public_bytes(encoding))
    return made


@dataclass(frozen=True, slots=True)
class Secured:
    """An agent that listens on a TLS port, and the authority that both sides believe."""

    agent: Agent
    port: int
    authority: Identity
    folder: Path


@contextlib.contextmanager
def secured(folder: Path, cache: Path, **sip: Any) -> Iterator[Secured]:
    authority = certify(folder, "authority")
    ours = certify(folder, "agent", authority)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    files = {
        "tls_cert_file": ours.cert_file,
        "tls_key_file": ours.key_file,
        "tls_ca_file": authority.cert_file,
    }
    sip |= {"transports": ["udp", "tcp", "tls"], "tls_port": port}
    sip |= {key: str(path) for key, path in files.items()}
    with running_agent(folder, cache, sip=sip, limits=LIMITS) as agent:
        yield Secured(agent, port, authority, folder)


def test_a_call_over_tls_with_encrypted_audio(tmp_path: Path, voice_cache: Path) -> None:
    trunk = {"name": "secure", "uri": "sip:127.0.0.1;transport=tls", "srtp": "required"}
    with secured(tmp_path, voice_cache, trunks=[trunk]) as line:
        command = [sys.executable, "-m", "hotline", "call", f"sip:12345@127.0.0.1:{line.port}", "--json"]
        command += ["--from", NUMBER, "--transport", "tls", "--srtp", "--say", QUESTION]
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["turns"][0]["response_gap_ms"]
        call = line.agent.record(NUMBER)
    assert words(call, "caller") == [QUESTION]
    assert words(call, "agent")[-1].startswith(ANSWER)


def test_tls_with_the_certificates_of_both_sides(tmp_path: Path, voice_cache: Path) -> None:
    with secured(tmp_path, voice_cache, tls_verify_client=True) as line:
        context = ssl.create_default_context(cafile=str(line.authority.cert_file))
        assert options(line, context) == "", "no certificate, no answer"
        stranger = certify(tmp_path, "stranger")
        context.load_cert_chain(stranger.cert_file, stranger.key_file)
        assert options(line, context) == "", "nobody vouches for it"
        carrier = certify(tmp_path, "carrier", line.authority)
        context.load_cert_chain(carrier.cert_file, carrier.key_file)
        assert options(line, context) == "SIP/2.0 200 OK"


def options(line: Secured, context: ssl.SSLContext) -> str:
    """The start line of the answer to OPTIONS; "" where the connection is refused."""
    me = f"127.0.0.1:{line.port}"
    lines = [
        f"OPTIONS sip:12345@{me} SIP/2.0",
        "Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK1",
        "CSeq: 1 OPTIONS",
    ]
    lines += ["From: <sip:a@127.0.0.1>;tag=1", f"To: <sip:12345@{me}>", "Call-ID: tls", "Content-Length: 0"]
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        plain = socket.create_connection(("127.0.0.1", line.port), timeout=5)
        with plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
            tls.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            return tls.recv(4096).decode().partition("\r\n")[0]
    return ""
