"""SIP and RTP by pjsua2: the only package that imports it; implements `voice.phone`.

Threads: one thread of ours owns the library (`threadCnt = 0`): it polls for events, runs every operation from
a queue and is the only one to create or free a pjsua2 object. Another, `clock.Clock`, moves the audio on
while there are calls; on it `ports.Port` copies frames, and nothing else. Everything else happens on the
event loop.

Ports are pooled and never freed while the library runs: freeing one races with the clock.
"""

from __future__ import annotations

from voice.sip.config import DEFAULT_CODECS, SipConfig, TlsConfig, TrunkConfig
from voice.sip.endpoint import SipEndpoint
from voice.sip.leg import SipLeg
from voice.sip.library import BuildInfo, build_info, default_max_calls

__all__ = [
    "DEFAULT_CODECS",
    "BuildInfo",
    "SipConfig",
    "SipEndpoint",
    "SipLeg",
    "TlsConfig",
    "TrunkConfig",
    "build_info",
    "default_max_calls",
]
