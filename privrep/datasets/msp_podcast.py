"""Reader of MSP-Podcast: podcast turns, rated from 1 to 7 (Lotfian & Busso, 2019).

The releases from 1.0 to 2.0 differ in their folders. Labels are read from
`Labels/labels_consensus.csv`, or the `.json` keyed by file name (spelled `concensus` up to 1.9), in
a folder `Labels`, `labels` or `label`, in one more `Labels` inside it, or beside it; else, as in
1.0 to 1.5, from `labels.txt`, `Partitions.txt` and `Speaker_ids.txt`. Audio is read from `Audios/`,
`Audio/` or `audio_16kHz/`, one folder deeper where it was unpacked so, and transcripts from
`Transcripts/<turn>.txt` where the release has them. A table of
`Previous_releases_information/previous_releases_info/v1.8` is read with the audio of its release.
"""

import functools
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from privrep.datasets.parsing import (
    first_existing,
    gender_of,
    known,
    locate,
    lookup,
    not_found,
    official_part,
    rating,
    read_transcript,
    sorted_by_id,
    speaker_of,
)
from privrep.formats.tables import read_table
from privrep.formats.text_files import read_lines, read_text
from privrep.messages import first, misread
from privrep.types import Utterance

OBTAIN = (
    "MSP-Podcast is free for research on request from the University of Texas at Dallas: "
    "https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html"
)
RELEASES = {  # number of turns: hours of sound
    151_654: 237 + 56 / 60,  # 1.11
    207_136: 324 + 23 / 60,  # 1.12
    267_905: 409.0,  # 2.0
    264_705: 409.0 * 264_705 / 267_905,  # its turns with labels
}
SCALE = (1.0, 7.0)
_OUTER = ["Labels", "labels", "label", "Label"]
FOLDERS = [*_OUTER, *(f"{name}/{name}" for name in _OUTER), "."]
TABLES = [
    f"{folder}/{name}{suffix}"
    for folder in FOLDERS
    for suffix in (".csv", ".json")
    for name in ("labels_consensus", "labels_concensus")
]
TEXTS = ["labels.txt", "Partitions.txt", "Speaker_ids.txt"]
AUDIO = ["Audios", "Audio", "audio_16kHz", "audios", "audio"]
_INNER = {folder.lower() for folder in (*FOLDERS, *AUDIO, "Transcripts")}
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
TURN = re.compile(r"(MSP-PODCAST_\S+\.wav); *(\w*); *A:([^;]*); *V:([^;]*); *D:([^;]*);?\s*")
TURN_FORM = "'MSP-PODCAST_0001_0008.wav; EMOTION; A:number; V:number; D:number;'"
_ABOVE = 3  # folders from Previous_releases_information/previous_releases_info/v1.8 to the release
_Row = tuple[str, str, dict[str, str]]  # "path:number", file name, {column: cell}


def read(root: Path) -> list[Utterance]:
    """Reads the release under `root`, or the folder below or above.

    Ratings are activation, valence and dominance; the category is emotion. Unknown speakers and
    genders and the labels of Test3, which the release hides, are left out. There is no session:
    guests and hosts recur over episodes, so that only the speaker separates the parts of a split.

    Raises:
      FileNotFoundError: `root` holds no label table.
      ValueError: a row does not parse.
    """
    root = locate(Path(root), lambda folder: _labels(folder) is not None, _INNER)
    labels = _labels(root)
    if labels is None:
        wanted = ["Labels/labels_consensus.csv", "Labels/labels_concensus.csv", "the same in .json"]
        raise not_found("MSP-Podcast", root, [*wanted, " with ".join(TEXTS)], OBTAIN)
    if labels.suffix == ".txt":
        rows = _text_rows(root, labels)
    else:
        rows = _json_rows(labels) if labels.suffix == ".json" else _csv_rows(labels)
    release, audio = _audio(root)
    transcripts = release / "Transcripts" if (release / "Transcripts").is_dir() else None
    described = (
        (place, _utterance(name, row, place, audio, transcripts)) for place, name, row in rows
    )
    return sorted_by_id(described, root)


def _labels(root: Path) -> Path | None:
    """The label table under `root`; labels.txt only beside the two other texts."""
    if labels := first_existing(root, TABLES):
        return labels
    texts = [_text(root, name) for name in TEXTS]
    return texts[0] if all(texts) else None


def _text(root: Path, name: str) -> Path | None:
    return first_existing(root, [f"{folder}/{name}" for folder in FOLDERS])


def _audio(root: Path) -> tuple[Path, Path]:
    """The folder of the release, `root` or, of a table of an earlier one, above; that of its audio.

    The first folder that holds turns; else the first that is there, or that should be.
    """
    is_earlier = "Previous_releases_information" in root.absolute().parts
    releases = [root, *(root.absolute().parents[:_ABOVE] if is_earlier else ())]
    nested = [f"{outer}/{inner}" for outer in AUDIO for inner in AUDIO]
    for release in releases:
        for folder in (release / name for name in (*AUDIO, *nested)):
            if next(folder.glob("MSP-PODCAST_*.wav"), None):
                if release != root:
                    warnings.warn(
                        f"{root} has labels and no audio: it is read from {folder}. Turns that "
                        "were removed since are missing there; leave them out with --unusable=drop",
                        stacklevel=3,
                    )
                return release, folder
    return root, first_existing(root, AUDIO) or root / AUDIO[0]


