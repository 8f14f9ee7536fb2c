"""The command `hotline eval kb`: how rightly the knowledge base and the dialog answer labelled questions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hotline.console import err, out
from hotline.errors import HotlineError, UsageError

if TYPE_CHECKING:
    from dialog.passages import Passage
    from hotline.kb_cases import Case
    from hotline.kb_evaluation import Became, Choice, Figures, Outcome, Reliability, Row
    from hotline.settings import Settings
    from hotline.turn_evaluation import Share

_SHOWN = 20  # of the worst; the JSON has all


def eval_kb(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA...", help="Files of JSON lines (text, passages), or folders of such."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Also write a page with plots; it holds callers' words."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="F", help="Settings file (default: hotline.toml, if there)."),
    ] = None,
) -> int:
    """Put labelled questions to the knowledge base and to the embedded dialog: right, wrong, asked, unknown.

    Every text is the first thing that a caller says; passages are the ids of all that answer it, none where
    nothing does; heard and confidence are what a recogniser made of it.
    """
    from hotline.kb_evaluation import figures
    from hotline.knowledge import known_passages
    from hotline.settings import load_settings
    from records import today_in_china

    settings = load_settings(config)
    passages = known_passages(settings)
    today = today_in_china()
    cases, left_out = _cases(data, passages, today)
    outcomes = _measure(cases, settings, passages, today)
    found = figures(outcomes)
    if report is not None:
        _write_page(report, data, found, outcomes)
    if as_json:
        out.print(json.dumps(_document(data, found, outcomes, left_out), ensure_ascii=False, indent=1))
    else:
        if left_out:
            err.print(f"note: {left_out} are left out: the passages that answer them are not valid today")
        _print(found, outcomes)
    return 0


def _cases(data: Sequence[Path], passages: Sequence[Passage], today: date) -> tuple[list[Case], int]:
    """What is asked, and how many are left out as their passages are not valid today. Raises UsageError."""
    from hotline.kb_cases import load_cases

    cases = load_cases(data, (passage.id for passage in passages))
    valid = {passage.id for passage in passages if passage.valid_on(today)}
    kept = [case for case in cases if not case.passages or case.passages & valid]
    if not kept:
        raise UsageError("no passage that answers anything in it is valid today")
    return kept, len(cases) - len(kept)


def _measure(
    cases: Sequence[Case], settings: Settings, passages: Sequence[Passage], today: date
) -> list[Outcome]:
    from dialog.knowledge import Knowledge
    from hotline.dialogs import open_embedded
    from hotline.kb_evaluation import NoTickets, measure
    from hotline.speech import open_writer

    ranking, knowledge = (Knowledge(passages, lambda: today) for _ in range(2))
    words = open_writer(settings.asr, settings.dialog.gazetteer)
    dialog = open_embedded(settings.dialog, knowledge, NoTickets(), words)
    columns = TextColumn("{task.completed} of {task.total} asked"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=len(cases))
        return anyio.run(measure, cases, dialog, ranking, lambda: bar.advance(task))


def _write_page(report: Path, data: Sequence[Path], found: Figures, outcomes: Sequence[Outcome]) -> None:
    from hotline.kb_report import render

    page = render(", ".join(map(str, data)), datetime.now().astimezone(), found, outcomes)
    try:
        report.write_text(page, encoding="utf-8")
    except OSError as error:
        raise HotlineError(f"{report}: cannot be written: {error.strerror or error}") from error
    err.print(f"note: {report} holds callers' words; keep it as you keep recordings")


def _document(
    data: Sequence[Path], found: Figures, outcomes: Sequence[Outcome], left_out: int
) -> dict[str, Any]:
    """The figures and every case as JSON takes them; a share is its count and the number it is of."""
    return {
        "data": [str(path) for path in data],
        "left_out": left_out,
        **asdict(found),
        "cases": [
            {
                "text": one.case.text,
                "heard": one.case.heard if one.case.recognised else None,
                "passages": sorted(one.case.passages),
                "kind": one.case.kind,
                "found": one.found,
                "score": one.score,
                "became": one.became,
                "sources": one.sources,
                "confidence": round(one.confidence, 4),
                "sure": None if one.sure is None else round(one.sure, 4),
                "search_ms": round(one.search_ms, 2),
                "reply_ms": round(one.reply_ms, 2),
            }
            for one in outcomes
        ],
    }


def _print(found: Figures, outcomes: Sequence[Outcome]) -> None:
    for recognised in (False, True):
        heard = " as a recogniser heard them" if recognised else ""
        rows = [row for row in found.rows if row.recognised is recognised]
        _print_known([row for row in rows if row.known], f"questions{heard}")
        _print_unknown([row for row in rows if not row.known], f"not in the knowledge base{heard}")
    for name, delay in (("a search", found.search_ms), ("the first words of a reply", found.reply_ms)):
        if delay:
            out.print(f"{name}: p50 {delay.p50:.1f} ms, p95 {delay.p95:.1f} ms")
    _print_reliability(found.reliability)
    _print_choices(found.choices)
    _print_worst(outcomes)


def _print_known(rows: Sequence[Row], title: str) -> None:
    if not rows:
        return
    names = ["asked", "right first", "in first three", "answered", "of these right"]
    names += ["asked back rightly", "wrongly", "transferred", "work order", "other"]
    table = Table(title, *names, box=None, pad_edge=False)
    for row in rows:
        shares = [f"{share.count / share.of:.1%}" for share in (row.first, row.first_three, row.answered)]
        rightly = f"{row.rightly.count / row.rightly.of:.1%}" if row.rightly.of else ""
        kinds: tuple[Became, ...] = ("asked right", "asked wrong", "person", "work order", "other")
        counts = [str(row.became.get(kind, 0)) for kind in kinds]
        table.add_row(row.name, str(row.asked), *shares, rightly, *counts)
    out.print(table)
    out.print()


def _print_unknown(rows: Sequence[Row], title: str) -> None:
    if not rows:
        return
    names = ["asked", "answered as if known", "asked back", "transferred", "work order", "other"]
    table = Table(title, *names, box=None, pad_edge=False)
    for row in rows:
        kinds: tuple[Became, ...] = ("asked wrong", "person", "work order", "other")
        counts = [str(row.became.get(kind, 0)) for kind in kinds]
        share = f"{row.answered.count} ({row.answered.count / row.asked:.1%})"
        table.add_row(row.name, str(row.asked), share, *counts)
    out.print(table)
    out.print()


def _print_reliability(diagrams: Sequence[Reliability]) -> None:
    from hotline.kb_evaluation import BINS

    for what in dict.fromkeys(one.what for one in diagrams):
        lines = [one for one in diagrams if one.what == what]
        table = Table(f"confidence of {what}", *(one.line for one in lines), box=None, pad_edge=False)
        for place in range(BINS):
            low = place / BINS
            held = [next((part for part in one.bins if part.low == low), None) for one in lines]
            cells = [f"{part.stated:.2f} → {part.right:.2f} of {part.count}" if part else "" for part in held]
            if any(cells):
                table.add_row(f"{low:.1f} - {low + 1 / BINS:.1f}", *cells)
        table.add_row("calibration error", *(f"{one.error:.3f} over {one.count}" for one in lines))
        out.print()
        out.print(table)
    out.print(
        "note: mean confidence → share right. Decisions are those on the best passage for what was said, "
        "whether it was then told or not."
    )


def _print_choices(choices: Sequence[Choice]) -> None:
    names = ["answered", "of these right", "unknown answered"]
    table = Table("dialog.answer_from", *names, box=None, pad_edge=False)
    for one in choices:
        shares = [f"{share.count / share.of:.1%}" if share.of else "" for share in _shares(one)]
        table.add_row(f"{one.answer_from:g}", *shares)
    out.print()
    out.print(table)


def _shares(choice: Choice) -> tuple[Share, ...]:
    return choice.answered, choice.rightly, choice.unknown


def _print_worst(outcomes: Sequence[Outcome]) -> None:
    from hotline.kb_evaluation import worst_first

    worst = worst_first(outcomes)
    if worst:
        out.print(f"\nworst {min(_SHOWN, len(worst))} of {len(worst)} wrong ones:")
    for one in worst[:_SHOWN]:
        meant = ", ".join(sorted(one.case.passages)) or f"nothing ({one.case.kind or 'unknown'})"
        said = one.case.said if one.case.recognised else one.case.text
        told = ", ".join(one.sources)
        out.print(f"  {one.confidence:.2f}  {one.became}: {said} → {told}; meant: {meant}")
