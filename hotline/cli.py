"""The command `hotline`. Exit code 0: done; 1: failed; 2: wrong usage or settings."""

from __future__ import annotations

import contextlib
import gc
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.exceptions import TyperException

from hotline import admin, evaluation, knowledge_commands
from hotline.console import err, out
from hotline.errors import HotlineError, UsageError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A telephony voice agent for government hotlines; set by hotline.toml and HOTLINE_<SECTION>__<KEY>.",
)
models = typer.Typer(no_args_is_help=True, help="Speech recognition models.")
app.add_typer(models, name="models")
app.add_typer(knowledge_commands.kb, name="kb")
app.add_typer(admin.user, name="user")
app.add_typer(evaluation.app, name="eval")
app.command("export")(admin.export)

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="F", help="Settings file (default: hotline.toml, if there)."),
]


_TYPER_INTERRUPTED = 130  # typer's own answer to Ctrl-C, as an exit code


@app.callback()
def _common(
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")] = False,
) -> None:
    """`--debug` is taken by main() wherever it stands; it is declared here for --help."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors become one line on stderr and an exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        result = app(
            [item for item in given if item != "--debug"], prog_name="hotline", standalone_mode=False
        )
        if result == _TYPER_INTERRUPTED:
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        err.print("error: interrupted")
        return 1
    except TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        err.print(message if message.startswith("Usage:") else f"error: {message}")
        return 2
    except BrokenPipeError:  # whoever read our output has seen enough
        sys.stderr.close()
        return 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        err.print(f"error: {_line(error)}")
        return _exit_code(error)


def _line(error: Exception) -> str:
    from asr import AsrError
    from dialog import DialogError
    from records import RecordsError
    from tts import TtsError

    if isinstance(error, HotlineError | AsrError | TtsError | DialogError | RecordsError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    detail = " ".join(str(error).split())
    return f"internal error, {type(error).__name__}: {detail} (--debug shows where)"


def _exit_code(error: Exception) -> int:
    from asr import ModelError
    from tts import VoiceMissing

    if isinstance(error, HotlineError):
        return error.exit_code
    return 2 if isinstance(error, ModelError | VoiceMissing | OSError) else 1


@contextlib.contextmanager
def _no_search_for_garbage() -> Iterator[None]:
    """It would take a sixth of the time in which much is imported and opened, and find none."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@app.command()
def serve(config: Config = None) -> int:
    """Take calls, and serve the web desk, until SIGTERM or Ctrl-C."""
    from hotline import logs
    from hotline.settings import load_settings

    settings = load_settings(config)  # before the long imports: wrong settings are told at once
    logs.configure(settings.log.level, settings.log.format)
    with _no_search_for_garbage():  # until all is open
        from hotline.app import serve as run

        return run(settings)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Keep serving after the three calls.")] = False,
) -> int:
    """Start the agent and let a synthetic caller hold three conversations with it."""
    from hotline.demo import run_demo

    return run_demo(keep)


@app.command()
def call(
    uri: Annotated[
        str, typer.Argument(metavar="SIP_URI", help="Whom to ring, e.g. sip:12345@127.0.0.1:5060.")
    ],
    say: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="Say this; may be repeated.")] = None,
    wav: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Play this, after all --say; may be repeated.")
    ] = None,
    dtmf: Annotated[str, typer.Option(metavar="DIGITS", help="Press these keys at the end.")] = "",
    record: Annotated[Path | None, typer.Option(metavar="OUT.wav", help="Record the call.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Report as JSON.")] = False,
    codec: Annotated[str, typer.Option(help="PCMA, PCMU or G722.")] = "PCMA",
    transport: Annotated[
        Literal["udp", "tcp", "tls"], typer.Option(help="Carries the SIP messages.")
    ] = "udp",
    srtp: Annotated[bool, typer.Option("--srtp", help="Encrypt the audio (SRTP), or fail.")] = False,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Do not wait for the agent to fall silent.")
    ] = False,
    voice: Annotated[str, typer.Option(help="The espeak-ng voice variant of the caller.")] = "f5",
    number: Annotated[
        str, typer.Option("--from", metavar="NUMBER", help="The caller's number.")
    ] = "13800000000",
    stay_s: Annotated[
        float, typer.Option("--stay", metavar="S", min=0, help="Stay on the line at the end.")
    ] = 0.0,
) -> int:
    """Ring an agent, speak each item in turn, report the response gaps measured on the received audio."""
    with _no_search_for_garbage():
        from hotline.caller import CallerOptions, run_caller

    options = CallerOptions(
        uri=uri,
        say=say or [],
        wav=wav or [],
        dtmf=dtmf,
        record=record,
        json=as_json,
        codec=codec,
        transport=transport,
        srtp=srtp,
        at_once=at_once,
        voice=voice,
        user=number,
        stay_s=stay_s,
    )
    return run_caller(options)


