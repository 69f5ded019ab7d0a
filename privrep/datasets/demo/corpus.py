"""Maker and reader of the demo corpus: synthetic speech that any machine makes in seconds.

It demonstrates and tests the whole job without a licensed corpus. Its effects are designed, so that
results on it are no evidence about people.

    <root>/labels.csv          id,speaker,gender,accent,transcript,activation,valence; ratings 1-5
    <root>/wav/<id>.wav        16 kHz, 16 bit, mono
    <root>/demo_corpus.json    settings of the maker, and a fingerprint of all files
"""

import csv
import hashlib
import json
import shutil
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
import soxr

from privrep.cores import usable_cores
from privrep.datasets.demo import espeak
from privrep.datasets.demo.plan import Line, Speaker, draw_plan
from privrep.types import Utterance

OBTAIN = f"The demo corpus is made on first use, in seconds; it needs {espeak.INSTALL}"
VERSION = 1  # of the maker: increment it when a change makes other sound or other labels
SAMPLE_RATE = 16000
MAX_LEVEL = -14.0  # dB of full scale, as of a level control; louder speech would clip
MADE = "demo_corpus.json"  # marks a folder that may be replaced
COLUMNS = ("id", "speaker", "gender", "accent", "transcript", "activation", "valence")


def read(root: Path) -> list[Utterance]:
    """Reads the utterances under `root`, sorted by id.

    If `root` is missing, damaged or outdated, `make` makes it first, with its defaults.

    Ratings are activation and valence on 1-5; private attributes are gender (female, male) and
    accent (american, british), balanced against each other. There are no sessions.

    Raises:
      ValueError: `root` holds something else, or espeak-ng is not installed.
    """
    root = Path(root)
    if not is_complete(root):
        if (root / MADE).exists():
            warnings.warn(
                f"{root} is damaged, or an earlier version's: the demo corpus is made anew",
                stacklevel=2,
            )
        make(root)
    with open(root / "labels.csv", newline="", encoding="utf-8") as file:
        utterances = [
            Utterance(
                id=row["id"],
                speaker=row["speaker"],
                wav=root / "wav" / f"{row['id']}.wav",
                transcript=row["transcript"],
                ratings={task: float(row[task]) for task in ("activation", "valence")},
                scale=(1.0, 5.0),
                private={"gender": row["gender"], "accent": row["accent"]},
            )
            for row in csv.DictReader(file)
        ]
    return sorted(utterances, key=lambda utterance: utterance.id)


