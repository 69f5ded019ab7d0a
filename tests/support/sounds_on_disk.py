"""Words and sounds of all fake corpora, and ways to damage a file.

Networks can learn from the sounds: pitch depends on gender and speaker, loudness on activation, a
second tone and the words on valence.
"""

import io
import zlib
from pathlib import Path

import numpy as np
import soundfile

from privrep.types import Utterance

LOW, MID, HIGH = range(3)
ON_5 = (2.0, 3.0, 4.0)  # ratings of the three levels on a scale from 1 to 5
WORDS = ("a terrible sad day", "we went to the table", "what a wonderful happy day")


def levels(index: int) -> tuple[int, int]:
    """Activation and valence of a speaker's utterance number `index`: 9 pairs in turn."""
    return index % 3, (index + index // 3) % 3


def write_wav(
    path: Path,
    gender: str,
    activation: int,
    valence: int,
    speaker: int = 0,
    rate: int = 16_000,
    channels: int = 1,
) -> Path:
    """0.3 to 0.6 s of a harmonic tone in noise; the same path gives the same sound."""
    rng = np.random.default_rng(zlib.crc32(path.name.encode()))
    time = np.arange(int(rng.uniform(0.3, 0.6) * rate)) / rate
    pitch = {"female": 210, "male": 115}[gender] * (1 + 0.01 * speaker) * rng.uniform(0.97, 1.03)
    wave = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6))
    wave += 0.7 * np.sin(2 * np.pi * (1500, 2200, 3000)[valence] * time)
    wave = (wave + 0.3 * rng.standard_normal(time.size)) * (0.02, 0.06, 0.18)[activation]
    file = io.BytesIO()  # which soundfile cannot flush to the disk, its slowest step
    soundfile.write(file, np.repeat(wave[:, None], channels, 1), rate, "PCM_16", format="WAV")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.getvalue())
    return path


def write_text(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))


def by_id(utterances: list[Utterance]) -> list[Utterance]:
    return sorted(utterances, key=lambda utterance: utterance.id)


def truncate(wav: Path) -> None:
    """Cuts a WAV file short in the middle of its samples, as an interrupted copy does."""
    wav.write_bytes(wav.read_bytes()[: wav.stat().st_size // 2])


def make_empty(path: Path) -> None:
    """Leaves a file of no bytes."""
    path.write_bytes(b"")


def corrupt(path: Path) -> None:
    """Overwrites the head of a file, so that no decoder knows it."""
    path.write_bytes(b"\xde\xad\xbe\xef" * 16 + path.read_bytes()[64:])


def edit(path: Path, old: str, new: str) -> None:
    """Replaces the first `old` in a text file, which must hold it."""
    text = path.read_bytes().decode("latin-1")
    assert old in text, f"{path} does not hold {old!r}"
    path.write_bytes(text.replace(old, new, 1).encode("latin-1"))
