"""MSP-Podcast: turns of thousands of podcast speakers, ratings from 1 to 7 (Lotfian & Busso, 2019).

Read from `Labels/labels_consensus.csv` (release 1.8 spells `labels_concensus.csv`; a `.json` keyed
by file name serves too), `Audios/`, `Audio/` or `audio_16kHz/`, and `Transcripts/<turn>.txt`
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

    Ratings activation, valence, dominance; category emotion. Unknown speakers and genders and the
    labels of Test3, which the release hides, are left out. A session is not named: guests and hosts
    recur over episodes, so that only the speaker separates what must be apart.

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
    found = ((at, _utterance(name, row, at, audio, transcripts)) for at, name, row in rows)
    return sorted_by_id(found, root)


def _csv_rows(labels: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    table = read_table(labels, ["FileName", *COLUMNS], delimiter=",", decode=read_text)
    for at, row in table.rows():
        yield at, row["FileName"], row


def _json_rows(labels: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    try:  # as pairs, since a dict would keep the last of two equal names in silence
        table = json.loads(read_text(labels), object_pairs_hook=list)
        entries = [(name, dict(pairs)) for name, pairs in table]
    except json.JSONDecodeError as error:
        raise ValueError(f"{labels}:{error.lineno}: this is no JSON: {error.msg}") from None
    except (TypeError, ValueError):
        raise ValueError(f"{labels}: expected an object of objects, keyed by file name") from None
    for name, entry in entries:
        at = f"{labels}: entry {name}"
        row = {key: "" if value is None else str(value).strip() for key, value in entry.items()}
        if not set(COLUMNS) <= set(row):
            raise misread(at, entry, f"the keys {', '.join(COLUMNS)}")
        yield at, name, row


def _utterance(
    name: str, row: dict[str, str], at: str, audio: Path, transcripts: Path | None
) -> Utterance:
    stem = name.removesuffix(".wav")
    if stem == name:
        raise misread(at, name, "a file name such as MSP-PODCAST_0001_0008.wav")
    ratings, emotion = {}, None
    # Whatever stands in the label cells of Test3 is a placeholder.
    if row["Split_Set"] != "Test3":
        ratings = {
            "activation": rating(row["EmoAct"], SCALE, at),
            "valence": rating(row["EmoVal"], SCALE, at),
            "dominance": rating(row["EmoDom"], SCALE, at),
        }
        emotion = lookup(EMOTIONS, row["EmoClass"] or "X", at, "an emotion")
    return Utterance(
        id=stem,
        speaker=None if row["SpkrID"] in ("", "Unknown") else row["SpkrID"],
        wav=audio / name,
        transcript=read_transcript(transcripts / f"{stem}.txt") if transcripts else None,
        ratings=known(ratings),
        scale=SCALE,
        categories=known({"emotion": emotion}),
        private=known({"gender": lookup(GENDERS, row["Gender"].capitalize(), at, "a gender")}),
        split=lookup(SPLITS, row["Split_Set"], at, "a split"),
    )
