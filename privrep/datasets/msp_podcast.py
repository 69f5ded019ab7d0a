"""Reader of MSP-Podcast: podcast turns, rated from 1 to 7 (Lotfian & Busso, 2019).

It reads `Labels/labels_consensus.csv` (release 1.8 spells `labels_concensus.csv`; a `.json` keyed
by file name is read too), `Audios/`, `Audio/` or `audio_16kHz/`, and `Transcripts/<turn>.txt`
where the release has them.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from privrep.datasets.parsing import (
    first_existing,
    known,
    lookup,
    not_found,
    rating,
    read_transcript,
    sorted_by_id,
)
from privrep.formats.tables import read_table
from privrep.formats.text_files import read_text
from privrep.messages import misread
from privrep.types import Utterance

OBTAIN = (
    "MSP-Podcast is free for research on request from the University of Texas at Dallas: "
    "https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html"
)
SCALE = (1.0, 7.0)
LABELS = [
    f"Labels/{name}{suffix}"
    for suffix in (".csv", ".json")
    for name in ("labels_consensus", "labels_concensus")
]
AUDIO = ["Audios", "Audio", "audio_16kHz"]
COLUMNS = ["EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set"]
EMOTIONS = {
    "A": "angry",
    "S": "sad",
    "H": "happy",
    "U": "surprised",
    "F": "fearful",
    "D": "disgusted",
    "C": "contemptuous",
    "N": "neutral",
    "O": "other",
    "X": None,  # the raters did not agree
}
GENDERS = {"Female": "female", "Male": "male", "Unknown": None, "": None}
SPLITS = {
    "Train": "train",
    "Validation": "val",  # until 1.10
    "Development": "val",
    "Test1": "test",
    "Test2": "test",
    "Test3": "test",
}


def read(root: Path) -> list[Utterance]:
    """Reads the release under `root`.

    Ratings are activation, valence and dominance; the category is emotion. Unknown speakers and
    genders and the labels of Test3, which the release hides, are left out. There is no session:
    guests and hosts recur over episodes, so that only the speaker separates the parts of a split.

    Raises:
      FileNotFoundError: `root` holds no label table.
      ValueError: a row does not parse.
    """
    root = Path(root)
    labels = first_existing(root, LABELS)
    if not labels:
        raise not_found("MSP-Podcast", root, LABELS, OBTAIN)
    rows = _json_rows(labels) if labels.suffix == ".json" else _csv_rows(labels)
    audio = first_existing(root, AUDIO) or root / AUDIO[0]
    transcripts = root / "Transcripts" if (root / "Transcripts").is_dir() else None
    described = (
        (place, _utterance(name, row, place, audio, transcripts)) for place, name, row in rows
    )
    return sorted_by_id(described, root)


def _csv_rows(labels: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    table = read_table(labels, ["FileName", *COLUMNS], delimiter=",")
    for place, row in table.rows():
        yield place, row["FileName"], row


def _json_rows(labels: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    try:  # as pairs, since a dict would silently keep the last of two equal names
        table = json.loads(read_text(labels), object_pairs_hook=list)
        entries = [(name, dict(pairs)) for name, pairs in table]
    except json.JSONDecodeError as error:
        raise ValueError(f"{labels}:{error.lineno}: this is not JSON: {error.msg}") from None
    except (TypeError, ValueError):
        raise ValueError(f"{labels}: expected an object of objects, keyed by file name") from None
    for name, entry in entries:
        place = f"{labels}: entry {name}"
        row = {key: "" if value is None else str(value).strip() for key, value in entry.items()}
        if not set(COLUMNS) <= set(row):
            raise misread(place, entry, f"the keys {', '.join(COLUMNS)}")
        yield place, name, row


def _utterance(
    name: str, row: dict[str, str], place: str, audio: Path, transcripts: Path | None
) -> Utterance:
    stem = name.removesuffix(".wav")
    if stem == name:
        raise misread(place, name, "a file name such as MSP-PODCAST_0001_0008.wav")
    ratings: dict[str, float | None] = {}
    emotion = None
    # The label cells of Test3 hold placeholders.
    if row["Split_Set"] != "Test3":
        ratings = {
            "activation": rating(row["EmoAct"], SCALE, place),
            "valence": rating(row["EmoVal"], SCALE, place),
            "dominance": rating(row["EmoDom"], SCALE, place),
        }
        emotion = lookup(EMOTIONS, row["EmoClass"] or "X", place, "an emotion")
    return Utterance(
        id=stem,
        speaker=None if row["SpkrID"] in ("", "Unknown") else row["SpkrID"],
        wav=audio / name,
        transcript=read_transcript(transcripts / f"{stem}.txt") if transcripts else None,
        ratings=known(ratings),
        scale=SCALE,
        categories=known({"emotion": emotion}),
        private=known({"gender": lookup(GENDERS, row["Gender"].capitalize(), place, "a gender")}),
        split=lookup(SPLITS, row["Split_Set"], place, "a split"),
    )
