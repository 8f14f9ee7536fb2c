"""Who calls and whom: numbers as the record shows them, whatever a trunk makes of them."""

from __future__ import annotations

import re
from collections.abc import Container
from urllib.parse import unquote

from voice.sip.message import Request, split_address, split_list

MAX_CHARACTERS = 64

_WITHHELD = ("anonymous", "unavailable", "restricted")
_PRIVATE = {"id", "user", "full"}  # RFC 3323, RFC 3325; "full" is of a draft and still sent
_URI = re.compile(r"(sips?|tel):(.*)", re.IGNORECASE | re.DOTALL)
_SEPARATORS = re.compile(r"[-.()\s]")  # RFC 3966's, and spaces
_DIALLED = re.compile(r"\+?[0-9]+")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_SERVICE = re.compile(r"[48]00[0-9]{7}")  # 400 and 800 numbers: ten digits without an area code
_FIXED = re.compile(r"10[0-9]{8}|2[0-9]{9}|[3-9][0-9]{9,10}")  # area code without its 0, and 7 or 8 digits


def caller_of(request: Request, *, trust_asserted: bool, country_code: str = "86") -> str:
    """The caller's number as it is dialled within the country; "" where it is withheld or there is none.

    P-Asserted-Identity (RFC 3325) counts before From if the peer is trusted with it.
    """
    privacy = {word.strip().lower() for value in request.all("privacy") for word in re.split("[;,]", value)}
    if privacy & _PRIVATE:
        return ""
    if trust_asserted:
        asserted = [item for value in request.all("p-asserted-identity") for item in split_list(value)]
        if any(_raw_user(item).lower() in _WITHHELD for item in asserted):
            return ""
        callers = [caller for item in asserted if (caller := normalised(user_of(item), country_code))]
        if callers:
            return next((caller for caller in callers if _DIALLED.fullmatch(caller)), callers[0])
    return normalised(user_of(request.header("from")), country_code)


def callee_of(request: Request, *, own_users: Container[str] = ()) -> str:
    """The number called, as it was called: the Request-URI's, or To's where that is empty or in `own_users`.

    `own_users` are the users of our own contacts, which a trunk we register with calls, whatever the number.
    """
    called = _kept(user_of(request.uri))
    if called and called not in own_users:
        return called
    return _kept(user_of(request.header("to"))) or called


def user_of(uri: str) -> str:
    """The user part of a SIP URI, name-addr or tel URI; "" where there is none or it is withheld."""
    user = _raw_user(uri)
    return "" if user.lower() in _WITHHELD else user


def _raw_user(uri: str) -> str:
    addressed = split_address(uri)[0] if "<" in uri else uri.strip()
    match = _URI.match(addressed)
    if match is None:
        return ""
    user, at, _ = match[2].partition("@")
    if not at and match[1].lower() != "tel":
        return ""
    return unquote(re.split("[:;]", user, maxsplit=1)[0])


def normalised(user: str, country_code: str = "86") -> str:
    """A number as it is dialled within the country: mobiles bare, fixed lines as 0 and area code, others +CC.

    Short numbers and names stay as they are. The rules for what is a mobile or an area are those of China;
    with another `country_code` numbers stay as the trunk gave them, with + for a leading 00.
    """
    user = _kept(user)
    digits = _SEPARATORS.sub("", user)
    if not _DIALLED.fullmatch(digits):
        return user
    if digits.startswith("00") and len(digits) >= 10:
        digits = "+" + digits[2:]
    if country_code != "86":
        return digits
    if digits.startswith("+86"):
        return _national(digits[3:]) or digits[3:]
    if digits.startswith("+"):
        return digits
    if digits.startswith("86"):
        return _national(digits[2:]) or digits
    if digits.startswith("0") and _MOBILE.fullmatch(digits[1:]):
        return digits[1:]
    return digits


def _national(digits: str) -> str:
    """The number after +86, where some trunks leave the area code's 0 in; "" for what is no such number."""
    bare = digits[1:] if digits.startswith("0") else digits
    if _MOBILE.fullmatch(bare) or _SERVICE.fullmatch(bare):
        return bare
    return "0" + bare if _FIXED.fullmatch(bare) else ""


def _kept(user: str) -> str:
    return "".join(char for char in user if char.isprintable()).strip()[:MAX_CHARACTERS]
