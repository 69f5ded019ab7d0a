"""Reader of IEMOCAP: ten actors in five dyadic sessions, rated from 1 to 5 (Busso et al., 2008).

It reads `Session{1..5}/dialog/EmoEvaluation/<dialog>.txt` (labels),
`.../dialog/transcriptions/<dialog>.txt` and `.../sentences/wav/<dialog>/<utterance>.wav`.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from privrep.datasets.parsing import known, locate, lookup, not_found, rating, sorted_by_id
from privrep.formats.text_files import read_lines
from privrep.messages import misread
from privrep.types import Utterance

OBTAIN = (
    "IEMOCAP is free for research on request from the University of Southern California: "
    "https://sail.usc.edu/iemocap/"
)
SCALE = (1.0, 5.0)
SESSIONS = [f"Session{number}" for number in range(1, 6)]
EMOTIONS = {
    "ang": "angry",
    "hap": "happy",
    "sad": "sad",
    "neu": "neutral",
    "fru": "frustrated",
    "exc": "excited",
    "fea": "fearful",
    "sur": "surprised",
    "dis": "disgusted",
    "oth": "other",
    "xxx": None,  # the raters did not agree
}
LABEL = re.compile(r"\[[\d.]+ *- *[\d.]+\]\s+(\S+)\s+(\S+)\s+\[([^],]*),([^],]*),([^],]*)\]\s*")
LABEL_FORM = "'[start - end] TURN EMOTION [valence, activation, dominance]'"
TURN = re.compile(r"(Ses0(\d))[FM]_(impro|script)0\d[ab]?(?:_\d[ab]?)?_([FM])\d+")
TRANSCRIPT = re.compile(r"(Ses\S+)\s+\[[\d.]+ *- *[\d.]+\]\s*:?(.*)")


def read(root: Path) -> list[Utterance]:
    """Reads the release; `root` is it, the folder that holds it, or a session folder in it.

    Ratings are valence, activation and dominance; categories are emotion and scenario (improvised,
    scripted). `[LAUGHTER]` and other bracketed events are removed from the transcripts.

    Raises:
      FileNotFoundError: `root` holds no session.
      ValueError: a session or its labels are missing, or a line does not parse.
    """
    root = locate(Path(root), lambda folder: any((folder / name).is_dir() for name in SESSIONS))
    missing = [name for name in SESSIONS if not (root / name / "dialog/EmoEvaluation").is_dir()]
    if len(missing) == len(SESSIONS):
        raise not_found("IEMOCAP", root, ["Session1/dialog/EmoEvaluation (to Session5)"], OBTAIN)
    if missing:
        raise ValueError(
            f"{root} is an incomplete IEMOCAP: no dialog/EmoEvaluation in {', '.join(missing)}. "
            "The five sessions are the five folds, so copy the others too; to use a part on "
            "purpose, list its utterances in a CSV and use --dataset=manifest"
        )
    pairs = (pair for name in SESSIONS for pair in _read_session(root / name))
    return sorted_by_id(pairs, root)


def _read_session(session: Path) -> Iterator[tuple[str, Utterance]]:
    # Only Ses0*: archives made on a Mac hold a binary file "._Ses01F_impro01.txt" beside each.
    labels = sorted((session / "dialog/EmoEvaluation").glob("Ses0*.txt"))
    transcribed = sorted((session / "dialog/transcriptions").glob("Ses0*.txt"))
    unlabelled = {path.name for path in transcribed} - {path.name for path in labels}
    if not labels:
        raise ValueError(f"{session} is incomplete: no Ses0*.txt in its dialog/EmoEvaluation")
    if unlabelled:
        raise ValueError(
            f"{session} is incomplete: dialog/transcriptions has {', '.join(sorted(unlabelled))}, "
            "and dialog/EmoEvaluation has no file of that name"
        )
    transcripts = dict(pair for path in transcribed for pair in _read_transcripts(path))
    for path in labels:
        for place, line in read_lines(path):
            if line.startswith("["):
                yield place, _utterance(session, line, place, transcripts)
            elif line.strip() and not line.startswith(("%", "C-", "A-")):
                raise misread(place, line, LABEL_FORM)


def _read_transcripts(path: Path) -> Iterator[tuple[str, str]]:
    for place, line in read_lines(path):
        match = TRANSCRIPT.fullmatch(line.strip())
        if match:
            yield match[1], " ".join(re.sub(r"\[[^]]*\]", " ", match[2]).split())
        elif line.strip() and not re.match(r"[FM]:", line):  # M: [LAUGHTER], no turn
            raise misread(place, line, "'TURN [start-end]: words'")


def _utterance(session: Path, line: str, place: str, transcripts: dict[str, str]) -> Utterance:
    label = LABEL.fullmatch(line)
    if not label:
        raise misread(place, line, LABEL_FORM)
    name, emotion = label[1], lookup(EMOTIONS, label[2], place, "an emotion")
    turn = TURN.fullmatch(name)
    if not turn:
        raise misread(place, name, "a turn such as Ses01F_impro01_F000")
    if turn[2] != session.name[-1]:
        raise misread(place, name, f"a turn of {session.name}")
    # The letter after the session number is that of the actor with motion capture markers; the one
    # before the turn number is that of the speaker.
    letter = turn[4]
    values = [_rating(text, place) for text in label.group(3, 4, 5)]
    scenario = {"impro": "improvised", "script": "scripted"}[turn[3]]
    return Utterance(
        id=name,
        speaker=turn[1] + letter,
        wav=session / "sentences/wav" / name.rsplit("_", 1)[0] / f"{name}.wav",
        transcript=transcripts.get(name),
        ratings=known(dict(zip(["valence", "activation", "dominance"], values))),
        scale=SCALE,
        categories=known({"emotion": emotion, "scenario": scenario}),
        private={"gender": {"F": "female", "M": "male"}[letter]},
        session=session.name,
    )


def _rating(text: str, place: str) -> float | None:
    # A few averages lie up to half a point off the scale, since some raters typed 0 or 6.
    value = rating(text, (SCALE[0] - 0.5, SCALE[1] + 0.5), place)
    return None if value is None else min(max(value, SCALE[0]), SCALE[1])
