"""Downloading models from a publisher that breaks off, lies, or is not there."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import io
import json
import os
import socket
import zipfile
from pathlib import Path

import pytest

from asr.catalog import KNOWN, KnownModel, resolve_model
from asr.vosk_model import BUILTIN, check_model
from hotline.errors import HotlineError, UsageError
from hotline.models import get_model, source_of
from tests.peers.model_server import ModelServer, Script

pytestmark = [pytest.mark.peers]

FOLDER = KNOWN["vosk-small-cn"].folder


def archive(extra: dict[str, bytes] | None = None, folder: str = FOLDER) -> bytes:
    """A zip as the publisher makes it, holding the built-in model."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as contents:
        for file in sorted(BUILTIN.rglob("*")):
            name = f"{folder}/{file.relative_to(BUILTIN)}"
            if file.is_file() and name not in (extra or {}):
                contents.write(file, name)
        for name, data in (extra or {}).items():
            contents.writestr(name, data)
    return out.getvalue()


@pytest.fixture(scope="module")
def whole() -> bytes:
    return archive()


def known(server: ModelServer, *, sha256: str | None = None) -> KnownModel:
    checksum = hashlib.sha256(server.script.body).hexdigest() if sha256 is None else sha256
    return dataclasses.replace(
        KNOWN["vosk-small-cn"], url=server.url, size_bytes=len(server.script.body), sha256=checksum
    )


