"""Reader of EmoDB: ten German actors, ten sentences, seven emotions (Burkhardt et al., 2005).

The labels are read from the file names in `wav/`: 03a01Fa.wav is speaker 03, sentence a01, emotion
F, take a.
"""

import re
from pathlib import Path

from privrep.datasets.categories import SCALE, ratings_of
from privrep.datasets.parsing import locate, not_found, sorted_by_id
from privrep.messages import misread
from privrep.types import Utterance

OBTAIN = "EmoDB is free to download: http://emodb.bilderbar.info/"
GENDERS = {name: "male" for name in ("03", "10", "11", "12", "15")} | {
    name: "female" for name in ("08", "09", "13", "14", "16")
}
EMOTIONS = {
    "W": "angry",
    "L": "bored",
    "E": "disgusted",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
NAME = re.compile(rf"({'|'.join(GENDERS)})({'|'.join(SENTENCES)})([{''.join(EMOTIONS)}])[a-z]")


def read(root: Path) -> list[Utterance]:
    """Reads the WAV files of `root`/wav, of `root` itself, or of the folder below or above.

    Categories are emotion and sentence. The ratings activation and valence are the levels that
    `categories` assigns to the emotion. The words are independent of the emotion: every actor
    speaks the same sentences.

    Raises:
      FileNotFoundError: no WAV file there.
      ValueError: a file name does not parse, or the files of an actor are missing.
    """
    root = locate(Path(root), lambda folder: any(NAME.fullmatch(w.stem) for w in _wavs(folder)))
    wavs = _wavs(root)
    if not wavs:
        raise not_found("EmoDB", root, ["wav/03a01Fa.wav", "03a01Fa.wav (of 535 files)"], OBTAIN)
    utterances = sorted_by_id(((str(wav), _utterance(wav)) for wav in wavs), root)
    missing = sorted(set(GENDERS) - {utterance.speaker for utterance in utterances})
    if missing:
        raise ValueError(
            f"{wavs[0].parent} is an incomplete EmoDB: no file of the actors {', '.join(missing)}"
        )
    return utterances


def _wavs(root: Path) -> list[Path]:
    folder = root / "wav" if (root / "wav").is_dir() else root
    return [path for path in sorted(folder.glob("*.wav")) if not path.name.startswith(".")]


def _utterance(wav: Path) -> Utterance:
    match = NAME.fullmatch(wav.stem)
    if not match:
        raise misread(str(wav), wav.name, "speaker, sentence, emotion, take, such as 03a01Fa.wav")
    speaker, sentence, letter = match.groups()
    emotion = EMOTIONS[letter]
    return Utterance(
        id=wav.stem,
        speaker=speaker,
        wav=wav,
        transcript=SENTENCES[sentence],
        ratings=ratings_of(emotion),
        scale=SCALE,
        categories={"emotion": emotion, "sentence": sentence},
        private={"gender": GENDERS[speaker]},
    )
