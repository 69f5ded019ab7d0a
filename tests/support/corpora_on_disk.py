"""Small but complete fakes of the corpora, in the layout and with the pitfalls of the releases.

Each `write_<corpus>(root, …)` writes labels, transcripts and short WAV files under `root` and
returns the `Utterance` records that the corpus's reader must make of them, sorted by id. Both
genders speak equally often. Six utterances of a speaker hold every level of activation and of
valence twice (of EmoDB: seven, the emotions in turn). Words and sounds are made by
`sounds_on_disk`.
"""

import json
from pathlib import Path

from privrep.types import Utterance
from tests.support.open_corpora_on_disk import (
    write_audformat,
    write_crema_d,
    write_emodb,
    write_kaldi,
    write_manifest,
    write_ravdess,
)
from tests.support.sounds_on_disk import (
    HIGH,
    LOW,
    MID,
    ON_5,
    WORDS,
    by_id,
    corrupt,
    edit,
    levels,
    make_empty,
    truncate,
    write_text,
    write_wav,
)

__all__ = [
    "corrupt",
    "edit",
    "make_empty",
    "truncate",
    "write_audformat",
    "write_crema_d",
    "write_emodb",
    "write_iemocap",
    "write_kaldi",
    "write_manifest",
    "write_msp_improv",
    "write_msp_podcast",
    "write_muse",
    "write_ravdess",
]

ON_7, ON_9 = (2.5, 4.0, 5.5), (3.0, 5.0, 7.0)  # ratings of the three levels
LETTERS = {"female": "F", "male": "M"}
MUSE_TABLE = (
    "Emotion data from crowdsourcing "
    "(C is when annotators had access to all previous sentences).csv"
)
MUSE_HEADER = (
    "Sentence_name,Duration,Gender,Type,Ques_Type,Activation_Mean,Activation_SD,Valence_Mean,"
    "Valence_SD,Activation_Annotation,Valence_Annotation,C_Activation_Mean,C_Activation_SD,"
    "C_Valence_Mean,C_Valence_SD,C_Activation_Annotation,C_Valence_Annotation,S_Activation,S_Valence"
)


def write_iemocap(root: Path, utterances_per_speaker: int = 6) -> list[Utterance]:
    """Ten speakers in five sessions. In either dialog of a session both speak, whoever wears the
    markers; utterance 0 of a speaker has no agreed emotion, 1 only laughs, 2 has a Latin-1 byte."""
    written = []
    for session in range(1, 6):
        folder = root / f"Session{session}"
        for dialog, half in ((f"Ses0{session}F_impro01", 0), (f"Ses0{session}M_script01_1b", 1)):
            labels = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
            transcript = f"{dialog}_MXX0 [000.1000-000.9000]: Mhm.\nM: [BREATHING]\n"
            for gender in LETTERS:
                for i in range(half, utterances_per_speaker, 2):
                    name = f"{dialog}_{LETTERS[gender]}{i:03d}"
                    a, v = levels(i)
                    words = {1: "", 2: f"café {WORDS[v]}"}.get(i, WORDS[v])
                    labels += (
                        f"[{i}.2901 - {i}.9357]\t{name}\t{'xxx' if i == 0 else 'neu'}\t"
                        f"[{ON_5[v]:.4f}, {ON_5[a]:.4f}, 2.5000]\n"
                        "C-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n"
                        "A-F1:\tval 3; act 2; dom  ;\t(calm)\n\n"
                    )
                    transcript += f"{name} [00{i}.2901-00{i}.9357]: [LAUGHTER] {words}\n"
                    wav = folder / "sentences/wav" / dialog / f"{name}.wav"
                    write_wav(wav, gender, a, v, session)
                    emotion = {} if i == 0 else {"emotion": "neutral"}
                    written.append(
                        Utterance(
                            id=name,
                            speaker=f"Ses0{session}{LETTERS[gender]}",
                            wav=wav,
                            transcript=words,
                            ratings={"activation": ON_5[a], "valence": ON_5[v], "dominance": 2.5},
                            scale=(1.0, 5.0),
                            categories={"scenario": ("improvised", "scripted")[half], **emotion},
                            private={"gender": gender},
                            session=f"Session{session}",
                        )
                    )
            write_text(folder / f"dialog/EmoEvaluation/{dialog}.txt", labels)
            write_text(folder / f"dialog/EmoEvaluation/._{dialog}.txt", "\0\x05\x16")
            write_text(folder / f"dialog/transcriptions/{dialog}.txt", transcript, "latin-1")
    return by_id(written)


