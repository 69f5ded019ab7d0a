"""Fakes of the corpora without a licence agreement, and of those that anyone can describe."""

import csv
from pathlib import Path

from privrep.types import Utterance
from tests.support.sounds_on_disk import (
    HIGH,
    LOW,
    MID,
    ON_5,
    WORDS,
    by_id,
    levels,
    write_text,
    write_wav,
)


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


def write_ravdess(
    root: Path, utterances_per_speaker: int = 8, speakers: int = 24, suffix: str = ".wav"
) -> list[Utterance]:
    """Actors 01.., odd ones men; the eight emotions in turn, normal and, from the second turn,
    strong (not neutral, of which there is the other sentence)."""
    emotions = {
        "01": ("neutral", MID, MID),
        "02": ("calm", LOW, MID),
        "03": ("happy", HIGH, HIGH),
        "04": ("sad", LOW, LOW),
        "05": ("angry", HIGH, LOW),
        "06": ("fearful", HIGH, LOW),
        "07": ("disgusted", MID, LOW),
        "08": ("surprised", HIGH, MID),
    }
    sentences = {
        "01": ("kids", "Kids are talking by the door."),
        "02": ("dogs", "Dogs are sitting by the door."),
    }
    written = []
    for number in range(1, speakers + 1):
        gender = ("female", "male")[number % 2]
        for i in range(utterances_per_speaker):
            code, turn = list(emotions)[i % 8], i // 8
            emotion, a, v = emotions[code]
            strength = "01" if code == "01" or not turn else "02"
            statement = "02" if code == "01" and turn else "01"
            name = f"03-01-{code}-{strength}-{statement}-01-{number:02d}"
            wav = write_wav(root / f"Actor_{number:02d}" / f"{name}{suffix}", gender, a, v, number)
            sentence, words = sentences[statement]
            written.append(
                Utterance(
                    id=name,
                    speaker=f"{number:02d}",
                    wav=wav,
                    transcript=words,
                    ratings={"activation": a + 1.0, "valence": v + 1.0},
                    scale=(1.0, 3.0),
                    categories={
                        "emotion": emotion,
                        "intensity": {"01": "normal", "02": "strong"}[strength],
                        "sentence": sentence,
                    },
                    private={"gender": gender},
                )
            )
    return by_id(written)


