"""Whether data are still those of a table; what is chosen of a corpus; test sets; layouts."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.config.settings import Config
from experiments.config.sweep import Pack
from experiments.results.corpus_record import write_record
from experiments.run.load_data import (
    Job,
    check,
    check_begun,
    choose,
    describe_inputs,
    load,
    preparable,
    prepare_inputs,
    read,
)
from privrep.inputs import cache as prepared
from privrep.types import Utterance
from tests.support import corpora_on_disk
from tests.support.corpora_on_disk import (
    PODCAST_LAYOUTS,
    write_msp_improv,
    write_msp_podcast,
)
from tests.support.open_corpora_on_disk import write_kaldi
from tests.support.sounds_on_disk import edit


@pytest.mark.parametrize("modality", ["acoustic", "lexical", "multimodal"])
def test_a_table_of_other_data_is_told_without_preparing_any(tmp_path, monkeypatch, modality):
    write_msp_improv(tmp_path / "corpus", utterances_per_speaker=2)
    config = Config("msp_improv", str(tmp_path / "corpus"), modality)
    utterances = read(config, tmp_path)
    usable = preparable(utterances)
    made = prepare_inputs(config, usable, tmp_path, progress=False).hash
    monkeypatch.setattr(prepared.cache_store, "read", None)
    described_hash, records = describe_inputs(config, usable, tmp_path)
    assert described_hash == made
    write_record(tmp_path, made, [*records])
    job = Job(0, Pack(config, (config,)), tmp_path / "000", "")

    def check_(utterances):
        check_begun({0: {made}}, [job], utterances, tmp_path, tmp_path)

    check_(utterances)
    first, *fewer = utterances
    was = f"valence {first.ratings['valence']}, now 1.25"
    relabelled = [replace(first, ratings={**first.ratings, "valence": 1.25}), *fewer]
    longer = [replace(first, end=0.125), *fewer]
    for changed, named in (
        (fewer, f"1 are gone: {first.id}"),
        (relabelled, rf"the ratings of 1 changed: {first.id} \({was}\)"),
        (longer, rf"cuts of 1 changed: {first.id} \(none, now 0\.125\)"),
        ([*fewer, first], "another order"),
    ):
        with pytest.raises(ValueError, match=f"000: this pack was begun on other data.*{named}"):
            check_(changed)
    shutil.copytree(tmp_path / "corpus", tmp_path / "elsewhere")
    check_(read(replace(config, data_dir=str(tmp_path / "elsewhere")), tmp_path))
    if modality == "lexical":
        return
    sound = first.wav.read_bytes()
    size = f"{len(sound):,}"
    for content, named in (
        (sound + b"x", f"{size} bytes long, now {len(sound) + 1:,}"),
        (sound[:-1] + bytes([sound[-1] ^ 1]), f"other content, {size} bytes as before"),
    ):
        first.wav.write_bytes(content)
        with pytest.raises(ValueError, match=f"files of 1 changed: {first.id} \\(.*{named}"):
            check_(utterances)

    (record,) = (tmp_path / "data").glob("*.gz")
    record.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"cannot be said: {record} is not as it was written"):
        check_(utterances)


def notes_of(config, folder):
    """The notes of the corpus in `folder`, checked and loaded as the main job does."""
    utterances = read(config, folder)
    check(config, utterances)
    usable = preparable(utterances)
    loaded = load(config, prepare_inputs(config, usable, folder / "cache", progress=False))
    return loaded, loaded.notes


def test_the_official_split_of_2_0_is_used_without_who_is_in_two_parts(tmp_path):
    write_msp_podcast(tmp_path / "podcast", speakers=20)
    table = tmp_path / "podcast/Labels/labels_consensus.csv"
    edit(table, ",1,Female,Train", ",1,Female,Test2")
    edit(table, ",7,Female,Development", ",7,Female,Test1")
    config = Config("msp_podcast", str(tmp_path / "podcast"), folds="official")
    loaded, notes = notes_of(config, tmp_path)
    assert not [finding for finding in loaded.findings if finding.severity == "fatal"]
    assert any("1 speakers of the training part are in the" in n and "5 utt" in n for n in notes)
    assert any("1 speakers of the validation part are in the" in n and "(7)" in n for n in notes)
    tested = {loaded.utterances[i].id for i in loaded.split.test[0].nonzero()[0]}
    assert {"MSP-PODCAST_0000_0000", "MSP-PODCAST_0006_0000"} <= tested

    chosen = replace(config, test_set="Test2")
    loaded, notes = notes_of(chosen, tmp_path)
    tested = [loaded.utterances[i] for i in loaded.split.test[0].nonzero()[0]]
    assert {u.test_set for u in tested} == {"Test2"}
    with pytest.raises(ValueError, match=r"no test set 'Test3' with labels.*Test1, Test2"):
        check(replace(config, test_set="Test3"), read(config, tmp_path))


def test_published_folds_are_used_judged_and_part_of_the_data(tmp_path):
    write_msp_improv(tmp_path / "corpus", utterances_per_speaker=2)
    table = tmp_path / "folds.csv"
    config = Config("msp_improv", str(tmp_path / "corpus"), bins="tertiles", folds=str(table))
    usable = preparable(read(config, tmp_path))
    sessions = sorted({u.session for u in usable})
    rows = [
        f"{u.id},{('test', 'val', 'train')[min((sessions.index(u.session) - k) % 6, 2)]},{k}"
        for k in range(6)
        for u in usable
    ]
    table.write_text("\n".join(["id,part,fold", *rows]))
    made = prepare_inputs(config, usable, tmp_path / "cache", progress=False)
    loaded = load(config, made)
    assert loaded.split.test.shape == (6, len(usable)) and (loaded.split.test.sum(0) == 1).all()
    assert any("fold 0 validates on 4 utterances of" in note for note in loaded.notes)
    assert any(f"in {sessions[0]}" in note for note in loaded.notes)

    # A speaker who trains and is tested: the linter says so, and advises no flag that draws folds.
    table.write_text("\n".join(["id,part,fold", *rows]).replace(",test,0", ",train,0", 1))
    loaded = load(config, made)
    (fatal,) = [f for f in loaded.findings if f.severity == "fatal" and "speakers are in" in f.text]
    assert fatal.fold == 0 and not any("--fold_seed" in f.text for f in loaded.findings)
    # And these folds are other data than those of the table as it was.
    assert describe_inputs(config, usable, tmp_path / "cache")[0] != made.hash
    with pytest.raises(FileNotFoundError, match=r"--folds=.*no such file"):
        check(replace(config, folds=str(tmp_path / "none.csv")), usable)


@pytest.mark.filterwarnings("ignore")
def test_levels_of_emotions_on_request_in_a_corpus_without_ratings(tmp_path):
    written = write_kaldi(tmp_path / "data")
    for name in ("utt2arousal", "utt2valence"):
        (tmp_path / "data" / name).unlink()
    config = Config("kaldi", str(tmp_path / "data"), ratings_from="emotion")
    rated = read(config, tmp_path)
    assert [u.ratings["valence"] for u in rated] == [
        {"sad": 1.0, "neutral": 2.0, "happy": 3.0}[u.categories["emotion"]] for u in written
    ]
    check(config, rated)
    with pytest.raises(ValueError, match="no task 'activation'"):
        check(config, read(replace(config, ratings_from="corpus"), tmp_path))


LAYOUTS = [
    ("iemocap", {}),
    *(("msp_podcast", layout) for layout in PODCAST_LAYOUTS.values()),
    ("msp_improv", {"spelling": "Evaluation.txt", "audio": "", "transcripts": "Text"}),
    ("msp_improv", {"transcripts": "All_human_transcriptions"}),
    ("muse", {}),
    ("muse", {"survey": "Survey Information (Questions, Data etc)"}),
]


@pytest.mark.long
@pytest.mark.parametrize(("name", "layout"), LAYOUTS)
def test_every_layout_of_the_licensed_corpora_is_prepared(name, layout, tmp_path):
    write = getattr(corpora_on_disk, f"write_{name}")
    written = write(tmp_path / name, utterances_per_speaker=1, **layout)
    config = Config(name, str(tmp_path / name))
    utterances = preparable(read(config, tmp_path))
    prepared_ = prepare_inputs(config, utterances, tmp_path / "cache", progress=False)
    rated = [u for u in written if u.speaker and u.ratings]
    assert [u.id for u in prepared_.utterances] == [u.id for u in rated]
    assert prepared_.dropped == {} and prepared_.seconds_of_audio > 0.3 * len(rated)


IEMOCAP = {"angry": 1103, "happy": 595, "sad": 1084, "neutral": 1708, "frustrated": 1849}
IEMOCAP |= {"excited": 1041, "fearful": 40, "surprised": 107, "disgusted": 2, "other": 3}


def iemocap():
    """Utterances with the published counts of emotions, over five sessions of two speakers."""
    emotions = [name for name, count in IEMOCAP.items() for _ in range(count)] + [None] * 2507
    return [
        Utterance(
            f"u{i:05}",
            f"Ses0{i % 5}{'FM'[i // 5 % 2]}",
            Path("a.wav"),
            categories={"scenario": ("improvised", "scripted")[i % 2]}
            | ({} if emotion is None else {"emotion": emotion}),
            private={"gender": ("female", "male")[i // 5 % 2]},
            session=f"Session{i % 5}",
        )
        for i, emotion in enumerate(emotions)
    ]


def test_rare_emotions_of_iemocap_are_refused_with_classes_that_work():
    with pytest.raises(ValueError) as error:
        check(Config("iemocap", task="emotion"), iemocap())
    message = str(error.value)
    assert "emotion disgusted has 2 speakers" in message and "other has 3 speakers" in message
    advised = message.split("--classes=")[1].rstrip(".")
    assert advised == "angry,excited,fearful,frustrated,happy,neutral,sad,surprised"
    (line,) = check(Config("iemocap", task="emotion", classes=advised), iemocap())
    assert line.startswith("emotion: 7,527 of 10,039 utterances")


def test_the_usual_four_emotions_of_iemocap():
    config = Config("iemocap", task="emotion", classes="angry,happy+excited,neutral,sad")
    (line,) = check(config, iemocap())
    assert line.startswith(
        "emotion: 5,531 of 10,039 utterances, neutral (1,708), happy+excited (1,636), angry (1,103)"
    )
    chosen, lines = choose([replace(config, only="scenario=improvised")], iemocap())
    assert len(chosen) == 5020 and lines == ["only scenario=improvised: 5,020 of 10,039 utterances"]


def test_the_flags_of_a_manifest_reach_its_reader(tmp_path):
    (tmp_path / "m.csv").write_text("wav,mood,Sex\ns1/a.wav,sad,0\ns2/a.wav,glad,1\n")
    (tmp_path / "who.csv").write_text("speaker,accent\ns1,north\ns2,south\n")
    config = Config(
        dataset="manifest",
        data_dir=str(tmp_path / "m.csv"),
        columns="emotion=mood",
        id="wav",
        speaker_from="^[^/]+",
        speakers=str(tmp_path / "who.csv"),
        values="gender:0=male,gender:1=female",
    )
    with pytest.warns(UserWarning, match="accent of 2 speakers were joined"):
        a, b = read(config, tmp_path)
    assert (a.id, a.speaker, b.speaker) == ("s1/a.wav", "s1", "s2")
    assert a.private == {"emotion": "sad", "gender": "male", "accent": "north"}
    assert b.categories == {"emotion": "glad", "gender": "female", "accent": "south"}
    assert a.wav == tmp_path / "s1/a.wav"