def write_msp_improv(
    root: Path,
    utterances_per_speaker: int = 6,
    spelling: str = "Evalution.txt",
    audio: str = "Audio",
    transcripts: str = "Human_transcriptions/All_human_transcriptions",
) -> list[Utterance]:
    """Twelve speakers in six sessions, 44.1 and 48 kHz. Dominance of utterance 0 of a speaker is
    NaN, naturalness of 1 is absent, 2 has no agreed emotion."""
    written, labels = [], ""
    for session in range(1, 7):
        for gender, letter in LETTERS.items():
            for i in range(utterances_per_speaker):
                a, v = levels(i)
                scenario, speaker = "PRST"[i % 4], f"{letter}0{session}"
                stem = f"IMPROV-S01A-{speaker}-{scenario}-FM{i:02d}"
                wav = root / audio / f"session{session}/S01A/{scenario}/MSP-{stem}.wav"
                write_wav(wav, gender, a, v, session, rate=(44_100, 48_000)[i % 2])
                write_text(root / transcripts / f"MSP-{stem}.txt", f"{WORDS[v]}\r\n")
                dominance, natural = ("NaN", "3.500000")[i > 0], "" if i == 1 else " N:4.200000;"
                labels += (
                    f"UTD-{stem}.avi; {'X' if i == 2 else 'N'}; A:{6 - ON_5[a]:.6f}; "
                    f"V:{ON_5[v]:.6f}; D:{dominance} ;{natural}\n"
                    "WORKER00001; Angry; Frustrated,Angry; "
                    "A:2.000000; V:1.000000; D:4.000000; N:NaN;\n\n"
                )
                ratings = {"activation": ON_5[a], "valence": ON_5[v]}
                ratings |= {"dominance": 3.5} if i > 0 else {}
                ratings |= {"naturalness": 4.2} if natural else {}
                emotion = {} if i == 2 else {"emotion": "neutral"}
                written.append(
                    Utterance(
                        id=f"MSP-{stem}",
                        speaker=speaker,
                        wav=wav,
                        transcript=WORDS[v],
                        ratings=ratings,
                        scale=(1.0, 5.0),
                        categories={"scenario": scenario, **emotion},
                        private={"gender": gender},
                        session=f"session{session}",
                    )
                )
    write_text(root / spelling, labels)
    return by_id(written)


PODCAST_COLUMNS = [
    *("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set"),
]
PODCAST_LAYOUTS = {  # number in the table of the layouts that people have: flags of the writer
    1: {"labels": "labels.txt", "development": "Validation", "transcripts": False},
    2: {"labels": "label/labels_concensus.csv", "development": "Validation"},
    3: {"labels": "Labels/labels_concensus.csv", "tests": ("Test", "Test")},
    4: {"labels": "Labels/labels_concensus.csv"},
    5: {"labels": "Labels/labels_concensus.csv", "audio": "audio_16kHz"},
    6: {"labels": "label/labels_concensus.json", "audio": "Audio", "development": "Validation"},
    7: {"labels": "labels/labels_concensus.csv"},
    8: {},
    9: {"labels": "Labels/labels_consensus.csv"},
    10: {"labels": "Labels/labels_consensus.json"},
    11: {"spreadsheet": True},
    12: {"transcripts": False},
    13: {"labels": "Labels/Labels/labels_consensus.csv", "hidden": False},
    14: {"audio": "Audios/Audio"},
}


def write_msp_podcast(
    root: Path,
    utterances_per_speaker: int = 6,
    speakers: int = 10,
    labels: str = "Labels/labels_consensus.csv",
    audio: str = "Audios",
    transcripts: bool = True,
    development: str = "Development",
    tests: tuple[str, str] = ("Test1", "Test2"),
    spreadsheet: bool = False,
    hidden: bool = True,
) -> list[Utterance]:
    """Speakers 1.. in official parts (2 of 10 each in development and test), of whom the test
    speakers recur in Test1 and Test2, and three turns more: MSP-PODCAST_1023_0235 (44.1 kHz stereo,
    speaker unknown), MSP-PODCAST_2000_0000 (gender unknown), MSP-PODCAST_3000_0000 (Test3, hidden,
    unless not `hidden`). `labels` that end in .txt are the three texts of the first releases."""
    written, rows = [], []

    def add(stem, speaker, gender, part, level, rate=16_000, channels=1):
        a, v = level
        wav = root / audio / f"{stem}.wav"
        write_wav(wav, gender or "male", a, v, int(speaker or 0), rate, channels)
        is_hidden = part == "Test3"
        emotion = "NAX"[a]
        rated = ["", "", "", ""] if is_hidden else [emotion, ON_7[a], ON_7[v], 2.6]
        person = [speaker or "Unknown", (gender or "Unknown").capitalize()]
        if labels.endswith(".txt"):  # in which gender is of the speaker
            gender = gender and (("male", "female")[int(speaker) % 2] if speaker else None)
        rows.append([f"{stem}.wav", *rated, *person, part])
        if transcripts and not is_hidden:
            write_text(root / "Transcripts" / f"{stem}.txt", WORDS[v] + "\n")
        ratings = {"activation": ON_7[a], "valence": ON_7[v], "dominance": 2.6}
        agreed = {} if is_hidden or a == HIGH else {"emotion": ("neutral", "angry")[a]}
        test_set = {"Test": "Test1"}.get(part, part) if part.startswith("Test") else None
        part = "test" if test_set else "train" if part == "Train" else "val"
        written.append(
            Utterance(
                id=stem,
                speaker=speaker,
                wav=wav,
                transcript=WORDS[v] if transcripts and not is_hidden else None,
                ratings={} if is_hidden else ratings,
                scale=(1.0, 7.0),
                categories=agreed,
                private={"gender": gender} if gender else {},
                split=part,
                test_set=test_set,
            )
        )

    for number in range(speakers):
        for i in range(utterances_per_speaker):
            part = ["Train"] * 6 + [development] * 2 + [tests[i % 2]] * 2
            gender = ("female", "male")[number % 2]
            stem = f"MSP-PODCAST_{number:04d}_{i:04d}"
            add(stem, str(number + 1), gender, part[number % 10], levels(i))
    add("MSP-PODCAST_1023_0235", None, "male", "Train", (LOW, MID), 44_100, 2)
    if not labels.endswith(".txt"):
        add("MSP-PODCAST_2000_0000", "1", None, "Train", (MID, MID))
    if hidden:
        add("MSP-PODCAST_3000_0000", None, None, "Test3", (MID, MID))
    if labels.endswith(".txt"):
        _write_podcast_texts(root / labels, rows)
        return by_id(written)
    end = "\r\n" if spreadsheet else "\n"
    text = "".join(",".join(map(str, row)) + end for row in [PODCAST_COLUMNS, *rows])
    if labels.endswith(".json"):
        text = json.dumps(
            {row[0]: dict(zip(PODCAST_COLUMNS[1:], row[1:])) for row in rows}, indent=1
        )
    write_text(root / labels, "\ufeff" * spreadsheet + text)
    return by_id(written)


