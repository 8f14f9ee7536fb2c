"""Trunk and seat settings: what the sections [sip] and [seats] of hotline.toml may say.

The models raise pydantic's ValidationError; `hotline.settings` turns it into one clear line.
"""

from sip_config.base import Section
from sip_config.seats import SeatSettings, SeatsSettings
from sip_config.trunks import PortRange, SipSettings, TrunkSettings

__all__ = ["PortRange", "SeatSettings", "SeatsSettings", "Section", "SipSettings", "TrunkSettings"]
