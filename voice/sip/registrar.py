"""The registrar of seats' telephones (RFC 3261 §10), for where there is no PBX that they register with."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from voice.sip.digest import Challenger
from voice.sip.identity import user_of
from voice.sip.message import Answer, Request, Source, number, parameters, split_address, split_list

MAX_URI = 256  # characters of a contact

_CONTACT = re.compile(
    r"sips?:(?:([\w.!~*'()&=+$,;?/%-]+)(?::[^\s@<>]*)?@)?[!-;=?A-~]+", re.ASCII | re.IGNORECASE
)


class Registered(NamedTuple):
    """A registered telephone, as the desk shows it."""

    user: str
    host: str
    expires_s: int


@dataclass(frozen=True, slots=True)
class Binding:
    """A contact with the flow it registered through, which is what leads back through NAT."""

    user: str
    contact: str
    source: Source
    call_id: str
    cseq: int
    expires_at_s: float

    @property
    def target(self) -> str:
        """The SIP URI to dial."""
        match = _CONTACT.fullmatch(self.contact)
        user = f"{match[1]}@" if match and match[1] else ""
        host = f"[{self.source.host}]" if ":" in self.source.host else self.source.host
        transport = "" if self.source.transport == "udp" else f";transport={self.source.transport}"
        return f"sip:{user}{host}:{self.source.port}{transport}"


class _Wish(NamedTuple):
    contact: str
    expires_s: int


class Registrar:
    """Answers REGISTER, and knows where a user is.

    `users` gives each user's password, and may change while we run. `on_change(user)` is called when a
    telephone comes, moves or goes; one that merely expires goes when it is next asked for. Not for several
    threads: all calls belong on the SIP thread.
    """

    def __init__(
        self,
        users: Mapping[str, str],
        challenger: Challenger,
        min_expires_s: int = 60,
        max_expires_s: int = 3600,
        max_contacts: int = 5,
        on_change: Callable[[str], None] | None = None,
    ) -> None:
        if not 0 < min_expires_s <= max_expires_s or max_contacts < 1:
            raise ValueError("0 < min_expires_s <= max_expires_s and max_contacts >= 1 must hold")
        self.users = users
        self.challenger = challenger
        self._min_expires_s = min_expires_s
        self._max_expires_s = max_expires_s
        self._max_contacts = max_contacts
        self._on_change = on_change
        self._bindings: dict[str, dict[str, Binding]] = {}  # by user and contact, the newest contact last
        self._flows: dict[Source, dict[tuple[str, str], Binding]] = {}

    def handle(self, request: Request, now_s: float) -> Answer:
        """Answer a REGISTER: all but the right password gets the same 401, whether the user exists or not."""
        verdict = self.challenger.verify_request(request, self.users.get, now_s)
        if verdict.outcome != "ok":
            cause = "wrong_digest" if verdict.outcome == "wrong" else "challenged"
            return self.challenger.unauthorized(now_s, stale=verdict.outcome == "stale", cause=cause)
        if user_of(request.header("to")) != verdict.user:
            return Answer(403, "Forbidden", cause="foreign_address")
        return self._update(verdict.user, request, now_s)

    def target(self, user: str, now_s: float) -> str | None:
        """The SIP URI of the user's newest telephone; None where none is registered."""
        live = self._live(user, now_s)
        return live[-1].target if live else None

    def bindings(self, now_s: float) -> list[Registered]:
        """All registered telephones."""
        return [
            Registered(user, binding.source.host, math.ceil(binding.expires_at_s - now_s))
            for user in list(self._bindings)
            for binding in self._live(user, now_s)
        ]

    def user_at(self, source: Source, now_s: float) -> str | None:
        """Whose telephone sends from there; None where no live registration came that way."""
        for binding in reversed(self._flows.get(source, {}).values()):
            if binding.expires_at_s > now_s:
                return binding.user
        return None

    def _update(self, user: str, request: Request, now_s: float) -> Answer:
        self._live(user, now_s)
        items = [item for value in request.all("contact") for item in split_list(value)]
        if not items:
            return self._ok(user, now_s)
        if "*" in items:
            if len(items) > 1 or number(request.header("expires")) != 0:
                return Answer(400, "Bad Request", cause="bad_register")
            wishes = [_Wish(contact, 0) for contact in self._bindings.get(user, {})]
        else:
            wishes = [wish for item in items if (wish := self._wish(item, request))]
            if len(wishes) < len(items):
                return Answer(400, "Bad Request", cause="bad_register")
        if any(0 < wish.expires_s < self._min_expires_s for wish in wishes):
            headers = (("Min-Expires", str(self._min_expires_s)),)
            return Answer(423, "Interval Too Brief", headers, "bad_register")
        return self._apply(user, wishes, request, now_s)

    def _wish(self, item: str, request: Request) -> _Wish | None:
        """One contact and for how long; None for one that cannot be called."""
        contact, params = split_address(item)
        if len(contact) > MAX_URI or not _CONTACT.fullmatch(contact):
            return None
        expires_s = number(parameters(params).get("expires") or request.header("expires"))
        return _Wish(
            contact, self._max_expires_s if expires_s is None else min(expires_s, self._max_expires_s)
        )

    def _apply(self, user: str, wishes: list[_Wish], request: Request, now_s: float) -> Answer:
        """All of them or none, in the order of CSeq within a Call-ID (RFC 3261 §10.3, step 7)."""
        call_id, cseq = request.call_id, request.cseq[0]
        old = self._bindings.get(user, {})
        touched = [old[wish.contact] for wish in wishes if wish.contact in old]
        before = [binding.cseq for binding in touched if binding.call_id == call_id]
        if any(cseq < known for known in before):
            return Answer(500, "Server Internal Error", cause="bad_register")
        if cseq in before:  # the same request again, its answer was lost
            return self._ok(user, now_s)
        flows = {contact: binding.source for contact, binding in old.items()}
        for contact, expires_s in wishes:
            if expires_s:
                binding = Binding(user, contact, request.source, call_id, cseq, now_s + expires_s)
                self._put(binding)
            else:
                self._remove(user, contact)
        for contact in list(self._bindings.get(user, {}))[: -self._max_contacts]:
            self._remove(user, contact)
        if flows != {contact: binding.source for contact, binding in self._bindings.get(user, {}).items()}:
            self._changed(user)
        return self._ok(user, now_s)

    def _ok(self, user: str, now_s: float) -> Answer:
        contacts = tuple(
            ("Contact", f"<{binding.contact}>;expires={math.ceil(binding.expires_at_s - now_s)}")
            for binding in self._live(user, now_s)
        )
        return Answer(200, "OK", contacts, "registered")

    def _live(self, user: str, now_s: float) -> list[Binding]:
        """The user's bindings, the newest last; drops those that have expired."""
        bindings = list(self._bindings.get(user, {}).values())
        gone = [binding for binding in bindings if binding.expires_at_s <= now_s]
        for binding in gone:
            self._remove(user, binding.contact)
        if gone:
            self._changed(user)
        return [binding for binding in bindings if binding.expires_at_s > now_s]

    def _put(self, binding: Binding) -> None:
        """A refresh keeps its place, or two telephones that refresh by turns would ring by turns."""
        old = self._bindings.get(binding.user, {}).get(binding.contact)
        if old is not None:
            self._forget_flow(old)
        self._bindings.setdefault(binding.user, {})[binding.contact] = binding
        self._flows.setdefault(binding.source, {})[binding.user, binding.contact] = binding

    def _remove(self, user: str, contact: str) -> None:
        binding = self._bindings.get(user, {}).pop(contact, None)
        if binding is None:
            return
        self._forget_flow(binding)
        if not self._bindings[user]:
            del self._bindings[user]

    def _forget_flow(self, binding: Binding) -> None:
        flow = self._flows[binding.source]
        del flow[binding.user, binding.contact]
        if not flow:
            del self._flows[binding.source]

    def _changed(self, user: str) -> None:
        if self._on_change is not None:
            self._on_change(user)
