"""Commands to the library's thread do not wait until its wait for events is over."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.sip]

# Another process: the library can be started once in one only.
COMMANDS = """
import asyncio, time
from voice.sip import endpoint
from voice.sip.config import SipConfig

endpoint.IDLE_POLL_MS = 3000

async def main():
    phone = endpoint.SipEndpoint(SipConfig(host={host!r}, port=0, transports={transports!r}))
    await phone.start()
    slowest_s = 0.0
    for number in range(5):
        await asyncio.sleep(0.05)  # it waits for events again
        began_s = time.monotonic()
        await phone.hang_up_all()
        slowest_s = max(slowest_s, time.monotonic() - began_s)
    began_s = time.monotonic()
    await phone.stop()
    print(slowest_s, time.monotonic() - began_s)

asyncio.run(main())
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("transports", [("udp", "tcp"), ("tcp",)])
def test_a_command_ends_the_library_s_wait(host: str, transports: tuple[str, ...]) -> None:
    script = COMMANDS.format(host=host, transports=transports)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    slowest_s, stopped_s = map(float, run.stdout.split())
    assert slowest_s < 1.0
    assert stopped_s < 2.0
