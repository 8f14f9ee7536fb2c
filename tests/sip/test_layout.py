"""A library whose ports do not do as they should is told by what they do, before they do any harm."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.sip]

# Another process: the library can be started once in one only.
START = """
import asyncio, ctypes
from voice.phone import Unreachable
from voice.sip import endpoint, own_port, ports
from voice.sip.config import SipConfig

{change}

async def main():
    phone = endpoint.SipEndpoint(SipConfig(host="127.0.0.1", port=0))
    try:
        await phone.start()
    except (Unreachable, AttributeError) as error:
        print(error)
    else:
        await phone.stop()

asyncio.run(main())
"""
SHORTER = "ports._SHAPE, own_port.FRAME_BYTES = (8000, 1, 80, 16), 160"
SWAPPED = """
names = ["type", "buf", "timestamp", "size", "bit_info"]
fields = tuple((name, dict(ports.Frame._fields_)[name]) for name in names)
ports.Frame = type("Other", (ctypes.Structure,), dict(_fields_=fields))
"""
OWN = "ports._MEMORY_PORTS = False"  # as in the package index's build
LARGER = f"{OWN}; own_port.INFO_BYTES = 48"
BROKEN = "ports.clibrary = None"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("", ""),
        (OWN, ""),
        (BROKEN, "NoneType"),
        (LARGER, "lays out pjmedia_port in an unknown way"),
        (f"{OWN}; {SHORTER}", "play and record memory"),
        (SHORTER, "play and record memory"),
        (SWAPPED, "play and record memory"),
    ],
)
def test_a_library_whose_ports_do_otherwise_is_no_start(change: str, told: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", START.format(change=change)], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert told in run.stdout if told else not run.stdout
