"""sipp as a seat's telephone: serves one call as a scenario in tests/sip/scenarios/seat_*.xml says."""

from __future__ import annotations

import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.sipp_caller import SCENARIOS, SIPP, Result

PCAPS = Path("/usr/share/sip-tester")
VOICE = PCAPS / "g711a.pcap"
TIMEOUT_S = 100
EVENTS = 120  # the payload type at which our agent wants RFC 4733 events
PCAP_HEAD, RECORD_HEAD, RTP_AT = 24, 16, 42


@dataclass(frozen=True, slots=True)
class SippSeat:
    """A running sipp."""

    uri: str
    process: subprocess.Popen[str]
    log: Path

    def result(self) -> Result:
        """How it ended, once it has: 0 when every message came as the scenario says."""
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        why = self.log.read_text(errors="replace") if self.log.exists() else out + err
        return Result(self.process.returncode, why)


@contextmanager
def sipp_seat(folder: Path, scenario: str, name: str, keys: Mapping[str, str]) -> Iterator[SippSeat]:
    """A seat for the length of a with block; its call must come within that."""
    assert SIPP is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log, script = folder / f"{name}.log", (SCENARIOS / f"{scenario}.xml").read_text(encoding="utf-8")
    for key, value in {"voice": str(VOICE), **keys}.items():  # sipp itself puts none into a status line
        script = script.replace(f"[{key}]", value)
    (folder / f"{name}.xml").write_text(script, encoding="utf-8")
    command = [SIPP, "-sf", f"{name}.xml", "-i", "127.0.0.1", "-mi", "127.0.0.1"]
    command += ["-p", str(port), "-m", "1", "-nostdin", "-timeout", str(TIMEOUT_S), "-timeout_error"]
    command += ["-trace_err", "-error_file", log.name]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield SippSeat(f"sip:seat@127.0.0.1:{port}", process, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def key_pcap(folder: Path, key: str) -> str:
    """sipp's own recording of a key, sent at the payload type that our agent asks for."""
    raw = bytearray((PCAPS / f"dtmf_2833_{key}.pcap").read_bytes())
    at = PCAP_HEAD
    while at < len(raw):
        (length,) = struct.unpack_from("<I", raw, at + 8)
        kind = at + RECORD_HEAD + RTP_AT + 1
        raw[kind] = raw[kind] & 0x80 | EVENTS
        at += RECORD_HEAD + length
    path = folder / f"key-{key}.pcap"
    path.write_bytes(raw)
    return str(path)
