"""What a user gets wrong is answered in a sentence, before anything is trained or left behind."""

import csv
import io
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import soundfile

from experiments import main
from experiments.config.settings import FIELDS, Config, flag_default
from experiments.config.sweep import idle_flags
from experiments.run import load_data as corpus
from experiments.run import loader
from privrep.datasets import DATASETS
from tests.support.corpora_on_disk import write_msp_podcast
from tests.support.experiment_runs import SMALL, set_flags
from tests.support.open_corpora_on_disk import write_emodb, write_manifest
from tests.support.paths import ROOT
from tests.support.sounds_on_disk import corrupt


class Reached(Exception):
    """Training would begin now."""


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    write_emodb(folder / "emodb")
    write_manifest(folder / "my.csv")
    write_msp_podcast(folder / "msp_podcast")
    rows = [f"u{i},s{i % 12},{'mf'[i % 2]},{1 + i % 5},1-5,hello there" for i in range(60)]
    header = "id,speaker,gender,activation,scale,transcript\n"
    (folder / "no_audio.csv").write_text(header + "\n".join(rows))
    (folder / "unicode.csv").write_text(header + "\n".join(rows), encoding="utf-16")
    (folder / "empty.csv").write_text("")
    (folder / "nobody.csv").write_text("id,gender\nu1,f\n")
    (folder / "coded.csv").write_text("ID;Speaker;Sex\nu1;a;0\n")
    (folder / "rated.csv").write_text("id,speaker,valence,scale\nu1,a,2,1-5\nu2,b,x,1-5\n")
    return folder


@pytest.fixture
def start(tmp_path, corpora, monkeypatch):
    """flags -> what the program says when it gives up; raises Reached where it does not."""

    def reached(pack, loaded, *others):
        raise Reached(len(loaded.utterances))

    monkeypatch.setattr(main, "run_pack", reached)
    monkeypatch.chdir(corpora)

    def start(*flags):
        places = (f"--workdir={tmp_path / 'out'}", f"--cache_dir={corpora / 'cache'}")
        set_flags(*SMALL, *places, *flags)
        with pytest.raises(SystemExit) as stopped:
            main.main(["main"])
        said = str(stopped.value)
        assert said.startswith("error: ") and stopped.value.code == 2
        assert not (tmp_path / "out" / "runs.csv").exists()
        assert not (tmp_path / "out" / "checkpoints").exists()
        return said

    return start


EMODB = ("--dataset=emodb", "--data_dir=emodb")
MINE = ("--dataset=manifest", "--data_dir=my.csv")


