"""MuSE: students' monologues, stressed and not, rated from 1 to 9 (Jaiswal et al., LREC 2020).

Read from the crowdsourcing table in `SurveyInformation/` (or `Survey Information (Questions, Data
etc)/`); audio from `NotStressed/Audio/Non Stressed Question Monologue Audio*/` and
`Stressed/Audio/Stressed Question Monologue Audio*/`; transcripts from `Combined/Utterance
Transcripts/`, else `Whisper-Transcriptions/{Nonstressed,Stressed}_Segments/`.
"""

import re
import warnings
from pathlib import Path

from privrep.datasets.parsing import known, lookup, not_found, rating, read_transcript, sorted_by_id
from privrep.formats.tables import read_table
from privrep.formats.text_files import read_text
from privrep.messages import misread
from privrep.types import Utterance

OBTAIN = (
    "MuSE is given out for research by its authors at the University of Michigan: "
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
GENDERS = {"f": "female", "female": "female", "m": "male", "male": "male"}
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
    """Reads the release under `root`.

    Ratings: activation and valence are the means of annotators who heard each utterance alone, as
    an acoustic network does, and which such networks predict best (Jaiswal et al., 2019, arXiv
    1903.11672, on this corpus); activation_context and valence_context those of annotators who had
    heard all before it; activation_self and valence_self the speaker's own report of the whole
    monologue, left out (and counted in a warning) where it is no rating from 1 to 9. Whether the
    speaker was stressed ("yes", "no") is both a category and a private attribute.

    Raises:
      FileNotFoundError: `root` holds no crowdsourcing table.
      ValueError: a row does not parse.
    """
    root = Path(root)
    tables = [path for survey in SURVEYS for path in sorted((root / survey).glob(TABLE))]
    if not tables:
        raise not_found("MuSE", root, [f"{survey}/{TABLE}" for survey in SURVEYS], OBTAIN)
    wavs = {kind: _wavs(root / folder) for kind, folder in AUDIO.items()}
    refused: list[str] = []
    table = read_table(tables[0], COLUMNS, delimiter=",", decode=read_text)
    found = [(at, _utterance(row, at, root, wavs, refused)) for at, row in table.rows()]
    if refused:
        warnings.warn(
            f"{len(refused)} self-reports of MuSE are no rating from 1 to 9 and are left out, "
            f"the first: {refused[0]}",
            stacklevel=2,
        )
    return sorted_by_id(found, root)


def _wavs(folder: Path) -> dict[str, Path]:
    folders = sorted(folder.parent.glob(f"{folder.name}*"))
    return {path.name: path for found in folders for path in found.glob("*.wav")}


def _utterance(
    row: dict[str, str],
    at: str,
    root: Path,
    wavs: dict[str, dict[str, Path]],
    refused: list[str],
) -> Utterance:
    name, kind = row["Sentence_name"], row["Type"].upper()
    match = NAME.fullmatch(name)
    if not match:
        raise misread(at, name, "a name such as 06_DR-100_0093_5_sentence_7.wav")
    stressed = lookup(STRESSED, kind, at, "a type")
    gender = lookup(GENDERS, row["Gender"].lower(), at, "a gender")
    stem = name.removesuffix(".wav")
    transcript = read_transcript(root / TRANSCRIPTS / f"{stem}.txt")
    if transcript is None:
        transcript = read_transcript(root / WHISPER[kind] / f"{stem}.txt")
    ratings = {task: rating(row[column], SCALE, at) for task, column in MEANS.items()}
    for task, column in SELF_REPORTS.items():
        try:
            ratings[task] = rating(row[column], SCALE, at)
        except ValueError as error:  # what the form allowed is not documented
            refused.append(str(error))
    return Utterance(
        id=stem,
        speaker=match[1],
        wav=wavs[kind].get(name, root / AUDIO[kind] / name),
        transcript=transcript,
        ratings=known(ratings),
        scale=SCALE,
        categories={"stressed": stressed},
        private={"gender": gender, "stressed": stressed},
    )
