"""The builds of pjsua2 there are: the installed one, and others whose wheels `make pjsua2` left in dist/."""

from __future__ import annotations

import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

DIST = Path(__file__).parents[2] / "dist"
INSTALLED = version("pjsua2-python")


def builds() -> dict[str, Path | None]:
    """Versions, with the wheel of each that is not installed."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    wheels = {
        wheel.name.split("-")[1]: wheel
        for wheel in sorted(DIST.glob("pjsua2_python-*.whl"))
        if python in wheel.name
    }
    return {INSTALLED: None, **{name: wheel for name, wheel in wheels.items() if name != INSTALLED}}


def unpacked(wheel: Path | None, folder: Path) -> str:
    """Where a wheel's packages can be imported from; "" for the installed build."""
    if wheel is None:
        return ""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return str(folder)
