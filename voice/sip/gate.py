"""Sees every SIP request before the library's own layers do, answers it or lets it pass.

pjsua2 has no hook for this: a `pjsip_module` is registered through ctypes, ahead of the transaction
layer, so that what is unwanted costs neither a transaction nor a call slot.
Reference: pjsip/sip_module.h, pjsip/sip_transport.h.
"""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Callable, Sequence
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_long, c_ssize_t, c_void_p

import structlog

from voice.sip.message import Request, Source, parse_request

log = structlog.get_logger()

BEFORE_TRANSACTIONS = 12  # PJSIP_MOD_PRIORITY_TSX_LAYER is 16, the transport layer's 8
PACKET_OFFSET = (
    24 + 35 * 8 + 16
)  # in pjsip_rx_data: pool, transport, its data; the I/O key; the time of arrival
SEARCH_BYTES = 70_000
ADDRESS_TEXT_BYTES = 46  # PJ_INET6_ADDRSTRLEN
HEADER_BYTES = 256  # a list head; more than any pjsip_hdr
PASS, TAKEN = 0, 1

Answer = tuple[int, str, Sequence[tuple[str, str]]]  # status, reason, headers


class GateError(Exception):
    """This pjsua2 build cannot be used: its structures are laid out in an unknown way."""


class Text(Structure):
    """`pj_str_t`; keep it as long as the library may read it."""

    _fields_ = (("ptr", c_char_p), ("slen", c_ssize_t))

    @classmethod
    def of(cls, text: str) -> Text:
        raw = text.encode()
        return cls(raw, len(raw))


_OnMessage = CFUNCTYPE(c_int, c_void_p)


class _Module(Structure):
    """`pjsip_module`."""

    _fields_ = (
        ("prev", c_void_p),
        ("next", c_void_p),
        ("name", Text),
        ("id", c_int),
        ("priority", c_int),
        ("load", c_void_p),
        ("start", c_void_p),
        ("stop", c_void_p),
        ("unload", c_void_p),
        ("on_rx_request", _OnMessage),
        ("on_rx_response", c_void_p),
        ("on_tx_request", c_void_p),
        ("on_tx_response", c_void_p),
        ("on_tsx_state", c_void_p),
    )