def write_crema_d(
    root: Path, utterances_per_speaker: int = 6, speakers: int = 10, folder: str = "AudioWAV"
) -> list[Utterance]:
    """Actors 1001.., the six emotions in turn, the sentence of the first at three levels; the name
    of the last clip of the first actor ends in X, not XX, as one of the release's does."""
    emotions = {
        "ANG": ("angry", HIGH, LOW),
        "DIS": ("disgusted", MID, LOW),
        "FEA": ("fearful", HIGH, LOW),
        "HAP": ("happy", HIGH, HIGH),
        "NEU": ("neutral", MID, MID),
        "SAD": ("sad", LOW, LOW),
    }
    levels_of = {"HI": "high", "LO": "low", "MD": "medium"}
    written, rows = [], ['"ActorID","Age","Sex","Race","Ethnicity"']
    for number in range(speakers):
        actor, gender = f"{1001 + number}", ("male", "female")[number % 2]
        facts = {"age": f"{20 + 3 * number}", "race": ("Caucasian", "Asian")[number // 2 % 2]}
        facts |= {"ethnicity": "Not Hispanic", "gender": gender}
        cells = (actor, facts["age"], gender.capitalize(), facts["race"], facts["ethnicity"])
        rows.append(",".join(f'"{cell}"' for cell in cells))
        for i in range(utterances_per_speaker):
            code = list(emotions)[i % 6]
            emotion, a, v = emotions[code]
            sentence, words = ("IEO", "It's eleven o'clock.")
            level = [*levels_of][i % 3]
            if i // 6 or code == "NEU":
                sentence, words = ("TSI", "The surface is slick.")
                level = "X" if number == 0 else "XX"
            name = f"{actor}_{sentence}_{code}_{level}"
            intensity = {"intensity": levels_of[level]} if level in levels_of else {}
            written.append(
                Utterance(
                    id=name,
                    speaker=actor,
                    wav=write_wav(root / folder / f"{name}.wav", gender, a, v, number),
                    transcript=words,
                    ratings={"activation": a + 1.0, "valence": v + 1.0},
                    scale=(1.0, 3.0),
                    categories={"emotion": emotion, "sentence": sentence.lower(), **intensity},
                    private=facts,
                )
            )
    write_text(root / "VideoDemographics.csv", "\r\n".join(rows) + "\r\n")
    return by_id(written)


def write_kaldi(
    root: Path,
    utterances_per_speaker: int = 6,
    speakers: int = 10,
    wavs: str = "wav",
    above: bool = False,
) -> list[Utterance]:
    """A data directory with wav.scp, text, utt2spk, spk2utt, spk2gender, utt2emo, ratings, utt2ses,
    utt2split and utt2dur. The WAV files lie in `wavs` in it, or, with `above`, beside it."""
    lists: dict[str, list[str]] = {}
    written = []
    for number in range(speakers):
        speaker, gender = f"sp{number:02d}", ("female", "male")[number % 2]
        lists.setdefault("spk2gender", []).append(f"{speaker} {gender[0]}")
        ids = [f"{speaker}-u{i}" for i in range(utterances_per_speaker)]
        lists.setdefault("spk2utt", []).append(f"{speaker} {' '.join(ids)}")
        for i, name in enumerate(ids):
            a, v = levels(i)
            wav = (root.parent if above else root) / wavs / f"{name}.wav"
            write_wav(wav, gender, a, v, number)
            emotion, part = ("sad", "neutral", "happy")[v], ("train", "dev", "test")[number % 3]
            values = {"wav.scp": f"{wavs}/{name}.wav", "text": WORDS[v], "utt2spk": speaker}
            values |= {"utt2emo": emotion, "utt2arousal": ON_5[a], "utt2valence": ON_5[v]}
            values |= {"utt2ses": f"day{number}", "utt2split": part, "utt2dur": "0.5"}
            for file, value in values.items():
                lists.setdefault(file, []).append(f"{name} {value}")
            classes = {"gender": gender, "emotion": emotion}
            written.append(
                Utterance(
                    id=name,
                    speaker=speaker,
                    wav=wav,
                    transcript=WORDS[v],
                    ratings={"activation": ON_5[a], "valence": ON_5[v]},
                    scale=(1.0, 5.0),
                    categories=classes,
                    private=classes,
                    session=f"day{number}",
                    split="val" if part == "dev" else part,
                )
            )
    for file, lines in lists.items():
        write_text(root / file, "\n".join(lines) + "\n")
    return by_id(written)


def write_audformat(
    root: Path, utterances_per_speaker: int = 6, speakers: int = 10
) -> list[Utterance]:
    """A database with a table of the files (speaker, transcription, duration), one table of ratings
    and emotion for each of three splits, and gender and language of the speakers in a scheme."""
    described, files = {}, ["file,duration,speaker,transcription"]
    tables: dict[str, list[str]] = {}
    written = []
    for number in range(speakers):
        gender, language = ("female", "male")[number % 2], ("deu", "eng")[number // 2 % 2]
        described[number] = f"{{gender: {gender}, language: {language}}}"
        part = ("train", "dev", "test")[number % 3]
        for i in range(utterances_per_speaker):
            a, v = levels(i)
            file, emotion = f"wav/{number:02d}-{i}.wav", ("sad", "neutral", "happy")[v]
            wav = write_wav(root / file, gender, a, v, number)
            files.append(f"{file},0 days 00:00:00.500000,{number},t{v}")
            table = tables.setdefault(f"emotion.{part}.gold_standard", [])
            table.append(f"{file},{emotion},0.{i + 1},{ON_5[a]},{ON_5[v]}")
            classes = {"gender": gender, "language": language, "emotion": emotion}
            classes |= {"sentence": f"t{v}"}
            written.append(
                Utterance(
                    id=file,
                    speaker=f"{number}",
                    wav=wav,
                    transcript=WORDS[v],
                    ratings={"activation": ON_5[a], "valence": ON_5[v]},
                    scale=(1.0, 5.0),
                    categories=classes,
                    private=classes,
                    split="val" if part == "dev" else part,
                )
            )
    header = "name: fake\nlanguages: [deu]\nmedia:\n  microphone: {type: audio, format: wav}\n"
    header += "splits:\n  train: {type: train}\n  dev: {type: dev}\n  test: {type: test}\n"
    header += "schemes:\n  duration: {dtype: time}\n  confidence: {dtype: str}\n"
    header += "  emotion:\n    dtype: str\n    labels: [sad, neutral, happy]\n"
    header += "  dimension: {dtype: float, minimum: 1, maximum: 5}\n"
    header += "  speaker:\n    dtype: int\n    labels:\n"
    header += "".join(f"      {number}: {facts}\n" for number, facts in described.items())
    header += "  transcription:\n    dtype: str\n    labels:\n"
    header += "".join(f"      t{v}: {words}\n" for v, words in enumerate(WORDS)) + "tables:\n"
    header += "  files:\n    type: filewise\n    columns:\n"
    header += "".join(
        f"      {name}: {{scheme_id: {name}}}\n"
        for name in ("duration", "speaker", "transcription")
    )
    for name, lines in tables.items():
        header += f"  {name}:\n    type: filewise\n    split_id: {name.split('.')[1]}\n"
        header += "    columns:\n      label: {scheme_id: emotion, rater_id: gold}\n"
        header += "      confidence: {scheme_id: duration}\n"  # a time, so that it is no class
        header += "      arousal: {scheme_id: dimension}\n      valence: {scheme_id: dimension}\n"
        lines.insert(0, "file,label,confidence,arousal,valence")
        write_text(root / f"db.{name}.csv", "\n".join(lines) + "\n")
    write_text(root / "db.yaml", header)
    write_text(root / "db.files.csv", "\n".join(files) + "\n")
    return by_id(written)
