"""Reader of MuSE: monologues under stress and without, rated 1 to 9 (Jaiswal et al., LREC 2020).

It reads the crowdsourcing table in `SurveyInformation/` (or `Survey Information (Questions, Data
etc)/`); audio from `NotStressed/Audio/Non Stressed Question Monologue Audio*/` and
`Stressed/Audio/Stressed Question Monologue Audio*/`; transcripts from `Combined/Utterance
Transcripts/`, else `Whisper-Transcriptions/{Nonstressed,Stressed}_Segments/`.
"""

import re
import warnings
from pathlib import Path

from privrep.datasets.parsing import (
    gender_of,
    known,
    locate,
    lookup,
    not_found,
    rating,
    read_transcript,
    sorted_by_id,
)
from privrep.formats.tables import read_table
from privrep.messages import misread
from privrep.types import Utterance

OBTAIN = (
    "MuSE is distributed for research by its authors at the University of Michigan: "
    "Jaiswal et al., MuSE: a Multimodal Dataset of Stressed Emotion, LREC 2020"
)
SCALE = (1.0, 9.0)
SURVEYS = ["SurveyInformation", "Survey Information (Questions, Data etc)"]
TABLE = "Emotion data from crowdsourcing*.csv"
MEANS = {
    "activation": "Activation_Mean",
    "valence": "Valence_Mean",
    "activation_context": "C_Activation_Mean",
    "valence_context": "C_Valence_Mean",
}
SELF_REPORTS = {"activation_self": "S_Activation", "valence_self": "S_Valence"}
COLUMNS = ["Sentence_name", "Gender", "Type", *MEANS.values(), *SELF_REPORTS.values()]
STRESSED = {"S": "yes", "NS": "no"}
AUDIO = {
    "S": "Stressed/Audio/Stressed Question Monologue Audio",
    "NS": "NotStressed/Audio/Non Stressed Question Monologue Audio",
}
TRANSCRIPTS = "Combined/Utterance Transcripts"
WHISPER = {
    "S": "Whisper-Transcriptions/Stressed_Segments",
    "NS": "Whisper-Transcriptions/Nonstressed_Segments",
}
NAME = re.compile(r"(\w\w)_.+\.wav")


def read(root: Path) -> list[Utterance]:
    """Reads the release under `root`, or the folder below or above.

    The ratings activation and valence are means over annotators who heard each utterance alone, as
    an acoustic network does; such networks predict them best (Jaiswal et al., 2019, arXiv
    1903.11672, on this corpus). activation_context and valence_context are means over annotators
    who had heard all utterances before it. activation_self and valence_self are the speaker's
    report on the whole monologue, left out (and counted in a warning) where it is no rating from 1
    to 9. Whether the speaker was stressed ("yes", "no") is a category and a private attribute.

    Raises:
      FileNotFoundError: `root` holds no crowdsourcing table.
      ValueError: a row does not parse.
    """
    root = locate(Path(root), lambda folder: bool(_tables(folder)))
    tables = _tables(root)
    if not tables:
        raise not_found("MuSE", root, [f"{survey}/{TABLE}" for survey in SURVEYS], OBTAIN)
    wavs = {kind: _wavs(root / folder) for kind, folder in AUDIO.items()}
    rejected: list[str] = []
    table = read_table(tables[0], COLUMNS, delimiter=",")
    described = [
        (place, _utterance(row, place, root, wavs, rejected)) for place, row in table.rows()
    ]
    if rejected:
        warnings.warn(
            f"{len(rejected)} self-reports of MuSE are no rating from 1 to 9 and are left out, "
            f"the first: {rejected[0]}",
            stacklevel=2,
        )
    return sorted_by_id(described, root)


def _tables(root: Path) -> list[Path]:
    return [path for survey in SURVEYS for path in sorted((root / survey).glob(TABLE))]


def _wavs(folder: Path) -> dict[str, Path]:
    folders = sorted(folder.parent.glob(f"{folder.name}*"))
    return {path.name: path for folder in folders for path in folder.glob("*.wav")}


def _utterance(
    row: dict[str, str],
    place: str,
    root: Path,
    wavs: dict[str, dict[str, Path]],
    rejected: list[str],
) -> Utterance:
    name, kind = row["Sentence_name"], row["Type"].upper()
    match = NAME.fullmatch(name)
    if not match:
        raise misread(place, name, "a name such as 06_DR-100_0093_5_sentence_7.wav")
    stressed = lookup(STRESSED, kind, place, "a type")
    gender = gender_of(row["Gender"], place)
    stem = name.removesuffix(".wav")
    transcript = read_transcript(root / TRANSCRIPTS / f"{stem}.txt")
    if transcript is None:
        transcript = read_transcript(root / WHISPER[kind] / f"{stem}.txt")
    ratings = {task: rating(row[column], SCALE, place) for task, column in MEANS.items()}
    for task, column in SELF_REPORTS.items():
        try:
            ratings[task] = rating(row[column], SCALE, place)
        except ValueError as error:  # what the form allowed is not documented
            rejected.append(str(error))
    return Utterance(
        id=stem,
        speaker=match[1],
        wav=wavs[kind].get(name, root / AUDIO[kind] / name),
        transcript=transcript,
        ratings=known(ratings),
        scale=SCALE,
        categories={"stressed": stressed},
        private=known({"gender": gender, "stressed": stressed}),
    )
