"""The main job on every corpus, from its files to the result directory."""

import json
import warnings

import numpy as np
import pytest

from experiments.results.columns import is_score
from experiments.results.runs_csv import read_rows
from tests.support.corpora_on_disk import (
    write_iemocap,
    write_msp_improv,
    write_msp_podcast,
    write_muse,
)
from tests.support.experiment_runs import check_results, run
from tests.support.open_corpora_on_disk import (
    write_audformat,
    write_crema_d,
    write_emodb,
    write_kaldi,
    write_manifest,
    write_ravdess,
)
from tests.support.paths import ROOT

pytestmark = pytest.mark.usefixtures("quickly_compiled", "few_permutations")


@pytest.mark.long
def test_msp_improv_two_tasks(tmp_path, capsys):
    write_msp_improv(tmp_path / "MSP-IMPROV", utterances_per_speaker=5)
    workdir = tmp_path / "out" / "a"
    run(
        workdir,
        "--dataset=msp_improv",
        f"--data_dir={tmp_path / 'MSP-IMPROV'}",
        "--task=activation,valence",
        "--attackers=linear+mlp_2x32",
        report=True,
    )
    for pack, task in enumerate(("activation", "valence")):
        rows = check_results(workdir, task, "gender", classes=3, report=True)
        assert {row["pack"] for row in rows} == {pack}
        # lambda = 0 and lambda = 1 start from the same parameters and the controls stand for both.
        assert {row["lambda"] for row in rows if row["control"]} == {None}
    printed = capsys.readouterr()
    assert "emotion UAR" in printed.out and "untrained" in printed.out
    assert f"report: {workdir}" in printed.out
    assert "60 utterances, 8,438 were published: is the copy whole?" in printed.err
    assert "2 of 2" in printed.err or "[2/2] acoustic valence gender" in printed.err
    for said in (
        "time: not known before the first epochs",
        "GB of memory while they are trained",
        "gender: linear, mlp_2x32 on all networks",
        "gender: permutation test on ordinary",
        "gender: permutation test on posterior, λ 1",
    ):
        assert said in printed.err, said


@pytest.mark.long
def test_emodb_emotions(tmp_path):
    write_emodb(tmp_path / "EmoDB", 6, letters="WLN")
    workdir = tmp_path / "out"
    run(
        workdir,
        "--dataset=emodb",
        f"--data_dir={tmp_path / 'EmoDB'}",
        "--task=emotion",
        "--membership=off",
    )
    rows = check_results(workdir, "emotion", "gender", classes=3)
    guessed = [row for row in rows if row["control"] == "majority"]
    assert {row["test_gender_attacker_uar"] for row in guessed} == {0.5}
    assert all(row["test_emotion_uar"] == pytest.approx(1 / 3) for row in guessed)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("audformat", write_audformat),
        ("crema_d", write_crema_d),
        ("kaldi", write_kaldi),
        ("ravdess", lambda root: write_ravdess(root, utterances_per_speaker=8, speakers=10)),
    ],
)
def test_open_corpora(tmp_path, name, write):
    write(tmp_path / name)
    data = (f"--dataset={name}", f"--data_dir={tmp_path / name}")
    run(tmp_path / "out", *data, "--membership=off")
    check_results(tmp_path / "out", "activation", "gender", classes=3)


def checks_of(name):
    return json.loads((ROOT / "tests/cases" / name / "expected.json").read_text())


def run_check(name, check, workdir):
    """The job of a check of tests/cases."""
    filled = check["command"].replace("$CASE", str(ROOT / "tests/cases" / name))
    small = "--folds=3 --max_epochs=1 --attackers=linear --membership=off --recipe=paper --lambda=0"
    filled = filled.replace("$OUT", str(workdir)).replace("$SMALL", small)
    run(workdir, *[flag for flag in filled.split() if flag.startswith("--")])


@pytest.mark.long
def test_case_03(tmp_path, capsys):
    """Windows-1252, and the same torn once more in UTF-8: whole lexical jobs of the same words."""
    scores, warned = [], []
    for number, check in enumerate(checks_of("03")):
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always", UserWarning)
            run_check("03", check, tmp_path / str(number))
        printed = capsys.readouterr()
        text = " ".join([printed.out, printed.err, *(str(note.message) for note in notes)])
        assert f"learned in the network, {check['different_words']} words" in text
        assert all(word in text for word in check.get("message_contains", ()))
        warned.append("1252" in text or "mended" in text)
        rows = read_rows(tmp_path / str(number) / "runs.csv")
        scores.append([{name: row[name] for name in row if is_score(name)} for row in rows])
    assert warned == [False, True, True]
    assert len(scores[0]) > 3 and scores[0] == scores[1] == scores[2]