def _csv_rows(labels: Path) -> Iterator[_Row]:
    table = read_table(labels, ["FileName", *COLUMNS], delimiter=",")
    for place, row in table.rows():
        yield place, row["FileName"], row


def _json_rows(labels: Path) -> Iterator[_Row]:
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


def _text_rows(root: Path, labels: Path) -> Iterator[_Row]:
    """Rows of labels.txt, Partitions.txt and Speaker_ids.txt, joined by the file name.

    A turn of Partitions.txt that labels.txt does not have is one whose labels are hidden.
    """
    partitions, speakers = _text(root, TEXTS[1]), _text(root, TEXTS[2])
    assert partitions and speakers  # else there is no `labels`
    parts = dict(_pairs(partitions, "'Train; MSP-PODCAST_0001_0066.wav'", by_file=1))
    persons = dict(_pairs(speakers, "'Speaker_1; Male' or 'MSP-PODCAST_0001_0066.wav; 1'"))
    genders = {
        re.sub("(?i)^speaker_", "", key): value
        for key, (_, value) in persons.items()
        if not key.endswith(".wav")
    }
    rated = dict(_rated_turns(labels))
    unplaced = [name for name in rated if name not in parts]
    if unplaced:
        warnings.warn(
            f"{labels}: {len(unplaced)} turns are in no part of {partitions}: {first(unplaced)}",
            stacklevel=4,
        )
    for name in dict.fromkeys([*rated, *parts]):
        place, emotion, *values = rated.get(name, (parts.get(name, ("",))[0], "", "", "", ""))
        speaker = re.sub("(?i)^speaker_", "", persons.get(name, ("", ""))[1])
        cells = [emotion, *values, speaker, genders.get(speaker, ""), parts.get(name, ("", ""))[1]]
        yield place, name, dict(zip(COLUMNS, cells))


def _pairs(path: Path, form: str, by_file: int = 0) -> Iterator[tuple[str, tuple[str, str]]]:
    """(key, ("path:number", value)) of each line 'key; value', or, with `by_file`, 'value; key'."""
    places: dict[str, str] = {}
    for place, line in read_lines(path):
        cells = [cell.strip() for cell in line.strip().rstrip(";").split(";")]
        if not line.strip():
            continue
        if len(cells) != 2 or not cells[by_file]:
            raise misread(place, line, form)
        key, value = cells[by_file], cells[1 - by_file]
        if places.setdefault(key, place) != place:
            raise ValueError(f"{key} is described twice: {places[key]} and {place}")
        yield key, (place, value)


def _rated_turns(labels: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(file name, ("path:number", emotion, activation, valence, dominance)) of labels.txt."""
    places: dict[str, str] = {}
    for place, line in read_lines(labels):
        turn = TURN.fullmatch(line.strip())
        if turn:
            name, *cells = turn.groups()
            if places.setdefault(name, place) != place:
                raise ValueError(f"{name} is described twice: {places[name]} and {place}")
            yield name, (place, *(cell.strip() for cell in cells))
        elif line.strip() and (".wav" in line or ";" not in line):  # no line of a rater
            raise misread(place, line, TURN_FORM)


def _utterance(
    name: str, row: dict[str, str], place: str, audio: Path, transcripts: Path | None
) -> Utterance:
    stem = name.removesuffix(".wav")
    if stem == name:
        raise misread(place, name, "a file name such as MSP-PODCAST_0001_0008.wav")
    split, test_set = _part(row["Split_Set"], place)
    ratings: dict[str, float | None] = {}
    emotion = None
    # The label cells of Test3 hold placeholders.
    if test_set != "Test3":
        ratings = {
            "activation": rating(row["EmoAct"], SCALE, place),
            "valence": rating(row["EmoVal"], SCALE, place),
            "dominance": rating(row["EmoDom"], SCALE, place),
        }
        emotion = lookup(EMOTIONS, row["EmoClass"] or "X", place, "an emotion")
    gender = gender_of(row["Gender"], place)
    return Utterance(
        id=stem,
        speaker=speaker_of(row["SpkrID"]),
        wav=audio / name,
        transcript=read_transcript(transcripts / f"{stem}.txt") if transcripts else None,
        ratings=known(ratings),
        scale=SCALE,
        categories=_labelled("emotion", emotion),
        private=_labelled("gender", gender),
        split=split,
        test_set=test_set,
    )


@functools.cache
def _labelled(name: str, value: str | None) -> Mapping[str, str]:
    """{name: value}, the same for all turns that have it: there are hundreds of thousands."""
    return known({name: value})


def _part(word: str, place: str) -> tuple[str | None, str | None]:
    """The part and its test set; a copy of 1.6 has one, Test, which others call Test1."""
    split, test_set = official_part(word, place)
    return split, "Test1" if split == "test" and test_set is None else test_set
