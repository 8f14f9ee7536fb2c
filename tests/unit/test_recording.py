"""Recordings: playable at every moment, after SIGKILL, on a full disk; never a reason to lose the call."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from records import RecordsError, recording
from records.keys import Key, Keys
from records.playback import open_recording
from records.recording import Recording, free_bytes, recording_name, repair, stats
from records.wav import HEADER_BYTES, header

pytestmark = [pytest.mark.unit]

TICK = 160  # samples of 20 ms
KEY = Key(bytes(range(32)))
BOTH = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "sealed"])


def tick(n: int) -> tuple[bytes, bytes]:
    """The n-th 20 ms: its number on the left, minus its number on the right."""
    return np.full(TICK, n, "<i2").tobytes(), np.full(TICK, -n, "<i2").tobytes()


def read(path: Path) -> tuple[np.ndarray, int]:
    sound = open_recording(path, Keys(KEY))
    with wave.open(io.BytesIO(sound.read(0, sound.size))) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (2, 2)
        frames = file.getnframes()
        data = np.frombuffer(file.readframes(frames), "<i2").reshape(-1, 2)
        assert len(data) == frames  # the header promises no more than there is
        return data, file.getframerate()


def check_ticks(data: np.ndarray) -> None:
    count = len(data) // TICK
    expected = np.repeat(np.arange(count), TICK)
    assert (data[: count * TICK, 0] == expected).all()
    assert (data[: count * TICK, 1] == -expected).all()


def settle() -> None:
    """Wait until the disk's thread has done all it was given so far."""
    recording._disk.submit(lambda: None).result(10)


def test_a_recording_holds_both_sides_in_step(tmp_path: Path) -> None:
    path = tmp_path / "new" / "c.wav"
    rec = Recording(path, 16000)
    for n in range(110):
        rec.write(*tick(n))
    rec.close().result(10)
    assert rec.close() is rec.close()
    data, rate = read(path)
    assert (len(data), rate) == (110 * TICK, 16000)
    check_ticks(data)
    assert path.stat().st_mode & 0o077 == 0  # nobody else on the machine may listen


def test_it_plays_between_flushes(tmp_path: Path) -> None:
    path, copy = tmp_path / "c.wav", tmp_path / "copy.wav"
    rec = Recording(path)
    lengths = set()
    for n in range(100):
        rec.write(*tick(n))
        settle()
        shutil.copy(path, copy)
        data, _ = read(copy)
        check_ticks(data)
        lengths.add(len(data))
    assert lengths == {0, 4000, 8000, 12000, 16000}
    rec.close().result(10)


def test_nothing_is_on_the_disk_thread_between_flushes(tmp_path: Path) -> None:
    """write() only fills a buffer: with the disk standing still it still returns, and loses nothing."""
    path, stop = tmp_path / "c.wav", threading.Event()
    recording._disk.submit(stop.wait, 10)
    rec = Recording(path)
    for n in range(200):
        rec.write(*tick(n))
    assert not path.exists()
    stop.set()
    rec.close().result(10)
    data, _ = read(path)
    assert len(data) == 200 * TICK
    check_ticks(data)


def test_a_disk_that_stands_still_too_long_ends_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "BACKLOG_LIMIT_S", 1.0)
    errors: list[RecordsError] = []
    stop = threading.Event()
    recording._disk.submit(stop.wait, 10)
    before = stats.failures_total
    rec = Recording(tmp_path / "c.wav", on_error=errors.append)
    for n in range(500):
        rec.write(*tick(n))
    said = ["the recording c.wav cannot be written: the disk stands still for 2 s"]
    assert [str(error) for error in errors] == said, "at once: a disk may stand still for ever"
    assert (rec.failed, stats.failures_total - before) == (True, 1)
    stop.set()
    rec.close().result(10)
    assert [str(error) for error in errors] == said
    assert stats.failures_total - before == 1
    check_ticks(read(tmp_path / "c.wav")[0])


KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from records import recording
rec = recording.Recording(Path(sys.argv[1]))
recording._disk.submit(lambda: None).result()  # the file has been made
n = 0
while True:
    rec.write(np.full(160, n % 30000, "<i2").tobytes(), np.full(160, -(n % 30000), "<i2").tobytes())
    n += 1
    if n % 50 == 0:
        print(n, flush=True)
        time.sleep(0.001)
