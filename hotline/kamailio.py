"""`hotline kamailio-config`: writes the configuration of the proxy in front of several nodes."""

from __future__ import annotations

from pathlib import Path

from hotline.console import out
from hotline.errors import SettingsError, UsageError
from hotline.settings import Settings
from sip_config.kamailio import ProxyUnset, render


def write_configuration(settings: Settings, folder: Path, installed: Path | None, force: bool) -> None:
    """Write Kamailio's files into `folder`; `installed` is where they will lie on the proxy, if elsewhere.

    Raises SettingsError, or UsageError when a file is there already and `force` is not given.
    """
    place = (installed or folder).expanduser().absolute()
    try:
        made = render(settings.proxy, settings.sip, place)
    except ProxyUnset as error:
        raise SettingsError(str(error)) from None
    there = [str(folder / name) for name in made if (folder / name).exists()]
    if there and not force:
        raise UsageError(
            f"{', '.join(there)}: there already; --force writes over it, --out names another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    count = len(settings.proxy.nodes)
    out.print(
        f"{folder}: {', '.join(made)} for {count} node{'s'[: count > 1]} behind {settings.proxy.listen};"
        f" check on the proxy with: kamailio -c -f {place / 'kamailio.cfg'}"
    )
