"""MP3 decoded as it arrives, by miniaudio."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import miniaudio

_SAMPLES_AT_ONCE = 480
_MORE = object()  # the decoder has nothing left to decode

# MPEG audio layer III: kbit/s by index, for MPEG-1 and for MPEG-2 and 2.5; Hz by version and index.
_KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


class Mp3Error(Exception):
    """The data is not MP3."""


class Mp3Stream:
    """Takes MP3 data piece by piece and gives back all audio that it completes: mono s16le at `sample_rate`.

    miniaudio pulls its input, so it runs on a thread of its own, which waits where there is no more.
    Use it as a context manager, or the thread stays.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._rest = b""
        self._input: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._output: queue.SimpleQueue[bytes | Exception | object] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="mp3", daemon=True)

    def __enter__(self) -> Mp3Stream:
        self._thread.start()
        self._until_more()
        return self

    def __exit__(self, *_: object) -> None:
        self._input.put(None)
        self._thread.join()

    def push(self, mp3: bytes) -> bytes:
        """Decode the frames that `mp3` completes; takes some ms per second of audio. Raises Mp3Error."""
        audio = b""
        frames, self._rest = cut_frames(self._rest + mp3)
        for frame in frames:
            self._input.put(frame)
            audio += self._until_more()
        return audio

    def finish(self) -> bytes:
        """The data has ended: return the last of the audio. Raises Mp3Error."""
        self._input.put(None)
        return self._until_more()

    def _until_more(self) -> bytes:
        audio = b""
        while isinstance(item := self._output.get(), bytes):
            audio += item
        if isinstance(item, Exception):
            raise Mp3Error(f"not a decodable MP3 stream: {item}") from item
        return audio

    def _run(self) -> None:
        try:
            for audio in self._decoded():
                self._output.put(audio)
        except miniaudio.MiniaudioError as error:
            self._output.put(error)
        self._output.put(_MORE)

    def _decoded(self) -> Iterator[bytes]:
        samples = miniaudio.stream_any(
            _Source(self._input, self._output),
            miniaudio.FileFormat.MP3,
            miniaudio.SampleFormat.SIGNED16,
            nchannels=1,
            sample_rate=self._sample_rate,
            frames_to_read=_SAMPLES_AT_ONCE,
        )
        for block in samples:
            yield block.tobytes()


class _Source(miniaudio.StreamableSource):  # type: ignore[misc]  # untyped; miniaudio takes nothing else
    """The queue, as miniaudio wants to read it: blocking, until None ends the stream.

    One MP3 frame a read: the decoder reads before every frame that it decodes, however much it holds, so more
    would pile up unheard; and a part of a frame at its buffer's end it throws away.
    """

    def __init__(
        self,
        source: queue.SimpleQueue[bytes | None],
        output: queue.SimpleQueue[bytes | Exception | object],
    ) -> None:
        self._source = source
        self._output = output
        self._frame = b""
        self._ended = False

    def read(self, num_bytes: int) -> bytes:
        if not self._frame and not self._ended:
            self._output.put(_MORE)
            frame = self._source.get()
            self._ended = frame is None
            self._frame = frame or b""
        taken, self._frame = self._frame[:num_bytes], self._frame[num_bytes:]
        return taken


def cut_frames(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole layer III frames in `data`, and the rest; what is no frame is passed over."""
    frames = []
    at = 0
    while len(data) - at >= 4:
        size = _frame_bytes(data[at : at + 4])
        if not size:
            at += 1
        elif at + size <= len(data):
            frames.append(data[at : at + size])
            at += size
        else:
            break
    return frames, data[at:]


def _frame_bytes(header: bytes) -> int:
    """Size of the frame that begins with these four bytes; 0 if none does."""
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    kbits, hertz, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if header[0] != 0xFF or header[1] < 0xE0 or version == 1 or layer != 1 or kbits in (0, 15) or hertz == 3:
        return 0
    if version == 3:
        return 144_000 * _KBITS_1[kbits] // _HZ[3][hertz] + padding
    return 72_000 * _KBITS_2[kbits] // _HZ[version][hertz] + padding