@pytest.mark.parametrize(
    "flags, said",
    [
        (["--dataset=emdb"], ["--dataset=emdb", "emodb", "msp_podcast"]),
        (["--data_dir=\udcf6.csv"], ["this name is not in UTF-8"]),
        (["--dataset=emodb"], ["--data_dir", "http://emodb.bilderbar.info"]),
        (["--dataset=emodb", "--data_dir=nowhere"], ["nowhere", "does not exist", "wav/03a01Fa"]),
        (["--dataset=iemocap", "--data_dir=emodb"], ["does not look like IEMOCAP", "sail.usc.edu"]),
        ([*EMODB, "--task=activaton"], ["no task 'activaton'", "activation", "emotion"]),
        ([*EMODB, "--task=arousal"], ["no task 'arousal'", "arousal is called activation here"]),
        ([*EMODB, "--task=activation,valense"], ["no task 'valense'", "valence"]),
        ([*EMODB, "--private=gendre"], ["no private attribute 'gendre'", "gender", "speaker"]),
        ([*EMODB, "--private=gender,age"], ["no private attribute 'age'", "gender"]),
        ([*EMODB, "--modality=audio"], ["--modality=audio", "acoustic, lexical, multimodal"]),
        ([*EMODB, "--lambda=0.5+1"], ["--lambda=0.5+1", "2 strengths", "--private=gender"]),
        ([*EMODB, "--lambda=strong"], ["--lambda=strong", "number"]),
        ([*EMODB, "--attackers=svm"], ["svm", "linear", "mlp_4x64"]),
        ([*EMODB, "--bins=halves"], ["halves", "midpoint, thirds, tertiles"]),
        ([*EMODB, "--folds=many"], ["many", "official", "such as 5"]),
        ([*EMODB, "--folds=2"], ["--folds=2", "at least 3"]),
        ([*EMODB, "--num_mel_bands=1"], ["--num_mel_bands=1", "at least 3"]),
        ([*EMODB, "--lambda=1e9"], ["--lambda=1e9", "below a million"]),
        ([*MINE, "--modality=lexical", "--word_vectors=."], ["is a folder; name the file"]),
        (["--dataset=manifest", "--data_dir=no_audio.csv"], ["no audio file", "--modality=aco"]),
        (["--dataset=manifest", "--data_dir=empty.csv"], ["empty.csv", "is empty"]),
        (["--dataset=manifest", "--data_dir=nobody.csv"], ["no column speaker", "id, gender"]),
        (["--dataset=manifest", "--data_dir=coded.csv"], ["coded.csv:2, column gender: '0'"]),
        ([*EMODB, "--columns=audio"], ["--columns=audio: 'audio' is no pair"]),
        (["--dataset=manifest", "--data_dir=rated.csv", "--id=key"], ["id=key", "no column"]),
        (["--dataset=manifest", "--data_dir=rated.csv"], ["rated.csv:3, column valence", "'x'"]),
        ([*EMODB, "--folds=11"], ["10 speakers cannot make 11", "fewer folds"]),
        ([*EMODB, "--folds=official"], ["official", "03a01Aa"]),
        ([*EMODB, "--mel_high_hz=9000"], ["Mel bands", "8000 Hz"]),
        ([*EMODB, "--acoustic_features=nowhere"], ["--acoustic_features=/", "/nowhere: no such"]),
        ([*EMODB, "--modality=lexical", "--word_vectors=nowhere"], ["--word_vectors=/", "nowhere"]),
        ([*MINE, "--modality=lexical,acoustic", "--word_vectors=nowhere"], ["--word_vectors=/"]),
        ([*MINE, "--modality=lexical", "--lexical_features=emodb"], ["none of 60", "u00-000"]),
        (["--dataset=manifest", "--data_dir=mine.csv"], ["mine.csv", "id and speaker"]),
        ([*MINE, "--workdir=my.csv"], ["my.csv"]),
        ([*EMODB, "--coordinator=localhost"], ["--coordinator=localhost: host:port"]),
        ([*EMODB, "--coordinator=a:99999"], ["--coordinator=a:99999: host:port"]),
        ([*EMODB, "--processes=0"], ["--processes=0: there is at least 1"]),
        ([*EMODB, "--process=1"], ["--process=1: of --processes=1"]),
        ([*EMODB, "--processes=2"], ["--processes=2 needs --coordinator"]),
        ([*EMODB, "--engine_options=cpus=2"], ["'cpus=2' is no option of --engine=here"]),
        (
            [*EMODB, "--engine=ray", "--coordinator=a:1"],
            ["--coordinator=a:1 --engine=ray: one process hands out the packs"],
        ),
        ([*EMODB, "--conv_layers=40"], ["--conv_layers=40", "17"]),
        ([*EMODB, "--attackers=all+lda"], ["--attackers=all+lda: all are all"]),
    ],
)
def test_an_error_is_one_sentence_that_helps(start, flags, said):
    message = start(*flags)
    assert all(part in message for part in said), message
    assert len(message.strip().splitlines()) == 1 or "cannot be used" in message


@pytest.mark.parametrize(
    ("flag", "meant"),
    [
        ("--private=gendre", "gender"),
        ("--task=activaton", "activation"),
        ("--attackers=linear+kernal", "kernel"),
        ("--recipe=postrior,paper", "posterior"),
        ("--release=subspce", "subspace"),
        ("--defence=gril", "grl"),
        ("--modality=Acustic", "acoustic"),
        ("--dataset=emdb", "emodb"),
        ("--placement=jont", "joint"),
    ],
)
def test_a_misspelt_name_is_told_before_anything_is_prepared(start, monkeypatch, flag, meant):
    monkeypatch.setattr(loader, "prepare_inputs", None)
    said = start(*EMODB, flag)
    assert said.startswith(f"error: {flag.split('=')[0]}") or flag.split("=")[1] in said
    assert f"(did you mean {meant}?)" in said and meant in said.split("(did")[0]


@pytest.mark.parametrize("folds", [3, 10])
def test_too_few_speakers_for_the_folds_are_told_once_with_the_most_that_work(start, folds):
    message = start(*EMODB, f"--folds={folds}")
    assert "gender female has 5 speakers, gender male has 5 speakers" in message
    assert "Use --folds=5, the most that work" in message and len(message.splitlines()) == 1
    with pytest.raises(Reached):
        start(*EMODB, "--folds=5")


