"""Logs: JSON or lines, to stderr, without words or numbers of callers."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from hotline import logs

pytestmark = [pytest.mark.unit]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_json_lines_carry_ids_and_withhold_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    log = structlog.get_logger()
    log.info("call_started", call_id="c1", caller="13800000000", text="我叫王敏")
    log.debug("too fine")
    logging.getLogger("elsewhere").warning("disk %s", "full")
    shown = capsys.readouterr()
    first, second = (json.loads(line) for line in shown.err.splitlines())
    assert (first["event"], first["call_id"], first["level"]) == ("call_started", "c1", "info")
    assert "13800000000" not in shown.err
    assert "王敏" not in shown.err
    assert (second["event"], second["level"]) == ("disk full", "warning")
    assert first["timestamp"].endswith("Z")
    assert shown.out == ""


def test_an_error_brings_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    try:
        raise ValueError("the reason")
    except ValueError:
        structlog.get_logger().exception("failed", call_id="c1")
    line = json.loads(capsys.readouterr().err)
    assert line["exception"][0]["exc_value"] == "the reason"


def test_console_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning", "console")
    structlog.get_logger().warning("seat_busy", seat="1001")
    structlog.get_logger().info("not shown")
    err = capsys.readouterr().err
    assert "seat_busy" in err
    assert "1001" in err
    assert "not shown" not in err


def test_auto_is_json_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "auto")
    structlog.get_logger().info("ready")
    assert json.loads(capsys.readouterr().err)["event"] == "ready"


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_does_not_show_what_the_variables_held(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("info", log_format)

    def answer(said: str) -> None:
        raise ValueError("no reply")

    try:
        answer(bytes.fromhex("e78e8be6958f").decode())  # not in the lines of code that a traceback quotes
    except ValueError:
        structlog.get_logger().exception("failed", call_id="c1")
    err = capsys.readouterr().err
    assert "no reply" in err
    assert "王敏" not in err
