"""Speech from espeak-ng: each call runs a process of its own, so equal calls give equal samples.

espeak-ng keeps state from one utterance to the next (its flutter, its breath noise) and is not
thread-safe. A fresh process with a fixed seed makes a sequence of utterances a pure function of
its arguments, allows threads to synthesise in parallel, and keeps a crash of the library out of
this process.

The library comes with the pip package espeakng-loader (GPL-3.0), which is not imported here and is
not a dependency of the package, but of its extra [demo].
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
INSTALL = "pip install 'privrep[demo]' (in a checkout: pip install -e '.[demo]')"
_CHILD = Path(__file__).with_name("espeak_child.py")


class Request(NamedTuple):
    """One utterance to synthesise.

    Attributes:
      text: what is spoken.
      rate: words per minute, 80 to 450.
      pitch, pitch_range: 0 to 99, usually 50.
    """

    text: str
    rate: int
    pitch: int
    pitch_range: int


def speak(voice: str, requests: Sequence[Request]) -> list[np.ndarray]:
    """Synthesises `requests` one after the other with one voice.

    Args:
      voice: language and variant as espeak-ng names them, such as "en-us+f3".
      requests: the utterances.

    Returns:
      int16[samples] for each request, mono at `SAMPLE_RATE`.

    Raises:
      ValueError: espeakng-loader is not installed, or espeak-ng refused.
    """
    if importlib.util.find_spec("espeakng_loader") is None:
        raise ValueError(
            f"The demo corpus is spoken by espeak-ng, which is not installed: {INSTALL}"
        )
    done = subprocess.run(
        [sys.executable, "-P", _CHILD],  # -P: its folder's files are not top-level modules
        input=json.dumps([voice, SAMPLE_RATE, requests]).encode(),
        capture_output=True,
    )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise ValueError(f"espeak-ng could not speak with voice {voice!r}: {reason}")
    sizes = np.frombuffer(done.stdout, np.int32, len(requests))
    samples = np.frombuffer(done.stdout, np.int16, offset=sizes.nbytes)
    return np.split(samples, np.cumsum(sizes))[:-1]