def test_hidden_labels_stop_the_run_or_are_left_out(start, capsys):
    podcast = ("--dataset=msp_podcast", "--data_dir=msp_podcast", "--folds=official")
    message = start(*podcast, "--unlabelled=stop")
    assert "2 without speaker, 1 without gender, of 63" in message
    assert "--unlabelled=drop" in message
    with pytest.raises(Reached, match="60"):
        start(*podcast)
    assert "of 63 utterances; left out" in capsys.readouterr().err


def test_broken_audio_stops_the_run_or_is_left_out(start, tmp_path, capsys):
    write_emodb(tmp_path / "emodb")
    corrupt(tmp_path / "emodb" / "wav" / "03a01Fa.wav")
    (tmp_path / "emodb" / "wav" / "08b10Nb.wav").write_bytes(b"")
    broken = ("--dataset=emodb", f"--data_dir={tmp_path / 'emodb'}")
    message = start(*broken)
    assert "2 of 71 utterances cannot be used" in message and "--unusable=drop" in message
    assert "03a01Fa.wav" in message and "08b10Nb.wav" in message
    # What it advises works, in the directory of the run that gave up.
    with pytest.raises(Reached, match="69"):
        start(*broken, "--unusable=drop")
    assert "of 71 utterances left out" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--workdir", "--cache_dir"])
def test_a_folder_that_cannot_be_made(flag, start, tmp_path):
    (tmp_path / "file").write_text("")
    said = start(*EMODB, f"{flag}={tmp_path / 'file' / 'out'}")
    assert f"{flag}=" in said and "cannot be made" in said


def test_a_manifest_in_utf_16_is_read(start):
    with pytest.raises(Reached, match="60"):
        start("--dataset=manifest", "--data_dir=unicode.csv", "--modality=lexical")


def test_flags_of_a_modality_that_nothing_uses_are_named(start, capsys):
    with pytest.raises(Reached):
        start(*EMODB, "--word_size=8", "--num_kernels=4")
    said = capsys.readouterr().err
    assert "--word_size has no effect with --modality=acoustic" in said
    assert "--num_kernels" not in said


def test_a_file_that_nothing_reads_need_not_be_there(start, capsys):
    with pytest.raises(Reached):
        start(*EMODB, "--word_vectors=nowhere")
    assert "--word_vectors has no effect" in capsys.readouterr().err


def test_to_resume_what_is_not_there_is_told(start, capsys):
    with pytest.raises(Reached):
        start(*EMODB, "--resume")
    assert "note: --resume: " in capsys.readouterr().err


def test_the_demo_corpus_lies_in_the_cache_whatever_the_folder(monkeypatch, tmp_path):
    roots = []
    demo = DATASETS["demo"]._replace(read=lambda root: roots.append(root) or [])
    monkeypatch.setitem(corpus.DATASETS, "demo", demo)
    for folder in ("", "elsewhere"):
        corpus.read(Config(data_dir=folder), tmp_path)
    assert roots == [tmp_path / "corpora" / "demo"] * 2
    flags = {name: flag_default(name) for name in FIELDS} | {"data_dir": "elsewhere"}
    assert idle_flags(flags, [Config()]) == ["note: --data_dir has no effect with --dataset=demo"]


@pytest.mark.parametrize(
    "arguments, said",
    [(["--lamda=1"], "did you mean"), (["lambda=1"], "Values follow a flag")],
)
def test_a_slip_on_the_command_line(arguments, said):
    command = [sys.executable, "-m", "experiments.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert said in done.stderr + done.stdout and "Traceback" not in done.stderr
    assert len((done.stderr + done.stdout).splitlines()) < 10  # not the help of every flag


def test_ctrl_c_says_how_to_go_on(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "experiment", interrupted)
    with pytest.raises(SystemExit, match="--resume") as stopped:
        main.main(["main"])
    assert stopped.value.code == 130


CASES = ROOT / "tests" / "cases"


def sounding(folder, table):
    """`table` with a sound of its own for every row, in `folder`; the flags that read it."""
    (folder / "m.csv").write_text(table)
    rng = np.random.default_rng(0)
    for row in csv.DictReader(io.StringIO(table)):
        wav = folder / row["audio"]
        wav.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(wav, 0.1 * rng.standard_normal(6400), 16000)
    flags = ("--dataset=manifest", f"--data_dir={folder / 'm.csv'}", "--task=emotion", "--folds=3")
    return (*flags, f"--cache_dir={folder / 'cache'}")


def reaches(start, folder, count, *flags):
    """Asserts that training begins, in a directory of its own, with so many utterances."""
    workdir = tempfile.mkdtemp(dir=folder)
    with pytest.raises(Reached, match=f"^{count}$"):
        pytest.fail(start(*flags, f"--workdir={workdir}"))


def test_speakers_of_one_emotion_each_are_spread_or_the_most_folds_are_named(start, tmp_path):
    flags = sounding(tmp_path, (CASES / "62" / "one_each.csv").read_text())
    reaches(start, tmp_path, "72", *flags)
    message = start(*flags, "--folds=5")
    assert "emotion anger has 3 speakers" in message and "Use --folds=3" in message
    assert len(message.splitlines()) == 1 and "--fold_seed" not in message


def test_two_genders_are_told_with_counts_and_settled_on_request(start, tmp_path, capsys):
    flags = sounding(tmp_path, (CASES / "62" / "slips.csv").read_text())
    message = start(*flags)
    assert "02 (male in 5 of 6, female in 1 of 6), 05 (female in 5 of 6" in message
    reaches(start, tmp_path, 60, *flags, "--folds=5", "--two_genders=drop")
    reaches(start, tmp_path, 72, *flags, "--two_genders=majority")
    assert "2 of 12 speakers have more than one gender" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["m", "few", "scale"])
