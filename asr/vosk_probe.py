"""Loads one Vosk model and decodes a moment of silence: run as a process of its own, it is the one that dies.

Kaldi reads its files trustingly: a damaged graph can end in a segmentation fault, which no `except` sees.
Exit code 0: the model works. Anything else: it does not, and stderr says what Kaldi made of it.
"""

from __future__ import annotations

import sys

import vosk


def main(folder: str, sample_rate: float) -> int:
    """Load the model in `folder` and decode half a second; `sample_rate` in Hz is the model's own."""
    vosk.SetLogLevel(-1)
    model = vosk.Model(folder)
    recognizer = vosk.KaldiRecognizer(model, sample_rate)
    recognizer.AcceptWaveform(bytes(int(sample_rate)))
    recognizer.FinalResult()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
