"""Logging: one line an event, to stderr, for people on a terminal and as JSON otherwise.

Logs carry ids, never a caller's words or number; a guard test checks the calls, and `withhold` is the
second lock on that door.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

PRIVATE_KEYS = frozenset(
    {"answer", "callee", "caller", "name", "number", "partial", "password", "phone", "question"}
    | {"reply", "said", "slots", "summary", "text", "transcript", "utterance", "words"}
)


def configure(level: str, log_format: str) -> None:
    """Set up structlog and the standard library's logging; `log_format` is auto, json or console."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        withhold,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    last: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    # Both renderers would show the local variables of every frame, callers' words among them.
    if as_json:
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        last += [
            structlog.processors.ExceptionRenderer(frames),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    else:
        trace = structlog.dev.RichTracebackFormatter(show_locals=False)
        last += [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=trace)]
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "asyncio", "uvicorn.access"):  # they log addresses of what is fetched
        logging.getLogger(noisy).setLevel(logging.WARNING)


def withhold(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what could be a caller's words or number."""
    for key in PRIVATE_KEYS & event.keys():
        event[key] = "[withheld]"
    return event
