"""Opens the dialog with a city's own data: its places, matters and services, and its language models."""

from __future__ import annotations

import contextlib
from pathlib import Path

from yaml import YAMLError

from asr.written import Writer
from dialog import Dialog, TicketLookup
from dialog.embeddings import Embedder
from dialog.guidance import Guidance
from dialog.intake import Clerk
from dialog.knowledge import Knowledge
from dialog.llm import Endpoint, LlmDialog
from dialog.manager import EmbeddedDialog
from dialog.masking import Masks
from dialog.places import load_taxonomy
from dialog.policy import Policy
from dialog.services import ServiceError, load_services
from hotline.errors import UsageError
from hotline.sections import DialogSettings, EmbeddingsSettings, LlmEndpointSettings, LlmSettings
from hotline.settings import Settings
from hotline.speech import city_places
from records import today_in_china

SAMPLE = "sample"  # of a fictional city, for the demo and the tests


def open_dialog(
    settings: Settings,
    knowledge: Knowledge,
    tickets: TicketLookup,
    words: Writer | None,
    stack: contextlib.AsyncExitStack,
) -> Dialog:
    """The dialog that the settings ask for; `stack` closes it again. Raises UsageError."""
    embedded = open_embedded(settings.dialog, knowledge, tickets, words)
    if not settings.llm.base_url:
        return embedded
    dialog = LlmDialog(list(_endpoints(settings.llm)), embedded, knowledge)
    stack.push_async_callback(dialog.aclose)
    return dialog


def open_embedded(
    settings: DialogSettings, knowledge: Knowledge, tickets: TicketLookup, words: Writer | None
) -> EmbeddedDialog:
    """The dialog without a language model. Raises UsageError."""
    return EmbeddedDialog(
        knowledge,
        tickets,
        city=settings.city,
        policy=Policy(settings.transfer_below, settings.answer_from),
        guidance=_open_guidance(settings.services, knowledge),
        clerk=open_clerk(settings, words),
        ask_satisfaction=settings.ask_satisfaction,
    )


def _endpoints(llm: LlmSettings) -> list[Endpoint]:
    first: LlmSettings | LlmEndpointSettings = llm
    return [
        Endpoint(one.base_url, one.model, one.api_key.get_secret_value() or None, one.logprobs)
        for one in (first, *llm.others)
    ]


def open_embedder(
    settings: EmbeddingsSettings, dialog: DialogSettings, stack: contextlib.AsyncExitStack
) -> Embedder | None:
    """What helps to find passages by their meaning, where an endpoint is configured. Raises UsageError."""
    if not settings.base_url:
        return None
    gazetteer = city_places(dialog.gazetteer)
    embedder = Embedder(
        settings.base_url,
        settings.model,
        api_key=settings.api_key.get_secret_value(),
        timeout_s=settings.timeout_s,
        hide=lambda text: Masks(gazetteer).mask(text),
    )
    stack.push_async_callback(embedder.aclose)
    return embedder


def open_clerk(settings: DialogSettings, words: Writer | None) -> Clerk:
    """Who takes down complaints, with the city's places and matters. Raises UsageError."""
    matters = settings.taxonomy
    try:
        taxonomy = load_taxonomy() if matters == SAMPLE else load_taxonomy(Path(matters))
    except (OSError, YAMLError, KeyError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UsageError(f"dialog.taxonomy {matters} cannot be read: {what}") from error
    return Clerk(city_places(settings.gazetteer), taxonomy, words.write if words else str)


def _open_guidance(services: str, knowledge: Knowledge) -> Guidance:
    """The services that callers are led through. Raises UsageError."""
    if services == "none":
        return Guidance(())
    try:
        loaded = load_services() if services == SAMPLE else load_services(Path(services))
        return Guidance(loaded, today_in_china, knowledge)
    except ServiceError as error:
        raise UsageError(f"dialog.services: {error}") from error
