"""Reader of CREMA-D: 91 actors, twelve sentences, six emotions (Cao et al., 2014).

The labels are read from the file names in `AudioWAV/` (or `AudioMP3/`): 1001_IEO_ANG_HI.wav is
actor, sentence, emotion, level. The facts of the actors are read from `VideoDemographics.csv`.
"""

import re
from pathlib import Path

from privrep.datasets.categories import SCALE, ratings_of
from privrep.datasets.parsing import gender_of, known, locate, lookup, not_found, sorted_by_id
from privrep.formats.tables import read_table
from privrep.messages import first, misread
from privrep.types import Utterance

OBTAIN = (
    "CREMA-D is free to download: https://github.com/CheyneyComputerScience/CREMA-D (with git lfs)"
)
FOLDERS = {"AudioWAV": ".wav", "AudioMP3": ".mp3"}
TABLE = "VideoDemographics.csv"
FACTS = {"age": "Age", "race": "Race", "ethnicity": "Ethnicity"}
EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgusted",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": None, "X": None}  # X: a slip of one name
SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_(LO|MD|HI|XX?)")


def read(root: Path) -> list[Utterance]:
    """Reads the clips under `root`, or under the folder below or above.

    Categories are emotion, intensity (low, medium, high; unspecified for most clips) and sentence.
    The ratings activation and valence are the levels that `categories` assigns to the emotion.
    Private are gender, age in years, race and ethnicity. The release's 1076_MTI_SAD_XX is silent.

    Raises:
      FileNotFoundError: no clip there.
      ValueError: a file name or a row does not parse, the table of the actors is missing, or an
        actor in it.
    """
    root = locate(Path(root), lambda folder: bool(_clips(folder)))
    clips = _clips(root)
    if not clips:
        raise not_found("CREMA-D", root, [f"AudioWAV/1001_IEO_ANG_HI.wav and {TABLE}"], OBTAIN)
    actors = _actors(root / TABLE)
    named = [(path, NAME.fullmatch(path.stem)) for path in clips]
    unknown = sorted({match[1] for _, match in named if match and match[1] not in actors})
    if unknown:
        raise ValueError(f"{root / TABLE} has no row of the actors {first(unknown)}. {OBTAIN}")
    return sorted_by_id(
        ((str(path), _utterance(path, match, actors)) for path, match in named), root
    )


def _clips(root: Path) -> list[Path]:
    for folder, suffix in FOLDERS.items():
        clips = [p for p in sorted((root / folder).glob(f"*{suffix}")) if p.name[0] != "."]
        if clips:
            return clips
    return []


def _actors(table: Path) -> dict[str, dict[str, str]]:
    """{actor: {attribute: value}}."""
    if not table.is_file():
        raise ValueError(
            f"{table} is missing, which lists the actors' gender, age, race and ethnicity: "
            f" put it beside AudioWAV. {OBTAIN}"
        )
    columns = ["ActorID", "Age", "Sex", "Race", "Ethnicity"]
    actors: dict[str, dict[str, str]] = {}
    for place, row in read_table(table, columns, delimiter=",").rows():
        if row["ActorID"] in actors:
            raise ValueError(f"{place}: actor {row['ActorID']} is described twice")
        gender = gender_of(row["Sex"], place)
        facts = {name: row[column] for name, column in FACTS.items() if row[column]}
        actors[row["ActorID"]] = known({"gender": gender, **facts})
    return actors


def _utterance(
    path: Path, match: re.Match[str] | None, actors: dict[str, dict[str, str]]
) -> Utterance:
    if not match:
        raise misread(str(path), path.name, "a name such as 1001_IEO_ANG_HI.wav")
    actor, sentence, code, level = match.groups()
    emotion = lookup(EMOTIONS, code, str(path), "an emotion")
    return Utterance(
        id=path.stem,
        speaker=actor,
        wav=path,
        transcript=lookup(SENTENCES, sentence, str(path), "a sentence"),
        ratings=ratings_of(emotion),
        scale=SCALE,
        categories=known(
            {"emotion": emotion, "intensity": LEVELS[level], "sentence": sentence.lower()}
        ),
        private=actors[actor],
    )
