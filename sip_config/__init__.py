"""Trunk, seat and proxy settings: what the sections [sip], [seats] and [proxy] of hotline.toml may say.

The models raise pydantic's ValidationError; `hotline.settings` turns it into one clear line.
"""

from sip_config.base import Section
from sip_config.proxy import ProxyNode, ProxySettings
from sip_config.seats import SeatSettings, SeatsSettings
from sip_config.trunks import Network, PortRange, SipSettings, TrunkSettings

__all__ = [
    "Network",
    "PortRange",
    "ProxyNode",
    "ProxySettings",
    "SeatSettings",
    "SeatsSettings",
    "Section",
    "SipSettings",
    "TrunkSettings",
]