def make(root: Path, seed: int = 0, speakers: int = 24, utterances: int = 50) -> None:
    """Makes the corpus under `root`, in place of an earlier one.

    The corpus is written beside `root` and renamed, so that `root` is never incomplete. The same
    arguments and the same espeak-ng give the same bytes.

    Args:
      root: an empty or new folder, or a demo corpus.
      seed: of labels, sentences and voices.
      speakers: number of speakers.
      utterances: number of utterances of each speaker.

    Raises:
      ValueError: `root` holds something other than a demo corpus, or espeak-ng is not installed.
    """
    root = Path(root).resolve()
    is_demo = (root / MADE).is_file()
    if root.exists() and not is_demo and (not root.is_dir() or any(root.iterdir())):
        raise ValueError(
            f"{root} holds something other than the demo corpus, which would replace it: "
            "name an empty or new folder"
        )
    root.parent.mkdir(parents=True, exist_ok=True)
    for unfinished in root.parent.glob(f".{root.name}.making-*"):
        if time.time() - unfinished.stat().st_mtime > 3600:  # its process must have been killed
            shutil.rmtree(unfinished, ignore_errors=True)
    plan = draw_plan(seed, speakers, utterances)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=f".{root.name}.making-") as folder:
        new = Path(folder, "new")
        (new / "wav").mkdir(parents=True)
        with ThreadPoolExecutor(usable_cores()) as pool:
            for _ in pool.map(lambda part: _record(new / "wav", *part), plan):
                pass
        with open(new / "labels.csv", "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(COLUMNS)
            for speaker, lines in plan:
                person = (speaker.name, speaker.gender, speaker.accent)
                rows.writerows(
                    (x.id, *person, x.transcript, x.activation, x.valence) for x in lines
                )
        made = {
            "what": "synthetic speech by espeak-ng: the demo corpus of privrep",
            "version": VERSION,
            "seed": seed,
            "speakers": speakers,
            "utterances": utterances,
            "fingerprint": fingerprint(new),
        }
        (new / MADE).write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
        if is_complete(root) and (root / MADE).read_bytes() == (new / MADE).read_bytes():
            return  # another process made the same corpus meanwhile, and may be reading it
        if root.exists():
            root.rename(Path(folder, "old"))
        new.rename(root)


def is_complete(root: Path) -> bool:
    """Whether this version of the maker wrote `root` and its fingerprint is still the same."""
    try:
        made = json.loads((root / MADE).read_text(encoding="utf-8"))
        return made["version"] == VERSION and made["fingerprint"] == fingerprint(root)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def fingerprint(root: Path) -> str:
    """SHA-256, in hex, of the labels and of the name and content of each recording."""
    digest = hashlib.sha256((root / "labels.csv").read_bytes())
    for wav in sorted((root / "wav").iterdir()):
        with wav.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{wav.name} {content}\n".encode())
    return digest.hexdigest()


def _record(folder: Path, speaker: Speaker, lines: list[Line]) -> None:
    """Synthesises all lines of one speaker, and writes them as recordings in the speaker's room."""
    # Playing a voice faster by the factor `tract` raises its resonances and its pitch by that
    # factor, as a shorter vocal tract does. It raises the rate too, which is compensated here.
    requests = [
        espeak.Request(x.transcript, round(x.rate / speaker.tract), x.pitch, x.pitch_range)
        for x in lines
    ]
    rng = np.random.default_rng(speaker.seed)
    response, noise = _room_response(rng, speaker), _room_noise(rng, speaker)
    for line, samples in zip(lines, espeak.speak(speaker.voice, requests)):
        voice_rate = espeak.SAMPLE_RATE * speaker.tract
        dry = soxr.resample(samples.astype(np.float32), voice_rate, SAMPLE_RATE)
        before, after = rng.integers(SAMPLE_RATE // 20, SAMPLE_RATE // 4, 2)
        wave = _in_room(np.pad(dry, (before, after)), line, response)
        offset = rng.integers(len(noise))
        wave += np.take(noise, np.arange(offset, offset + len(wave)), mode="wrap")
        soundfile.write(folder / f"{line.id}.wav", _int16(wave), SAMPLE_RATE, subtype="PCM_16")


def _room_response(rng: np.random.Generator, speaker: Speaker) -> np.ndarray:
    """float32[n]: the room's impulse response, decaying noise after the direct sound."""
    seconds = np.arange(int(speaker.reverberation * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.normal(size=len(seconds)) * 10 ** (-3 * seconds / speaker.reverberation)
    tail *= _amplitude(speaker.wet) / np.sqrt(np.sum(tail**2))
    tail[0] = 1
    return tail.astype(np.float32)


def _room_noise(rng: np.random.Generator, speaker: Speaker, size: int = 1 << 17) -> np.ndarray:
    """float32[size]: the room's noise at its level, which can be repeated end to end."""
    spectrum = np.fft.rfft(rng.normal(size=size)) * _tilt(speaker.noise_tilt, size)
    noise = np.fft.irfft(spectrum, size)
    return (noise * (_amplitude(speaker.level - speaker.noise) / noise.std())).astype(np.float32)


def _in_room(dry: np.ndarray, line: Line, response: np.ndarray) -> np.ndarray:
    """float32[n]: the dry voice, float32[n], at the line's level and brightness, in its room."""
    size = -(-(len(dry) + len(response)) // 4096) * 4096  # small factors make the transform fast
    spectrum = np.fft.rfft(dry, size) * np.fft.rfft(response, size) * _tilt(line.tilt, size)
    speech = np.fft.irfft(spectrum, size)[: len(dry)]
    return speech * np.float32(_amplitude(min(line.level, MAX_LEVEL)) / speech.std())


def _tilt(decibels_per_octave: float, size: int) -> np.ndarray:
    """float32[size // 2 + 1]: filter gains, linear in dB over log frequency, 1 at 1 kHz."""
    frequencies = np.fft.rfftfreq(size, 1 / SAMPLE_RATE).astype(np.float32)
    # A slope in dB per octave is a power of frequency; below 60 Hz there is no speech.
    power = np.float32(decibels_per_octave / (20 * np.log10(2)))
    return (np.maximum(frequencies, 60) / 1000) ** power


def _amplitude(decibels: float) -> float:
    return 10 ** (decibels / 20)


def _int16(wave: np.ndarray) -> np.ndarray:
    """int16[n] of float[n] with full scale 1; larger values are clipped."""
    return np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16)
