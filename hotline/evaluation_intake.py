"""The command `hotline eval intake`: whether scripted calls end in the work orders that must come of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from hotline.console import err, out

if TYPE_CHECKING:
    from dialog.manager import EmbeddedDialog
    from hotline.intake_calls import Played, Script
    from hotline.settings import Settings

_SHOWN = 20  # of the worst; the JSON has all


def eval_intake(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Scripted calls as JSON lines, or a folder of such files.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="F", help="Settings file (default: hotline.toml, if there)."),
    ] = None,
) -> int:
    """Play scripted calls with the embedded dialog, by text: is each filed, and every slot of it right?

    A scripted caller answers what is asked for, corrects at the read-back, and confirms.
    """
    from hotline.intake_calls import load_scripts
    from hotline.settings import load_settings

    settings = load_settings(config)
    calls = _played(load_scripts(data), settings)
    if as_json:
        document = {"data": str(data), **_figures(calls), "calls": [_call(one) for one in calls]}
        out.print(json.dumps(document, ensure_ascii=False, indent=1))
    else:
        _print(calls)
    return 0


def _played(scripts: Sequence[Script], settings: Settings) -> list[Played]:
    from hotline.intake_calls import play

    dialog = _dialog(settings)
    columns = TextColumn("{task.completed} of {task.total} calls played"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=len(scripts))
        played = []
        for script in scripts:
            played.append(anyio.run(play, script, dialog))
            bar.advance(task)
        return played


def _dialog(settings: Settings) -> EmbeddedDialog:
    """The embedded dialog as a call has it, with a work order system that holds nothing."""
    from dialog.knowledge import Knowledge
    from hotline.dialogs import open_embedded
    from hotline.kb_evaluation import NoTickets
    from hotline.knowledge import known_passages
    from hotline.speech import open_writer

    words = open_writer(settings.asr, settings.dialog.gazetteer)
    return open_embedded(settings.dialog, Knowledge(known_passages(settings)), NoTickets(), words)


def _figures(calls: Sequence[Played]) -> dict[str, Any]:
    """Shares 0..1 of all calls; a slot's of those calls of which it is expected."""
    filed = [one for one in calls if one.draft]
    names = dict.fromkeys(name for one in calls for name in one.slots)
    return {
        "played": len(calls),
        "filed": len(filed) / len(calls),
        "every_slot_right": _share([one.right for one in calls]),
        "slots": {
            name: {"of": len(of), "right": _share([one.slots[name] for one in of])}
            for name in names
            if (of := [one for one in calls if name in one.slots])
        },
        "category": _share([one.is_right("category") for one in calls]),
        "department": _share([one.is_right("department") for one in calls]),
        "category_and_department": _share(
            [one.is_right("category") and one.is_right("department") for one in calls]
        ),
        "urgency": _share([one.is_right("urgency") for one in calls]),
        "mean_questions": sum(one.questions for one in filed) / len(filed) if filed else None,
    }


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right) if right else 0.0


def _call(one: Played) -> dict[str, Any]:
    return {
        "id": one.script.id,
        "failed": one.failed,
        "slots": dict(one.slots),
        "questions": one.questions,
        "work_order": asdict(one.draft) if one.draft else None,
        "said": [{"who": who, "text": text} for who, text in one.said],
    }


def _print(calls: Sequence[Played]) -> None:
    found = _figures(calls)
    table = Table("", "right", "of", box=None, pad_edge=False)
    for title, key in (
        ("filed", "filed"),
        ("every slot right", "every_slot_right"),
        ("category and department", "category_and_department"),
        ("category", "category"),
        ("department", "department"),
        ("urgency", "urgency"),
    ):
        table.add_row(title, f"{found[key]:.1%}", str(len(calls)))
    for name, slot in found["slots"].items():
        table.add_row(f"  {name}", f"{slot['right']:.1%}", str(slot["of"]))
    out.print(table)
    if found["mean_questions"] is not None:
        out.print(f"\n{found['mean_questions']:.1f} times asked, in the mean, until a work order is filed")
    for one in sorted(calls, key=lambda one: sum(one.slots.values()) / len(one.slots))[:_SHOWN]:
        if wrong := _wrong(one):
            out.print(f"  {one.script.id}: {wrong}")


def _wrong(one: Played) -> str:
    """What is wrong with a call, in one line; "" where nothing is."""
    if one.draft is None:
        return one.failed
    slots = ", ".join(
        f"{name}={one.draft.slots.get(name, '')!r}" for name, right in one.slots.items() if not right
    )
    sorted_as = "" if one.is_right("category") else f"sorted as {one.draft.category}"
    urgency = "" if one.is_right("urgency") else f"urgency {one.draft.urgency}"
    return "; ".join(part for part in (slots, sorted_as, urgency) if part)
