"""Fakes of the corpora without a licence agreement: EmoDB, and a manifest."""

import csv
from pathlib import Path

from privrep.types import Utterance
from tests.support.sounds_on_disk import HIGH, LOW, MID, ON_5, WORDS, by_id, levels, write_wav


def write_emodb(
    root: Path, utterances_per_speaker: int = 7, folder: str = "wav", letters: str = "WLEAFTN"
) -> list[Utterance]:
    """Ten speakers, the emotions of `letters` in turn; from the second turn, the next sentence."""
    male, female = ("03", "10", "11", "12", "15"), ("08", "09", "13", "14", "16")
    sentences = {
        "a01": "Der Lappen liegt auf dem Eisschrank.",
        "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
    }
    emotions = {
        "W": ("angry", HIGH, LOW),
        "L": ("bored", LOW, LOW),
        "E": ("disgusted", MID, LOW),
        "A": ("fearful", HIGH, LOW),
        "F": ("happy", HIGH, HIGH),
        "T": ("sad", LOW, LOW),
        "N": ("neutral", MID, MID),
    }
    written = []
    for number, speaker in enumerate(male + female):
        gender = "male" if speaker in male else "female"
        for i in range(utterances_per_speaker):
            turn, letter = i // len(letters), letters[i % len(letters)]
            emotion, a, v = emotions[letter]
            code, take = list(sentences)[turn % 2], "abcdefgh"[turn // 2]
            wav = root / folder / f"{speaker}{code}{letter}{take}.wav"
            write_wav(wav, gender, a, v, number)
            written.append(
                Utterance(
                    id=wav.stem,
                    speaker=speaker,
                    wav=wav,
                    transcript=sentences[code],
                    ratings={"activation": a + 1.0, "valence": v + 1.0},
                    scale=(1.0, 3.0),
                    categories={"emotion": emotion, "sentence": code},
                    private={"gender": gender},
                )
            )
    return by_id(written)


def write_manifest(
    path: Path, utterances_per_speaker: int = 6, speakers: int = 10, delimiter: str = ","
) -> list[Utterance]:
    """A CSV at `path` with every standard column, a declared scale of 1-5 and an accent; official
    parts of 6, 2 and 2 speakers in 10. The WAV files lie in wav/ beside it."""
    written, rows = [], []
    for number in range(speakers):
        gender, accent = ("female", "male")[number % 2], ("north", "south")[number // 2 % 2]
        part = (["train"] * 6 + ["Dev"] * 2 + ["test"] * 2)[number % 10]
        for i in range(utterances_per_speaker):
            a, v = levels(i)
            name, emotion = f"u{number:02d}-{i:03d}", ("sad", "neutral", "happy")[v]
            wav = write_wav(path.parent / "wav" / f"{name}.wav", gender, a, v, number)
            row = {"id": name, "audio": f"wav/{name}.wav", "transcript": WORDS[v]}
            row |= {"speaker": f"speaker {number}", "gender": gender[0], "emotion": emotion}
            row |= {"activation": ON_5[a], "valence": ON_5[v], "scale": "1-5", "accent": accent}
            rows.append(row | {"session": f"day {number}", "split": part})
            classes = {"gender": gender, "emotion": emotion, "accent": accent}
            written.append(
                Utterance(
                    id=name,
                    speaker=f"speaker {number}",
                    wav=wav,
                    transcript=WORDS[v],
                    ratings={"activation": ON_5[a], "valence": ON_5[v]},
                    scale=(1.0, 5.0),
                    categories=classes,
                    private=classes,
                    session=f"day {number}",
                    split={"Dev": "val"}.get(part, part),
                )
            )
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        table.writeheader()
        table.writerows(rows)
    return by_id(written)
