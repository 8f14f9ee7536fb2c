"""Kamailio in front of several nodes: its configuration, made from the settings."""

from sip_config.kamailio.config import ProxyUnset, render

__all__ = ["ProxyUnset", "render"]