@pytest.mark.long
def test_iemocap_multimodal_with_an_adversary_per_modality(tmp_path):
    write_iemocap(tmp_path / "IEMOCAP")
    vectors = np.random.default_rng(0).normal(size=(4, 5)).round(3).tolist()
    words = ("terrible", "wonderful", "table", "day")
    lines = [" ".join([word, *map(str, row)]) for word, row in zip(words, vectors)]
    (tmp_path / "glove.txt").write_text("\n".join(lines) + "\n")
    workdir = tmp_path / "out"
    run(
        workdir,
        "--dataset=iemocap",
        f"--data_dir={tmp_path / 'IEMOCAP'}",
        "--modality=multimodal",
        "--placement=modality",
        f"--word_vectors={tmp_path / 'glove.txt'}",
        "--dense_width=4",
        "--membership=off",
    )
    check_results(workdir, "activation", "gender", classes=3)


@pytest.mark.long
def test_msp_podcast_in_its_own_parts(tmp_path, capsys):
    write_msp_podcast(tmp_path / "MSP-Podcast")
    workdir = tmp_path / "out"
    run(
        workdir,
        "--dataset=msp_podcast",
        f"--data_dir={tmp_path / 'MSP-Podcast'}",
        "--folds=official",
        "--learning_rate=0.0001,0.001,0.002,0.005,0.01",
    )
    rows = check_results(workdir, "activation", "gender", classes=3)
    assert {row["fold"] for row in rows} == {0}
    said = capsys.readouterr().err
    assert "2 without speaker, 1 without gender, of 63 utterances; left out" in said


@pytest.mark.long
def test_muse_words_with_one_adversary_and_with_two(tmp_path, capsys):
    write_muse(tmp_path / "MuSE")
    workdir = tmp_path / "out"
    run(
        workdir,
        "--dataset=muse",
        f"--data_dir={tmp_path / 'MuSE'}",
        "--modality=lexical",
        "--private=gender,gender+speaker",
        report=True,
    )
    check_results(workdir, "activation", "gender", classes=3)
    rows = check_results(workdir, "activation", "gender+speaker", classes=3)
    # Not every figure: where all networks of a recipe collapsed there is nothing to draw.
    assert (workdir / "report/figures/leakage_muse_activation_gender_speaker.png").exists()
    attacks = {row["speaker_attacker"] for row in rows if row["control"] is None}
    assert attacks == {"verification"}
    # A column that only the second pack has is empty in the first.
    first = [row for row in read_rows(workdir / "runs.csv") if row["private"] == "gender"]
    assert {row["test_speaker_privacy"] for row in first} == {None}
    assert "word vectors: learned in the network, " in capsys.readouterr().err


@pytest.mark.long
def test_a_manifest_of_audio_with_dropout_and_a_schedule(tmp_path):
    write_manifest(tmp_path / "my_corpus.csv")
    workdir = tmp_path / "out"
    run(
        workdir,
        "--dataset=manifest",
        f"--data_dir={tmp_path / 'my_corpus.csv'}",
        "--task=emotion",
        "--dropout=0.2",
        "--lambda_schedule=ganin",
        "--membership=off",
    )
    check_results(workdir, "emotion", "gender", classes=3)


@pytest.fixture
def without_audio(tmp_path):
    """A manifest with ready features of either modality; no audio is needed, nor looked at."""
    utterances = write_manifest(tmp_path / "my_corpus.csv", 3, speakers=20)
    rng = np.random.default_rng(0)
    for modality, shape in (("acoustic", (28, 8)), ("lexical", (4, 6))):
        (tmp_path / modality).mkdir()
        for utterance in utterances:
            np.save(tmp_path / modality / f"{utterance.id}.npy", rng.normal(size=shape))
    for wav in (tmp_path / "wav").iterdir():
        wav.unlink()


def test_a_manifest_of_ready_frames(tmp_path, without_audio, capsys):
    workdir = tmp_path / "out"
    run(
        workdir,
        "--dataset=manifest",
        f"--data_dir={tmp_path / 'my_corpus.csv'}",
        f"--acoustic_features={tmp_path / 'acoustic'}",
        "--membership=off",
    )
    rows = check_results(workdir, "activation", "gender", classes=3)
    assert {row["normalise"] for row in rows} == {"train"}  # whose statistics were used
    printed = capsys.readouterr()
    assert "in units of the frames of the training part (--normalise=train)" in printed.err
    assert "normalise=train" in (workdir / "summary.md").read_text()


@pytest.mark.long
def test_a_manifest_of_ready_word_vectors_with_two_adversaries(tmp_path, without_audio):
    workdir = tmp_path / "out"
    run(
        workdir,
        "--dataset=manifest",
        f"--data_dir={tmp_path / 'my_corpus.csv'}",
        "--task=emotion",
        "--private=gender+accent",
        "--lambda=0,0.5+1",
        "--modality=lexical",
        f"--lexical_features={tmp_path / 'lexical'}",
    )
    rows = check_results(workdir, "emotion", "gender+accent", classes=3)
    assert {row["lambda"] for row in rows if row["control"] is None} == {0, "0.5+1"}
