"""Sealed recordings: what was flushed plays, what was changed does not, and no nonce is used twice."""

from __future__ import annotations

import base64
import io
import random
import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from records import NotFound, RecordsError, recording
from records.keys import Key, Keys, parse_key, parse_keys
from records.playback import find_recording, open_recording
from records.recording import Recording, repair
from records.sealed import HEAD_BYTES, TAG_BYTES
from records.wav import HEADER_BYTES

pytestmark = [pytest.mark.unit]

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))
KEYS = Keys(KEY)
TICK = 160  # samples of 20 ms
CHUNK = 16000  # bytes of half a second
SEALED_CHUNK = CHUNK + TAG_BYTES


def tick(n: int) -> tuple[bytes, bytes]:
    """The n-th 20 ms: its number on the left, minus its number on the right."""
    return np.full(TICK, n, "<i2").tobytes(), np.full(TICK, -n, "<i2").tobytes()


def sealed(path: Path, ticks: int, key: Key = KEY) -> Path:
    rec = Recording(path, key=key)
    for n in range(ticks):
        rec.write(*tick(n))
    rec.close().result(10)
    assert not rec.failed
    return path


def play(path: Path, keys: Keys = KEYS) -> bytes:
    sound = open_recording(path, keys)
    data = sound.read(0, sound.size)
    assert len(data) == sound.size
    return data