@app.command()
def check(config: Config = None) -> int:
    """Say, line by line, whether what a deployment needs is there, and what to do where it is not."""
    from hotline.check import run_checks
    from hotline.settings import load_settings

    return run_checks(load_settings(config))


@app.command("kamailio-config")
def kamailio_config(
    config: Config = None,
    folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder to write the files into.")
    ] = Path("kamailio"),
    installed: Annotated[
        Path | None,
        typer.Option("--at", metavar="DIR", help="Where they will lie on the proxy, if elsewhere."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
) -> None:
    """Write the configuration of Kamailio, the proxy in front of several nodes."""
    from hotline.kamailio import write_configuration
    from hotline.settings import load_settings

    write_configuration(load_settings(config), folder, installed, force)


@app.command()
def transcribe(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.wav...", help="PCM WAV files.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a file, with words.")] = False,
    config: Config = None,
) -> None:
    """Recognise recordings with the configured recogniser."""
    import dataclasses
    import json

    import anyio

    from asr.vosk_model import BUILTIN_WARNING
    from hotline import speech
    from hotline.knowledge import known_passages
    from hotline.settings import load_settings

    settings = load_settings(config)
    recordings = {file: speech.read_wav(file) for file in files}
    if settings.asr.uses_builtin_model:
        err.print(f"note: {BUILTIN_WARNING}")
    hotwords = speech.names_to_hear(settings.asr, lambda: known_passages(settings), settings.dialog.gazetteer)
    writer = speech.open_writer(settings.asr, settings.dialog.gazetteer)
    recognizer = speech.written(speech.open_recognizer(settings.asr, hotwords), writer)

    async def run() -> None:
        try:
            for file, pcm in recordings.items():
                final = await speech.transcribe(recognizer, pcm)
                if as_json:
                    found = {"file": str(file), **dataclasses.asdict(final)}
                    out.print(json.dumps(found, ensure_ascii=False))
                else:
                    out.print(f"{file}: {final.text}" if len(files) > 1 else final.text)
                    if final.raw:
                        out.print(f"  heard: {final.raw}")
        finally:
            await recognizer.aclose()

    anyio.run(run)


@app.command()
def say(
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.wav", help="The file to write.")],
    config: Config = None,
) -> None:
    """Speak a text with the configured voice into a WAV file."""
    import anyio

    from hotline import speech
    from hotline.settings import load_settings

    if not text.strip():
        raise UsageError("TEXT is blank: there is nothing to say")
    voice = speech.open_configured_voice(load_settings(config).tts)

    async def run() -> bytes:
        try:
            return await speech.synthesise(voice, text)
        finally:
            await voice.aclose()

    pcm = anyio.run(run)
    speech.write_wav(output, pcm, voice.sample_rate)
    out.print(f"{output}: {len(pcm) / 2 / voice.sample_rate:.1f} s by {voice.name}")


@models.command("list")
def models_list(config: Config = None) -> None:
    """List the known models and which are on this machine."""
    from hotline.models import print_models
    from hotline.settings import load_settings

    print_models(load_settings(config).asr)


@models.command("get")
def models_get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `hotline models list` shows.")],
    config: Config = None,
) -> None:
    """Download a model from its publisher; run again, it goes on where it stopped."""
    from hotline.models import get_with_progress
    from hotline.settings import load_settings

    folder = get_with_progress(name, load_settings(config).asr.models_dir)
    out.print(f'{folder}: ready; set asr.model = "{name}"')


@models.command("build-graph")
def models_build_graph(
    name: Annotated[str, typer.Option("--name", help="The model's name in asr.models_dir.")] = "builtin-city",
    gazetteer: Annotated[
        Path | None, typer.Option(help="The city's names, of the form of dialog/gazetteer.yaml.")
    ] = None,
    text: Annotated[
        list[Path] | None, typer.Option(help="More sentences as callers say them, one a line; repeatable.")
    ] = None,
    config: Config = None,
) -> None:
    """Teach the built-in recogniser the city's words: its places, the questions of the knowledge base."""
    from hotline.builtin_model import build_city_model
    from hotline.knowledge import known_passages
    from hotline.settings import load_settings

    settings = load_settings(config)
    folder = settings.asr.models_dir / name
    size = build_city_model(folder, known_passages(settings), gazetteer, text or [])
    out.print(f'{folder}: {size / 1e6:.1f} MB, ready; set asr.model = "{name}"')
