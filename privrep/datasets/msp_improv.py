"""Reader of MSP-IMPROV: twelve actors in six sessions, rated from 1 to 5 (Busso et al., 2017).

It reads the labels from `Evalution.txt` (the release's spelling) or `Evaluation.txt`; audio from
`Audio/session1/S01A/P/<utterance>.wav`, where some copies lack `Audio/`; transcripts from
`Human_transcriptions/All_human_transcriptions/`, `All_human_transcriptions/` or `Text/`.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from privrep.datasets.parsing import (
    first_existing,
    known,
    locate,
    lookup,
    not_found,
    rating,
    read_transcript,
    sorted_by_id,
)
from privrep.formats.text_files import read_lines
from privrep.messages import misread
from privrep.types import Utterance

OBTAIN = (
    "MSP-IMPROV is free for research on request from the University of Texas at Dallas: "
    "https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html"
)
SCALE = (1.0, 5.0)
LABELS = ["Evalution.txt", "Evaluation.txt"]
TRANSCRIPTS = [
    "Human_transcriptions/All_human_transcriptions",
    "All_human_transcriptions",
    "Text",
]
EMOTIONS = {
    "A": "angry",
    "H": "happy",
    "S": "sad",
    "N": "neutral",
    "O": "other",
    "X": None,  # the raters did not agree
}
TURN = re.compile(r"UTD-(IMPROV-(S\d\d[AHSN])-(([FM])0([1-6]))-([PRST])-[FM]{2}\d+)\.avi")
RATING = re.compile(r"([AVDN]):(\S*)")
BLOCK = "'UTD-IMPROV-S01A-F01-P-FM01.avi; EMOTION; A:number; V:number; D:number; N:number;'"


def read(root: Path) -> list[Utterance]:
    """Reads the release under `root`, or the folder below or above.

    Ratings are activation, valence, dominance and naturalness; categories are emotion and scenario
    (the release's letters P, R, S, T).

    Raises:
      FileNotFoundError: `root` holds no label file.
      ValueError: labels of a session are missing, or a line does not parse.
    """
    root = locate(Path(root), lambda folder: first_existing(folder, LABELS) is not None)
    labels = first_existing(root, LABELS)
    if not labels:
        raise not_found("MSP-IMPROV", root, LABELS, OBTAIN)
    bare = (root / "session1").is_dir() and not (root / "Audio").is_dir()
    audio = root if bare else root / "Audio"
    utterances = sorted_by_id(_read_labels(labels, audio, _transcripts(root)), root)
    missing = sorted({f"session{n}" for n in range(1, 7)} - {u.session for u in utterances})
    if missing:
        raise ValueError(f"{labels} is incomplete: it has no turn of {', '.join(missing)}")
    return utterances


def _transcripts(root: Path) -> dict[str, Path]:
    folder = first_existing(root, TRANSCRIPTS)
    if not folder:
        return {}
    return {path.stem: path for path in folder.rglob("*.txt") if not path.name.startswith(".")}


def _read_labels(
    labels: Path, audio: Path, transcripts: dict[str, Path]
) -> Iterator[tuple[str, Utterance]]:
    is_between = True  # blocks are a line of the turn, lines of its raters, and a blank line
    for place, line in read_lines(labels):
        if not line.strip():
            is_between = True
        elif line.strip().startswith("UTD-"):
            is_between = False
            yield place, _utterance(line, place, audio, transcripts)
        elif is_between or ".avi" in line:
            raise misread(place, line, BLOCK)


def _utterance(line: str, place: str, audio: Path, transcripts: dict[str, Path]) -> Utterance:
    name, emotion, *fields = [field.strip() for field in line.strip().rstrip(";").split(";")] + [""]
    turn = TURN.fullmatch(name)
    values: dict[str, float | None] = {}
    for field in filter(None, fields):
        match = RATING.fullmatch(field)
        if not match:
            raise misread(place, line, BLOCK)
        values[match[1]] = rating(match[2], SCALE, place)
    if not turn or "A" not in values or "V" not in values:
        raise misread(place, line, BLOCK)
    activation = values["A"]
    if activation is not None:
        activation = round(6 - activation, 6)  # the release inverts activation: 1 is very active
    short, sentence, speaker, letter, session, scenario = turn.groups()
    name = f"MSP-{short}"
    return Utterance(
        id=name,
        speaker=speaker,
        wav=audio / f"session{session}" / sentence / scenario / f"{name}.wav",
        transcript=read_transcript(transcripts[name]) if name in transcripts else None,
        ratings=known(
            {
                "activation": activation,
                "valence": values["V"],
                "dominance": values.get("D"),
                "naturalness": values.get("N"),
            }
        ),
        scale=SCALE,
        categories=known(
            {"emotion": lookup(EMOTIONS, emotion, place, "an emotion"), "scenario": scenario}
        ),
        private={"gender": {"F": "female", "M": "male"}[letter]},
        session=f"session{session}",
    )
