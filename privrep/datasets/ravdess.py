"""Reader of RAVDESS, speech: 24 actors, two sentences, eight emotions (Livingstone & Russo, 2018).

The labels are read from the file names in `Actor_01/` to `Actor_24/`: 03-01-06-01-02-01-12.wav is
modality, channel, emotion, intensity, statement, repetition, actor. The published zips hold .wav,
copies also .flac.
"""

import re
import warnings
from pathlib import Path

from privrep.datasets.categories import SCALE, ratings_of
from privrep.datasets.parsing import locate, lookup, not_found, sorted_by_id
from privrep.messages import misread
from privrep.types import Utterance

OBTAIN = (
    "RAVDESS is free to download: https://zenodo.org/records/1188976, Audio_Speech_Actors_01-24.zip"
)
ACTORS = [f"{number:02d}" for number in range(1, 25)]  # odd numbers are men
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgusted",
    "08": "surprised",
}
INTENSITIES = {"01": "normal", "02": "strong"}
STATEMENTS = {
    "01": ("kids", "Kids are talking by the door."),
    "02": ("dogs", "Dogs are sitting by the door."),
}
CHANNELS = {"01": "speech", "02": "song"}
NAME = re.compile(r"\d\d" + r"-(\d\d)" * 6)
NAME_FORM = "seven numbers, the last an actor from 01 to 24, such as 03-01-06-01-02-01-12.wav"
SUFFIXES = (".wav", ".flac")


def read(root: Path) -> list[Utterance]:
    """Reads the sounds in `root`/Actor_01 to Actor_24, or of the folder below or above `root`.

    Categories are emotion, intensity (normal, strong) and sentence. The ratings activation and
    valence are the levels that `categories` assigns to the emotion. Songs, which some copies have
    among them, are left out, and counted in a warning, as are actors who are missing.

    Raises:
      FileNotFoundError: no sound there.
      ValueError: a file name does not parse.
    """
    root = locate(Path(root), _has_speech)
    sounds = _sounds(root)
    if not _has_speech(root):
        raise not_found("RAVDESS", root, ["Actor_01/03-01-01-01-01-01-01.wav (or .flac)"], OBTAIN)
    described, songs = [], 0
    for path in sounds:
        fields = _fields(path)
        if lookup(CHANNELS, fields[0], str(path), "a channel") == "song":
            songs += 1
        else:
            described.append((str(path), _utterance(path, fields)))
    if songs:
        warnings.warn(f"{root}: left out {songs} songs; the corpus is the speech", stacklevel=2)
    utterances = sorted_by_id(described, root)
    missing = sorted(set(ACTORS) - {utterance.speaker for utterance in utterances})
    if missing:
        warnings.warn(
            f"{root} is an incomplete RAVDESS: no speech of the actors {', '.join(missing)}",
            stacklevel=2,
        )
    return utterances


def _has_speech(root: Path) -> bool:
    """Whether speech is there; the songs come in a zip of their own, with the same folders."""
    return any(path.name[:6] == "03-01-" for path in _sounds(root))


def _sounds(root: Path) -> list[Path]:
    return sorted(
        path
        for path in root.glob("Actor_[0-9][0-9]/*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def _fields(path: Path) -> tuple[str, ...]:
    """Channel, emotion, intensity, statement, repetition, actor."""
    match = NAME.fullmatch(path.stem)
    if not match or match[6] not in ACTORS:
        raise misread(str(path), path.name, NAME_FORM)
    if path.parent.name != f"Actor_{match[6]}":
        raise misread(str(path), path.name, f"a file of {path.parent.name}")
    return match.groups()


def _utterance(path: Path, fields: tuple[str, ...]) -> Utterance:
    _, emotion_code, intensity, statement, _, actor = fields
    emotion = lookup(EMOTIONS, emotion_code, str(path), "an emotion")
    sentence, words = lookup(STATEMENTS, statement, str(path), "a statement")
    return Utterance(
        id=path.stem,
        speaker=actor,
        wav=path,
        transcript=words,
        ratings=ratings_of(emotion),
        scale=SCALE,
        categories={
            "emotion": emotion,
            "intensity": lookup(INTENSITIES, intensity, str(path), "an intensity"),
            "sentence": sentence,
        },
        private={"gender": "male" if int(actor) % 2 else "female"},
    )