def _write_podcast_texts(labels: Path, rows: list[list]) -> None:
    """labels.txt with raters, Partitions.txt and Speaker_ids.txt beside it."""
    rated, parts, persons, genders = "", "", "", {}
    for file, emotion, activation, valence, dominance, speaker, gender, part in rows:
        if emotion:
            rated += f"{file}; {emotion}; A:{activation:.6f}; V:{valence:.6f}; D:{dominance:.6f};\n"
            rated += (
                "WORKER00014325; Neutral; Neutral,Concerned; A:2.000000; V:4.000000; D:3.0;\n\n"
            )
        parts += f"{part}; {file}\n"
        persons += f"{file}; {speaker}\n"
        if speaker != "Unknown":
            genders[speaker] = gender
    gender_lines = "".join(f"Speaker_{speaker}; {gender}\n" for speaker, gender in genders.items())
    write_text(labels, rated)
    write_text(labels.parent / "Partitions.txt", parts)
    write_text(labels.parent / "Speaker_ids.txt", f"{gender_lines}\n{persons}")


def write_muse(
    root: Path,
    utterances_per_speaker: int = 6,
    speakers: int = 10,
    survey: str = "SurveyInformation",
    folders: tuple[str, str] = (
        "NotStressed/Audio/Non Stressed Question Monologue Audio",
        "Stressed/Audio/Stressed Question Monologue Audio",
    ),
    transcripts: tuple[str, str] = ("Combined/Utterance Transcripts",) * 2,
) -> list[Utterance]:
    """Speakers 01.., half of their utterances stressed. Gender is written M, F, Male or female;
    utterance 0 of a speaker has no self-report of valence. `folders` and `transcripts` are those of
    the calm and of the stressed utterances."""
    written, rows = [], [MUSE_HEADER]
    for number in range(speakers):
        gender = ("female", "male")[number % 2]
        literal = (LETTERS[gender], gender, gender.capitalize())[number % 3]
        for i in range(utterances_per_speaker):
            stressed = i % 2
            a, v = levels(i)
            stem = f"{number + 1:02d}_DR-100_0093_{i}_sentence_7"
            wav = root / folders[stressed] / f"{stem}.wav"
            write_wav(wav, gender, a, v, number)
            write_text(root / transcripts[stressed] / f"{stem}.txt", WORDS[v])
            mean, context = (ON_9[a], ON_9[v]), (ON_9[a] + 0.5, ON_9[v] + 0.5)
            rows.append(
                f"{stem}.wav,0.5,{literal},{('NS', 'S')[stressed]},Icebreaker,"
                f"{mean[0]},0.7,{mean[1]},0.7,5;6;4,5;5;5,{context[0]},0.7,{context[1]},0.7,"
                f"5;6;4,5;5;5,6,{'' if i == 0 else 2}"
            )
            ratings = {"activation": mean[0], "valence": mean[1]}
            ratings |= {"activation_context": context[0], "valence_context": context[1]}
            ratings |= {"activation_self": 6.0} | ({} if i == 0 else {"valence_self": 2.0})
            answer = ("no", "yes")[stressed]
            written.append(
                Utterance(
                    id=stem,
                    speaker=f"{number + 1:02d}",
                    wav=wav,
                    transcript=WORDS[v],
                    ratings=ratings,
                    scale=(1.0, 9.0),
                    categories={"stressed": answer},
                    private={"gender": gender, "stressed": answer},
                )
            )
    write_text(root / survey / MUSE_TABLE, "\n".join(rows) + "\n")
    return by_id(written)