def heard_ticks(data: bytes) -> int:
    """How many whole ticks are in a WAV whose header is right, each in its place."""
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        frames = file.getnframes()
        both = np.frombuffer(file.readframes(frames), "<i2").reshape(-1, 2)
    assert len(both) == frames
    assert len(data) == HEADER_BYTES + 4 * frames
    expected = np.repeat(np.arange(frames // TICK), TICK)
    assert (both[:, 0] == expected).all()
    assert (both[:, 1] == -expected).all()
    return frames // TICK


@pytest.mark.parametrize("ticks", [0, 1, 24, 25, 26, 50, 110])
def test_a_sealed_recording_plays_like_a_plain_one(tmp_path: Path, ticks: int) -> None:
    path = sealed(tmp_path / "c.wav.sealed", ticks)
    plain = Recording(tmp_path / "c.wav")
    for n in range(ticks):
        plain.write(*tick(n))
    plain.close().result(10)
    sound = open_recording(path, KEYS)
    assert (sound.name, sound.complete) == ("c.wav", True)
    assert play(path) == (tmp_path / "c.wav").read_bytes() == play(tmp_path / "c.wav")
    assert path.stat().st_mode & 0o077 == 0
    assert repair(path, KEYS) is False


def test_nothing_of_the_sound_is_in_the_file(tmp_path: Path) -> None:
    """Silence of a minute: any structure of the sound would make the file compressible."""
    path = tmp_path / "c.wav.sealed"
    rec = Recording(path, key=KEY)
    for _ in range(3000):
        rec.write(bytes(TICK * 2), bytes(TICK * 2))
    rec.close().result(10)
    body = path.read_bytes()[HEAD_BYTES:]
    assert b"RIFF" not in body
    assert bytes(16) not in body
    counts = np.bincount(np.frombuffer(body, np.uint8), minlength=256)
    assert counts.min() > 0.9 * len(body) / 256
    assert len({body[at : at + CHUNK] for at in range(0, len(body) - SEALED_CHUNK, SEALED_CHUNK)}) == 120


def test_the_same_sound_is_never_sealed_alike(tmp_path: Path) -> None:
    first, second = (
        sealed(tmp_path / name / "c.wav.sealed", 60).read_bytes()[HEAD_BYTES:] for name in ("a", "b")
    )
    assert len(first) == len(second)
    same = sum(x == y for x, y in zip(first, second, strict=True))
    assert same < len(first) / 200  # by chance 1 in 256


def test_any_range_is_as_in_the_whole(tmp_path: Path) -> None:
    path = sealed(tmp_path / "c.wav.sealed", 137)
    whole = play(path)
    sound = open_recording(path, KEYS)
    edges = [0, 1, 43, 44, 45, CHUNK + 43, CHUNK + 44, CHUNK + 45, 3 * CHUNK, len(whole) - 1, len(whole)]
    chance = random.Random(1)
    ranges = [(a, b - a) for a in edges for b in edges if b >= a]
    ranges += [(chance.randrange(len(whole)), chance.randrange(3 * CHUNK)) for _ in range(300)]
    ranges += [(len(whole), 10), (len(whole) + 5, 10), (0, 10 * len(whole))]
    for offset, length in ranges:
        assert sound.read(offset, length) == whole[offset : offset + length], (offset, length)


def test_a_range_opens_only_the_chunks_it_needs(tmp_path: Path) -> None:
    """A damaged chunk is in nobody's way but that of who wants to hear it."""
    path = sealed(tmp_path / "c.wav.sealed", 130)
    whole = play(path)
    with path.open("r+b") as file:
        file.seek(HEAD_BYTES + 2 * SEALED_CHUNK + 7)
        file.write(b"\0\1\2")
    sound = open_recording(path, KEYS)
    begin, end = HEADER_BYTES + 2 * CHUNK, HEADER_BYTES + 3 * CHUNK
    assert sound.read(0, begin) == whole[:begin]
    assert sound.read(end, sound.size) == whole[end:]
    for offset in (begin, end - 1, begin - 1):
        with pytest.raises(RecordsError, match=r"was changed or damaged: part 2 does not open"):
            sound.read(offset, 2)


@pytest.mark.parametrize("at", [*range(0, HEAD_BYTES, 3), 63, HEAD_BYTES, HEAD_BYTES + CHUNK, -1, -17])
def test_no_byte_can_be_changed_unnoticed(tmp_path: Path, at: int) -> None:
    path = sealed(tmp_path / "c.wav.sealed", 60)
    whole, data = play(path), bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    try:
        sound = open_recording(path, KEYS)
        heard = sound.read(0, sound.size)
    except RecordsError:
        return
    assert sound.complete is False, "only the last chunk may be missing, and that is seen"
    assert heard[HEADER_BYTES:] == whole[HEADER_BYTES : HEADER_BYTES + 2 * CHUNK]


def chunks(path: Path) -> tuple[bytes, list[bytes]]:
    data = path.read_bytes()
    body = data[HEAD_BYTES:]
    return data[:HEAD_BYTES], [body[at : at + SEALED_CHUNK] for at in range(0, len(body), SEALED_CHUNK)]


def test_chunks_cannot_be_swapped_repeated_left_out_or_mixed(tmp_path: Path) -> None:
    path, other = tmp_path / "c.wav.sealed", tmp_path / "other" / "c.wav.sealed"
    head, parts = chunks(sealed(path, 110))
    _, foreign = chunks(sealed(other, 110))
    a, b, c, d, last = parts
    for wrong in (
        [b, a, c, d, last],
        [a, a, c, d, last],
        [b, c, d, last],
        [a, c, d, last],
        [foreign[0], b, c, d, last],
        [a, b, c, foreign[3], last],
    ):
        path.write_bytes(head + b"".join(wrong))
        with pytest.raises(RecordsError, match="was changed or damaged"):
            play(path)
    path.write_bytes(head + b"".join([a, b, c, d, foreign[4]]))
    assert open_recording(path, KEYS).complete is False
    path.write_bytes(head + b"".join([a, b, c, last]))  # a part left out before the end
    assert open_recording(path, KEYS).complete is False


def test_one_calls_recording_cannot_be_put_in_place_of_another(tmp_path: Path) -> None:
    path = sealed(tmp_path / "c.wav.sealed", 60)
    path.rename(tmp_path / "d.wav.sealed")
    with pytest.raises(RecordsError, match="or is that of another call"):
        play(tmp_path / "d.wav.sealed")
    (tmp_path / "moved").mkdir()
    moved = (tmp_path / "d.wav.sealed").rename(tmp_path / "moved" / "c.wav.sealed")
    assert heard_ticks(play(moved)) == 60, "another folder is no matter"


def test_a_plain_file_does_not_pass_for_a_sealed_one(tmp_path: Path) -> None:
    plain = Recording(tmp_path / "c.wav")
    plain.write(bytes(3200), bytes(3200))
    plain.close().result(10)
    fake = (tmp_path / "c.wav").rename(tmp_path / "c.wav.sealed")
    with pytest.raises(RecordsError, match="is not a sealed recording"):
        open_recording(fake, KEYS)


@pytest.mark.parametrize("whole_chunks", [0, 1, 4])
def test_a_recording_cut_short_is_seen_to_be(tmp_path: Path, whole_chunks: int) -> None:
    path = sealed(tmp_path / "c.wav.sealed", 110)
    size = HEAD_BYTES + whole_chunks * SEALED_CHUNK
    for extra in (0, 1, TAG_BYTES, 1000):
        data = path.read_bytes()
        path.write_bytes(data[: size + extra])
        sound = open_recording(path, KEYS)
        assert sound.complete is False
        assert heard_ticks(sound.read(0, sound.size)) == 25 * whole_chunks
        path.write_bytes(data)


def test_it_plays_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "c.wav.sealed"
    rec = Recording(path, key=KEY)
    lengths = set()
    for n in range(100):
        rec.write(*tick(n))
        recording._disk.submit(lambda: None).result(10)
        sound = open_recording(path, KEYS)
        assert sound.complete is False
        lengths.add(heard_ticks(sound.read(0, sound.size)))
        assert rec.length_s == pytest.approx(max(lengths) * 0.02)
    assert lengths == {0, 25, 50, 75, 100}
    early = open_recording(path, KEYS)
    rec.write(*tick(100))
    rec.close().result(10)
    assert heard_ticks(early.read(0, early.size)) == 100, "what was announced, and no more"
    assert heard_ticks(play(path)) == 101


KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from records import recording
from records.keys import Key
rec = recording.Recording(Path(sys.argv[1]), key=Key(bytes(range(32))))
recording._disk.submit(lambda: None).result()  # the file has been made
n = 0
while True:
    rec.write(np.full(160, n % 30000, "<i2").tobytes(), np.full(160, -(n % 30000), "<i2").tobytes())
    n += 1
    if n % 50 == 0:
        recording._disk.submit(lambda: None).result()
        print(n, flush=True)
        time.sleep(0.001)
"""


@pytest.mark.parametrize("ticks", [50, 400, 1000])
def test_it_plays_after_sigkill_in_the_middle(tmp_path: Path, ticks: int) -> None:
    path = tmp_path / "c.wav.sealed"
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
    heard = heard_ticks(play(path))
    assert heard >= ticks, "all that was flushed"
    assert open_recording(path, KEYS).complete is False
    assert repair(path, KEYS) is True
    assert open_recording(path, KEYS).complete is True
    assert heard_ticks(play(path)) == heard
    assert repair(path, KEYS) is False


@pytest.mark.parametrize("torn", [0, 5, TAG_BYTES, SEALED_CHUNK - 1])
def test_repair_cuts_off_what_was_being_written(tmp_path: Path, torn: int) -> None:
    path = sealed(tmp_path / "c.wav.sealed", 110)
    whole = path.read_bytes()
    path.write_bytes(whole[: HEAD_BYTES + 3 * SEALED_CHUNK + torn])
    assert repair(path, KEYS) is True
    first = path.read_bytes()
    assert len(first) == HEAD_BYTES + 3 * SEALED_CHUNK + TAG_BYTES
    assert heard_ticks(play(path)) == 75
    path.write_bytes(whole[: HEAD_BYTES + 3 * SEALED_CHUNK + torn])
    repair(path, KEYS)
    assert path.read_bytes() == first, "a nonce is used again for the same bytes only"
    path.write_bytes(first[: HEAD_BYTES + 2 * SEALED_CHUNK] + first[HEAD_BYTES + 3 * SEALED_CHUNK :])
    assert open_recording(path, KEYS).complete is False, "and cutting it after that is seen"


def test_repair_drops_what_the_disk_lost(tmp_path: Path) -> None:
    """After a loss of power a file may be long enough and hold zeros."""
    path = sealed(tmp_path / "c.wav.sealed", 110)
    data = path.read_bytes()[: HEAD_BYTES + 2 * SEALED_CHUNK]
    path.write_bytes(data + bytes(2 * SEALED_CHUNK))
    assert repair(path, KEYS) is True
    assert heard_ticks(play(path)) == 50


def test_repair_leaves_alone_what_it_cannot_open(tmp_path: Path) -> None:
    path = sealed(tmp_path / "c.wav.sealed", 60)
    moved = path.rename(tmp_path / "d.wav.sealed")
    before = moved.read_bytes()
    with pytest.raises(RecordsError, match="or is that of another call"):
        repair(moved, KEYS)
    with pytest.raises(RecordsError, match="is not set"):
        repair(moved, Keys(OTHER))
    assert moved.read_bytes() == before
    with pytest.raises(RecordsError, match=r"none\.wav\.sealed cannot be repaired: No such file"):
        repair(tmp_path / "none.wav.sealed", KEYS)


def test_what_has_no_header_yet_has_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "c.wav.sealed"
    for size in (0, HEAD_BYTES - 1):
        path.write_bytes(bytes(size))
        with pytest.raises(NotFound, match="has not begun"):
            open_recording(path, KEYS)
        with pytest.raises(RecordsError, match="has not begun"):
            repair(path, KEYS)


def test_no_nonce_is_used_twice_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the disk fails in the middle of a chunk, and the file is repaired afterwards."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from records import sealed as module

    used: dict[bytes, bytes] = {}

    class Watched:
        def __init__(self, key: bytes) -> None:
            self._aes = AESGCM(key)
            self.decrypt = self._aes.decrypt

        def encrypt(self, nonce: bytes, data: bytes, associated: bytes) -> bytes:
            assert used.setdefault(nonce, data) == data
            assert associated.endswith(nonce)
            return self._aes.encrypt(nonce, data, associated)

    monkeypatch.setattr(module, "AESGCM", Watched)
    path = sealed(tmp_path / "c.wav.sealed", 110)
    path.write_bytes(path.read_bytes()[: HEAD_BYTES + 2 * SEALED_CHUNK + 100])
    repair(path, KEYS)
    assert len(used) == 7  # the head, four inner chunks, the last, and the one after the crash


def test_keys_are_changed_and_old_recordings_still_open(tmp_path: Path) -> None:
    before = sealed(tmp_path / "a.wav.sealed", 30, OTHER)
    after = sealed(tmp_path / "b.wav.sealed", 40, KEY)
    rotated = Keys(KEY, (OTHER,))
    assert (heard_ticks(play(before, rotated)), heard_ticks(play(after, rotated))) == (30, 40)
    assert heard_ticks(play(before, Keys(None, (OTHER,)))) == 30
    for keys in (KEYS, Keys()):
        with pytest.raises(RecordsError, match=f"sealed with the key {OTHER.id.hex()}, which is not set"):
            open_recording(before, keys)


def test_keys_are_read_as_hex_or_base64() -> None:
    secret = KEY.secret
    for text in (secret.hex(), secret.hex().upper(), base64.b64encode(secret).decode() + "\n"):
        assert parse_key(text) == KEY
    assert parse_keys("", "") == Keys()
    assert parse_keys(secret.hex(), f"\n{OTHER.secret.hex()}\n\n{secret.hex()}\n") == Keys(KEY, (OTHER, KEY))
    assert secret.hex() not in repr(Keys(KEY))
    assert repr(secret) not in repr(Keys(KEY))
    assert len({KEY.id, OTHER.id}) == 2
    for wrong in (
        "",
        "secret",
        secret.hex()[:-2],
        "zz" * 32,
        base64.b64encode(secret[:16]).decode(),
        "密" * 64,
    ):
        with pytest.raises(ValueError, match="32 random bytes as 64 hex digits or in base64"):
            parse_key(wrong)


def test_a_record_names_files_within_the_folder_only(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    for name in ("flat.wav", "2025/01/31/c.wav.sealed", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    (tmp_path / "outside.wav").write_bytes(b"x")
    assert find_recording(folder, "flat.wav") == folder / "flat.wav"
    assert find_recording(folder, "2025/01/31/c.wav.sealed") is not None
    outside = str(tmp_path / "outside.wav")
    for name in ("", ".wav", "none.wav", "notes.txt", "../outside.wav", "2025/../../outside.wav", outside):
        assert find_recording(folder, name) is None, name