class Get:
    """Runs one download and keeps what was reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.progress: list[tuple[int, int]] = []
        self.pauses: list[float] = []

    def __call__(self, model: KnownModel) -> Path:
        return get_model(model, self.folder, lambda *now: self.progress.append(now), pause=self.pauses.append)


@pytest.fixture
def get(tmp_path: Path) -> Get:
    return Get(tmp_path / "models")


def test_a_model_arrives_whole(get: Get, whole: bytes) -> None:
    with ModelServer(Script(whole)) as server:
        folder = get(known(server))
        again = get(known(server))
        assert server.script.asked == [""], "what is there is not downloaded again"
    assert folder == again == get.folder / "vosk-small-cn"
    assert resolve_model("vosk-small-cn", get.folder) == folder
    assert check_model(folder) == 8000
    assert source_of(folder)["sha256"] == hashlib.sha256(whole).hexdigest()
    assert get.progress[-1] == (len(whole), len(whole))
    assert sorted(item.name for item in (get.folder / ".download").iterdir()) == ["vosk-small-cn.lock"]


def test_a_broken_transfer_is_resumed(get: Get, whole: bytes) -> None:
    with ModelServer(Script(whole, cut_after=[700_000, 600_000])) as server:
        get(known(server))
        begins = [int(wanted.removeprefix("bytes=").rstrip("-") or 0) for wanted in server.script.asked]
    assert len(begins) == 3
    assert 0 == begins[0] < begins[1] < begins[2] <= 1_300_000
    assert len(get.pauses) == 2


def test_the_next_run_goes_on_where_this_one_stopped(get: Get, whole: bytes) -> None:
    with ModelServer(Script(whole, cut_after=[500_000] + [0] * 9)) as server:
        with pytest.raises(HotlineError, match="goes on where it stopped"):
            get(known(server))
        assert not (get.folder / "vosk-small-cn").exists()
        server.script.cut_after.clear()
        server.script.asked.clear()
        get(known(server))
        assert server.script.asked[0].startswith("bytes=")


def test_a_server_without_ranges_starts_over(get: Get, whole: bytes) -> None:
    with ModelServer(Script(whole, ranges=False, cut_after=[700_000])) as server:
        folder = get(known(server))
        assert len(server.script.asked) == 2
    assert check_model(folder) == 8000


def test_a_wrong_part_is_not_appended(get: Get, whole: bytes) -> None:
    with ModelServer(Script(whole, wrong_part=True, cut_after=[700_000])) as server:
        folder = get(known(server))
        assert server.script.asked[-1] == "", "begun again from the start"
    assert check_model(folder) == 8000


def test_a_part_file_that_is_whole_already_is_used(get: Get, whole: bytes) -> None:
    (get.folder / ".download").mkdir(parents=True)
    (get.folder / ".download" / "vosk-small-cn.zip.part").write_bytes(whole)
    with ModelServer(Script(whole)) as server:
        assert check_model(get(known(server))) == 8000


def test_a_busy_server_is_asked_again(get: Get, whole: bytes) -> None:
    with ModelServer(Script(whole, fail_first=2)) as server:
        get(known(server))
    assert get.pauses == [2.0, 4.0]


def test_a_wrong_checksum_is_refused_and_thrown_away(get: Get, whole: bytes) -> None:
    with ModelServer(Script(whole)) as server, pytest.raises(HotlineError, match="wrong checksum"):
        get(known(server, sha256="0" * 64))
    assert not (get.folder / "vosk-small-cn").exists()
    assert not list((get.folder / ".download").glob("*.part"))


def test_without_a_known_checksum_the_one_found_is_noted(get: Get, whole: bytes) -> None:
    with ModelServer(Script(whole)) as server:
        folder = get(known(server, sha256=""))
    note = json.loads((folder / "source.json").read_text())
    assert (note["sha256"], note["verified"]) == (hashlib.sha256(whole).hexdigest(), "contents")


@pytest.mark.parametrize("status", [403, 404])
def test_a_model_that_is_gone(get: Get, status: int) -> None:
    with (
        ModelServer(Script(b"", status=status)) as server,
        pytest.raises(HotlineError, match=f"answers {status}; the publisher may have moved"),
    ):
        get(known(server))
    assert get.pauses == []


def test_offline_is_one_clear_line_at_once(get: Get) -> None:
    with socket.socket() as taken:  # bound, not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/m.zip"
        with pytest.raises(HotlineError, match="check the network") as raised:
            get(dataclasses.replace(KNOWN["vosk-small-cn"], url=url))
    assert raised.value.exit_code == 1
    assert "\n" not in str(raised.value)
    assert get.pauses == []


@pytest.mark.parametrize(
    ("extra", "folder", "said"),
    [
        pytest.param({"../evil": b"x"}, FOLDER, "evil", id="a path out of the folder"),
        pytest.param({"/etc/evil": b"x"}, FOLDER, "evil", id="an absolute path"),
        pytest.param({}, "other", "outside of", id="another model"),
        pytest.param({f"{FOLDER}/zeros": bytes(120_000_000)}, FOLDER, "times its size", id="a bomb"),
        pytest.param({f"{FOLDER}/graph/HCLG.fst": b"x"}, FOLDER, "corrupt", id="a model that fails"),
    ],
)
def test_an_archive_that_is_no_sound_model(get: Get, extra: dict[str, bytes], folder: str, said: str) -> None:
    with (
        ModelServer(Script(archive(extra, folder))) as server,
        pytest.raises(HotlineError, match="not a sound model archive") as raised,
    ):
        get(known(server))
    assert said in str(raised.value)
    assert not (get.folder / "vosk-small-cn").exists()
    assert not (get.folder / "evil").exists()


def test_a_web_page_is_no_archive(get: Get) -> None:
    page = b"<html>maintenance</html>"
    with ModelServer(Script(page)) as server, pytest.raises(HotlineError, match="not a zip file"):
        get(known(server))


def test_a_damaged_archive_without_checksum(get: Get, whole: bytes) -> None:
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    with ModelServer(Script(bytes(damaged))) as server, pytest.raises(HotlineError, match="not a sound"):
        get(known(server, sha256=""))


def test_a_folder_in_the_way_is_left_alone(get: Get, whole: bytes) -> None:
    mine = get.folder / "vosk-small-cn" / "mine"
    mine.parent.mkdir(parents=True)
    mine.write_text("x")
    with ModelServer(Script(whole)) as server, pytest.raises(UsageError, match="in the way"):
        get(known(server))
    assert mine.read_text() == "x"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(get: Get, whole: bytes) -> None:
    get.folder.mkdir(mode=0o500)
    with ModelServer(Script(whole)) as server, pytest.raises(HotlineError, match="Permission denied"):
        get(known(server))


def test_a_file_for_a_folder(get: Get, whole: bytes) -> None:
    get.folder.write_text("x")
    with ModelServer(Script(whole)) as server, pytest.raises(HotlineError, match=str(get.folder)):
        get(known(server))


def test_two_at_once_do_not_mix(get: Get, whole: bytes) -> None:
    (get.folder / ".download").mkdir(parents=True)
    with (get.folder / ".download" / "vosk-small-cn.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with ModelServer(Script(whole)) as server, pytest.raises(HotlineError, match="another"):
            get(known(server))