"""


@pytest.mark.parametrize("ticks", [50, 400, 1000])
def test_it_plays_after_sigkill_in_the_middle(tmp_path: Path, ticks: int) -> None:
    path = tmp_path / "c.wav"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    with process, process.stdout:
        for line in process.stdout:
            if int(line) >= ticks:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    check_ticks(read(path)[0])
    repair(path)
    data, _ = read(path)
    check_ticks(data)
    assert path.stat().st_size == HEADER_BYTES + data.nbytes


def test_repair_brings_back_what_the_header_did_not_yet_count(tmp_path: Path) -> None:
    path = tmp_path / "c.wav"
    rec = Recording(path)
    for n in range(50):
        rec.write(*tick(n))
    rec.close().result(10)
    assert repair(path) is False
    with path.open("r+b") as file:
        file.write(header(8000, 1000))
        file.seek(0, os.SEEK_END)
        file.write(b"abc")  # part of a sample
    assert repair(path) is True
    data, rate = read(path)
    assert (len(data), rate) == (50 * TICK, 8000)
    check_ticks(data)
    assert repair(path) is False


def test_repair_refuses_what_is_not_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "c.wav"
    path.write_bytes(b"RIFF but not really" * 9)
    with pytest.raises(RecordsError, match="not a recording"):
        repair(path)
    with pytest.raises(RecordsError, match="cannot be repaired: No such file"):
        repair(tmp_path / "none.wav")


def test_a_file_that_cannot_be_made_is_reported_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    errors: list[RecordsError] = []
    rec = Recording(tmp_path / "file" / "c.wav", on_error=errors.append)
    for n in range(200):
        rec.write(*tick(n))
    rec.close().result(10)
    assert [str(error) for error in errors] == [
        "the recording c.wav cannot be written: its folder's name is that of a file"
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_reported_once_and_the_call_goes_on(tmp_path: Path) -> None:
    errors: list[RecordsError] = []
    (tmp_path / "c.wav").symlink_to("/dev/full")
    rec = Recording(tmp_path / "c.wav", on_error=errors.append)
    for n in range(200):
        rec.write(*tick(n))
    rec.close().result(10)
    assert [str(error) for error in errors] == [
        "the recording c.wav cannot be written: No space left on device"
    ]


@pytest.mark.parametrize(("left", "right"), [(b"ab", b"abcd"), (b"abc", b"abc")])
def test_sides_of_unequal_length_are_refused(tmp_path: Path, left: bytes, right: bytes) -> None:
    rec = Recording(tmp_path / "c.wav")
    with pytest.raises(ValueError, match="right is equal and even"):
        rec.write(left, right)
    rec.close().result(10)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB: room for four seconds."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k,mode=700", "tmpfs", str(folder)]
    made = (
        subprocess.run(mount, capture_output=True, text=True, check=False) if shutil.which("mount") else None
    )
    if made is None or made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip() if made else 'no mount'}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@BOTH
def test_a_disk_that_becomes_full_in_mid_call(small_disk: Path, key: Key | None) -> None:
    """What was written until then plays, the loss is told once, and with room again calls are recorded."""
    errors: list[RecordsError] = []
    opened, failures = stats.open, stats.failures_total
    name = "c.wav.sealed" if key else "c.wav"
    rec = Recording(small_disk / name, key=key, on_error=errors.append)
    (small_disk / "other").write_bytes(bytes(40_000))
    assert stats.open == opened + 1
    for n in range(400):
        rec.write(*tick(n))
    rec.close().result(10)
    assert [str(error) for error in errors] == [
        f"the recording {name} cannot be written: No space left on device"
    ]
    assert (rec.failed, stats.open, stats.failures_total) == (True, opened, failures + 1)
    data, _ = read_to_header(small_disk / name)
    check_ticks(data)
    assert len(data) / 8000 == rec.length_s
    assert 1.5 <= rec.length_s <= 2.5

    refused = Recording(small_disk / "new.wav", on_error=errors.append)
    refused.write(*tick(0))
    refused.close().result(10)
    assert refused.failed

    (small_disk / "other").unlink()
    assert free_bytes(small_disk) >= 30_000
    again = Recording(small_disk / f"again{name}", key=key, on_error=errors.append)
    for n in range(50):
        again.write(*tick(n))
    again.close().result(10)
    assert not again.failed
    assert len(read(small_disk / f"again{name}")[0]) == 50 * TICK
    assert stats.open == opened


def read_to_header(path: Path) -> tuple[np.ndarray, int]:
    """As a player does, to where the header says; a part of a sample may be behind that."""
    sound = open_recording(path, Keys(KEY))
    with wave.open(io.BytesIO(sound.read(0, sound.size))) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2), file.getframerate()


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from records.keys import Key
from records.recording import Recording
resource.setrlimit(resource.RLIMIT_FSIZE, (50_001, 50_001))
key = Key(bytes(range(32))) if sys.argv[1].endswith("sealed") else None
rec = Recording(Path(sys.argv[1]), key=key, on_error=lambda error: print(error))
for n in range(200):
    rec.write(np.full(160, n, "<i2").tobytes(), np.full(160, -n, "<i2").tobytes())
rec.close().result(10)
print("the call goes on", rec.failed)
"""


@BOTH
def test_a_file_that_may_not_grow_further(tmp_path: Path, key: Key | None) -> None:
    """A write of which the system takes only a part, then none: as at a quota."""
    path = tmp_path / ("c.wav.sealed" if key else "c.wav")
    said = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout.splitlines() == [
        f"the recording {path.name} cannot be written: File too large",
        "the call goes on True",
    ]
    data, _ = read_to_header(path)
    check_ticks(data)
    assert len(data) == 75 * TICK
    assert repair(path, Keys(KEY)) is True
    check_ticks(read(path)[0])


def test_a_recording_is_counted_while_it_is_written(tmp_path: Path) -> None:
    opened, failures = stats.open, stats.failures_total
    recs = [Recording(tmp_path / f"{n}.wav") for n in range(3)]
    assert stats.open == opened + 3
    for rec in recs:
        rec.close().result(10)
    assert (stats.open, stats.failures_total) == (opened, failures)


def test_recordings_go_into_a_folder_for_each_day_in_china() -> None:
    late = datetime(2025, 1, 31, 16, 30, tzinfo=timezone.utc)
    assert recording_name("c1", late, sealed=True) == "2025/02/01/c1.wav.sealed"
    assert recording_name("c1", late.replace(hour=15), sealed=False) == "2025/01/31/c1.wav"


def test_room_is_told_also_for_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "new" / "newer") == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.05)
    assert free_bytes(Path("not-there-at-all")) > 0