def test_ages_in_years_are_binned_over_all_speakers(start, tmp_path, name, capsys):
    flags = sounding(tmp_path, (CASES / "12" / f"{name}.csv").read_text())
    flags += (
        "--private=age",
        "--folds=4",
        *["--task=activation", "--bins=tertiles"] * (name == "scale"),
    )
    assert "--private_bins=age=tertiles" in start(*flags)
    reaches(start, tmp_path, "72", *flags, "--private_bins=tertiles")
    assert capsys.readouterr().err.count("(4 speakers)") == 3
    assert "no task 'age'" in start(*flags, "--private=gender", "--task=age")


def test_classes_and_utterances_are_chosen(start, tmp_path, capsys):
    flags = sounding(tmp_path, (CASES / "62" / "one_each.csv").read_text())
    flags += ("--private=speaker",)
    reaches(start, tmp_path, "54", *flags, "--classes=anger+neutral,sadness")
    assert "anger+neutral (36), sadness (18); left out happiness (18)" in capsys.readouterr().err
    reaches(start, tmp_path, "36", *flags, "--only=emotion=anger,sadness")
    assert "only emotion=anger,sadness: 36 of 72" in capsys.readouterr().err
    assert "did you mean sadness?" in start(*flags, "--classes=anger,sadnes")


def test_silence_is_named_and_left_out_on_request(start, tmp_path, capsys):
    flags = sounding(tmp_path, (CASES / "71" / "m.csv").read_text())
    soundfile.write(tmp_path / "w" / "s3_2.wav", np.zeros(6400), 16000)
    noise = (2000 * np.random.default_rng(1).standard_normal(6400)).astype(np.int16)
    soundfile.write(tmp_path / "w" / "s5_1.wav", np.stack([noise[::-1], -noise[::-1]], 1), 16000)
    for unusable, count in (("stop", "72"), ("drop", "71"), ("drop_repaired", "70")):
        reaches(start, tmp_path, count, *flags, f"--unusable={unusable}")
        said = capsys.readouterr().err
        assert "audio silent (s3_2)" in said and "cancel out" in said and "(s5_1)" in said
    # Another person's recording, told by its sound.
    soundfile.write(tmp_path / "w" / "s0_0.wav", noise, 16000)
    soundfile.write(tmp_path / "w" / "s7_3.flac", noise, 16000)
    table = (tmp_path / "m.csv").read_text().replace("w/s7_3.wav", "w/s7_3.flac")
    (tmp_path / "m.csv").write_text(table)
    message = start(*flags)
    assert "1 recordings are under two speakers or more" in message
    assert "s0_0 (s0) = s7_3 (s7)" in message
    reaches(start, tmp_path, "70", *flags, "--duplicates=drop")
    assert "Merging s7 with s0 makes one speaker of two genders" in start(
        *flags, "--duplicates=merge"
    )


@pytest.mark.parametrize(
    ("program", "status"),
    [
        (("experiments.main", "--help"), 0),
        (("experiments.main", "--lamda=1"), 2),
        (("experiments.opt_out", "--help"), 0),
        (("experiments.report", "--help"), 0),
        (("experiments.report",), 2),
    ],
)
def test_help_and_slips_are_answered_before_what_takes_seconds_to_import(program, status):
    command = [sys.executable, "-X", "importtime", "-m", *program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == status
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "experiments" in imported
    slow = {"matplotlib.figure", "orbax.checkpoint", "sklearn", "tensorflow_datasets"}
    assert not imported & slow