class Gate:
    """`decide(request)` gives None to let a request pass, an Answer to send, or False to drop it.

    It is called on the thread that polls the library, and must be quick. A request that cannot be read is
    dropped.
    """

    def __init__(self, library: ctypes.CDLL, decide: Callable[[Request], Answer | bool | None]) -> None:
        self._library = library
        self._decide = decide
        self._text_offset = 0  # of msg_info.msg_buf in pjsip_rx_data; 0 until the first request
        self._probe = b""
        self._probed: Source | None = None
        self._declare()
        self._callback = _OnMessage(self._on_request)
        self._module = _Module(
            name=Text.of("hotline-gate"), id=-1, priority=BEFORE_TRANSACTIONS, on_rx_request=self._callback
        )

    def _declare(self) -> None:
        lib = self._library
        lib.pjsua_get_pjsip_endpt.restype = c_void_p
        lib.pjsip_endpt_register_module.argtypes = (c_void_p, POINTER(_Module))
        lib.pjsip_endpt_unregister_module.argtypes = (c_void_p, POINTER(_Module))
        respond = lib.pjsip_endpt_respond_stateless
        respond.argtypes = (c_void_p, c_void_p, c_int, POINTER(Text), c_void_p, c_void_p)
        lib.pjsip_generic_string_hdr_create.argtypes = (c_void_p, POINTER(Text), POINTER(Text))
        lib.pjsip_generic_string_hdr_create.restype = c_void_p
        lib.pj_list_insert_before.argtypes = (c_void_p, c_void_p)
        lib.pj_list_insert_before.restype = None

    def open(self) -> None:
        """Register; after the library's init, on its thread."""
        self._endpoint = self._library.pjsua_get_pjsip_endpt()
        status = self._library.pjsip_endpt_register_module(self._endpoint, ctypes.byref(self._module))
        if status:
            raise GateError(f"the library does not take a module: status {status}")

    def close(self) -> None:
        """Unregister, before the library is destroyed."""
        self._library.pjsip_endpt_unregister_module(self._endpoint, ctypes.byref(self._module))

    def prove(self, address: tuple[str, int], poll: Callable[[], None]) -> None:
        """Send ourselves a datagram and see that it is read as it was sent. Raises GateError."""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.connect(address)
            host, port = sender.getsockname()[:2]
            uri = f"[{host}]" if ":" in host else host
            self._probe = (
                f"OPTIONS sip:gate@{uri} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {uri}:{port};branch=z9hG4bKgate;rport\r\n"
                f"From: <sip:gate@{uri}>;tag=gate\r\nTo: <sip:gate@{uri}>\r\nCall-ID: gate-{port}\r\n"
                "CSeq: 1 OPTIONS\r\nMax-Forwards: 1\r\nContent-Length: 0\r\n\r\n"
            ).encode()
            sender.send(self._probe)
            for _ in range(200):
                poll()
                if self._probed is not None:
                    break
        self._probe = b""
        if self._probed != Source(host, port, "udp"):
            raise GateError("this pjsua2 build lays out pjsip_rx_data in an unknown way and cannot be used")

    def _on_request(self, rdata: int) -> int:
        try:
            return self._judge(rdata)
        except Exception as error:
            log.error("sip_callback_failed", where="gate", exc_info=error)
            return TAKEN

    def _judge(self, rdata: int) -> int:
        if not self._text_offset:
            self._text_offset = _find_text(rdata)
        text_at = c_void_p.from_address(rdata + self._text_offset).value or 0
        text = ctypes.string_at(text_at, c_int.from_address(rdata + self._text_offset + 8).value)
        source = self._source(rdata)
        if self._probe and text == self._probe:
            self._probed = source
            return TAKEN
        request = parse_request(text, source)
        if request is None:
            return TAKEN
        answer = self._decide(request)
        if answer is None:
            return PASS
        if not isinstance(answer, bool):
            self._respond(rdata, *answer)
        return TAKEN

    def _source(self, rdata: int) -> Source:
        """`pkt_info` ends with src_name and src_port; msg_info.msg_buf follows."""
        port = c_int.from_address(rdata + self._text_offset - 8).value
        name = ctypes.string_at(
            rdata + self._text_offset - 8 - _aligned(ADDRESS_TEXT_BYTES), ADDRESS_TEXT_BYTES
        )
        transport = c_void_p.from_address(rdata + 8).value or 0
        kind = ctypes.string_at(transport, 3).decode("ascii", "replace")  # of its name: tcps0x…
        host = name.partition(b"\0")[0].decode("ascii", "replace")
        return Source(host, port, "tcp" if kind == "tcp" else "tls" if kind == "tls" else "udp")

    def _respond(self, rdata: int, status: int, reason: str, headers: Sequence[tuple[str, str]]) -> None:
        pool = c_void_p.from_address(rdata).value
        head = ctypes.create_string_buffer(HEADER_BYTES)
        head_at = ctypes.addressof(head)
        for offset in (0, 8):  # an empty list: previous and next are itself
            c_void_p.from_address(head_at + offset).value = head_at
        kept = []  # the names are not copied before the response is made
        for name, value in headers:
            texts = Text.of(name), Text.of(value)
            kept.append(texts)
            header = self._library.pjsip_generic_string_hdr_create(pool, *map(ctypes.byref, texts))
            self._library.pj_list_insert_before(head_at, header)
        text = Text.of(reason)
        self._library.pjsip_endpt_respond_stateless(
            self._endpoint, rdata, status, ctypes.byref(text), head_at if headers else None, None
        )


def _aligned(size: int) -> int:
    return (size + 3) // 4 * 4


def _find_text(rdata: int) -> int:
    """Where in pjsip_rx_data the pointer to the message lies: the first word that points at the packet.

    The packet's room before it depends on how the library was built (PJSIP_MAX_PKT_LEN).
    """
    packet = rdata + PACKET_OFFSET
    for offset in range(PACKET_OFFSET, SEARCH_BYTES, ctypes.sizeof(c_long)):
        if c_void_p.from_address(rdata + offset).value == packet:
            return offset
    raise GateError("this pjsua2 build lays out pjsip_rx_data in an unknown way and cannot be used")
