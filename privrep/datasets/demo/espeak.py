"""Speech from espeak-ng: each call a process of its own, so the same calls give the same samples.

espeak-ng keeps state from one utterance to the next (its flutter, its breath noise) and is not
thread-safe. A fresh process with a fixed seed makes a sequence of utterances a pure function of
its arguments, lets threads synthesise at once, and keeps a crash of the library out of this one.

The library is the one in the pip package espeakng-loader (GPL-3.0), used as installed.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

SAMPLE_RATE = 22050  # Hz, espeak-ng's own
CHILD = Path(__file__).with_name("espeak_child.py")


class Request(NamedTuple):
    """One utterance: text, words per minute (80-450), pitch and pitch range (0-99, usual 50)."""

    text: str
    rate: int
    pitch: int
    pitch_range: int


def speak(voice: str, requests: Sequence[Request]) -> list[np.ndarray]:
    """Speaks `requests` one after the other with one voice.

    Args:
      voice: language and variant as espeak-ng names them, such as "en-us+f3".
      requests: what to say, and how.

    Returns:
      int16[samples] for each request, mono at `SAMPLE_RATE`.

    Raises:
      ValueError: espeakng-loader is not installed, or espeak-ng refused.
    """
    if importlib.util.find_spec("espeakng_loader") is None:
        raise ValueError(
            "Speech synthesis needs espeak-ng, which the package espeakng-loader brings: "
            "pip install espeakng-loader"
        )
    done = subprocess.run(
        [sys.executable, "-P", CHILD],  # -P: the files beside it are no top-level modules
        input=json.dumps([voice, SAMPLE_RATE, requests]).encode(),
        capture_output=True,
    )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise ValueError(f"espeak-ng could not speak with voice {voice!r}: {reason}")
    sizes = np.frombuffer(done.stdout, np.int32, len(requests))
    samples = np.frombuffer(done.stdout, np.int16, offset=sizes.nbytes)
    return np.split(samples, np.cumsum(sizes))[:-1]
