"""From a finished result directory to h of a recording: what a model folder sends is what
`--export` of the main job has written, of every modality and kind of release."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import privrep
from experiments import export_model
from experiments.config import build
from experiments.config.sweep import Pack
from experiments.run import final_model
from experiments.run.export_models import setting_of
from experiments.run.load_data import load
from privrep import Recordings
from privrep.datasets import DATASETS
from privrep.files import sha256
from privrep.parallel.run_axis import take
from privrep.training.fit import fit_to_end
from privrep.unlearning.training_problem import network_problem
from tests.support.corpora_on_disk import edit, write_iemocap
from tests.support.experiment_runs import cache_of, run
from tests.support.sounds_on_disk import WORDS

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("quickly_compiled", "few_permutations")]
WORDS_FINAL = "recipe=posterior,modality=multimodal,lambda=1"
K = 6  # utterances that each speaker enrols
SHARED = ("--dataset=iemocap", "--folds=5", "--membership=off", "--export=all")


def _flags(folder, *more):
    return (*SHARED, f"--data_dir={folder / 'corpus'}", f"--enrolment={K}", *more)


@pytest.fixture
def folder(finished_once, few_permutations):
    def make(folder):
        write_iemocap(folder / "corpus", utterances_per_speaker=14)
        recipes = ("--recipe=posterior,keep,relative", "--export_model")
        run(folder / "acoustic", *_flags(folder, *recipes))
        words = ("--recipe=posterior", "--modality=lexical,multimodal", "--normalise=train")
        run(folder / "words", *_flags(folder, *words, "--export_model"))

        flags = ("--recipe=whitened,relative", "--modality=multimodal", "--bins=continuous")
        flags += ("--state=running", *_ready(folder))
        run(folder / "ready", *_flags(folder, *flags))

    return finished_once("models", make)


def _ready(folder):
    """Flags of ready frames and of a file of word vectors, which it writes."""
    rng = np.random.default_rng(0)
    ids = [u.id for u in DATASETS["iemocap"].read(folder / "corpus")]
    np.savez(folder / "frames.npz", **{id_: rng.normal(size=(9, 6)).astype("f") for id_ in ids})
    words = sorted({word for text in WORDS for word in text.split()})
    lines = [f"{word} {' '.join(map(str, rng.normal(size=5)))}\n" for word in words[1:]]
    (folder / "vectors.txt").write_text("".join(lines))
    return (
        f"--acoustic_features={folder / 'frames.npz'}",
        f"--word_vectors={folder / 'vectors.txt'}",
    )


def export(workdir, words):
    export_model.main([str(workdir), f"--pick={words}", f"--cache_dir={cache_of(workdir)}"])


def compared(model, exported, utterances, ready=None):
    """max |h of the model - exported h| float[n], every speaker enrolled as in the main job."""
    with np.load(exported) as file:
        h, ids = file["h"], file["id"].tolist()
    with (exported.parent / "labels.csv").open() as file:
        speaker_of = {row["id"]: row["speaker"] for row in csv.DictReader(file)}
    sent = {}
    for speaker in sorted({speaker_of[id_] for id_ in ids}):
        scored = [id_ for id_ in ids if speaker_of[id_] == speaker]
        everything = [id_ for id_, u in utterances.items() if u.speaker == speaker]
        person = None
        if model.needs:
            person = model.enrol(Recordings(**_given(model, everything, utterances, ready)))
        if "state" in model.needs:
            rest = [id_ for id_ in everything if id_ not in scored]
            assert len(rest) == K
            person = model.enrol(Recordings(**_given(model, rest, utterances, ready)), units=person)
        encoded = model.encode(
            Recordings(**_given(model, scored, utterances, ready)), person=person
        )
        sent |= dict(zip(encoded.ids, encoded.h))
    return np.abs(np.stack([sent[id_] for id_ in ids]) - h).max(1)


def _given(model, ids, utterances, ready):
    given = {"ids": ids}
    if ready is not None:
        given["frames"] = [ready[id_] for id_ in ids]
    elif model.description.acoustic is not None:
        given["audio"] = [utterances[id_].wav for id_ in ids]
    if model.description.lexical is not None:
        given["transcripts"] = [utterances[id_].transcript for id_ in ids]
    return given


def _check_card(folder, workdir):
    """The card has the figures of runs.csv, and names no place; the seal holds it."""
    facts = json.loads((folder / "card.json").read_text())
    page, seal = ((folder / name).read_text() for name in ("README.md", "model.sha256"))
    assert facts["network"]["fold"] == 3 and facts["data"]["folds"] == 5
    with (workdir / "runs.csv").open() as file:
        scores = {row["emotion_pooled_uar"] for row in csv.DictReader(file)}
    assert str(facts["emotion"][0]["value"]) in scores and facts["privacy"][0]["verdict"]
    assert f"| {facts['privacy'][0]['upper']:.3f} |" in page
    assert ("to be kept out" in page) == (facts["network"]["recipe"] != "none")
    assert str(workdir.parent) not in page and "--data_dir=DATA_DIR" in page
    assert all(f"  {name}\n" in seal for name in ("README.md", "card.json"))


CASES = [
    ("acoustic", "lambda=0_recipe=none_seed=0", "recipe=none", "acoustic", ("frames",)),
    ("acoustic", "lambda=1_recipe=posterior_seed=0", "recipe=posterior", "acoustic", ("frames",)),
    ("acoustic", "lambda=1_recipe=relative_seed=0", "recipe=relative", "acoustic", None),
    ("acoustic", "lambda=1_recipe=keep_seed=0", "recipe=keep", "acoustic", ("frames", "state")),
    ("words", "lambda=1_recipe=posterior_seed=0", "modality=lexical", "lexical", ()),
    ("words", "lambda=0_recipe=none_seed=0", "modality=lexical,lambda=0", "lexical", ()),
    ("words", "lambda=1_recipe=posterior_seed=0", "modality=multimodal", "multimodal", ()),
]


@pytest.mark.parametrize(("job", "name", "words", "modality", "needs"), CASES)
def test_h_is_what_the_main_job_exports(folder, capsys, job, name, words, modality, needs):
    """To 1e-6; of a release with a state a few coordinates may round to the next step."""
    workdir = folder / job
    export(workdir, words)
    folders = [Path(line) for line in capsys.readouterr().out.split("\n") if line]
    assert [path.name for path in folders] == [f"fold_{k}" for k in range(5)]
    assert name in folders[0].parent.name
    _check_card(folders[3], workdir)
    utterances = {u.id: u for u in DATASETS["iemocap"].read(folder / "corpus")}
    pack = "001" if modality == "multimodal" else "000"
    for fold in (0, 3):
        model = privrep.load(folders[fold])
        assert needs is None or model.needs == needs
        exported = workdir / "representations" / pack / f"fold_{fold}" / f"{name}.npz"
        difference = compared(model, exported, utterances)
        if "keep" in name:
            assert np.mean(difference < 1e-6) > 0.8 and difference.max() < 2e-3, difference
        else:
            assert difference.max() < 1e-6, difference


@pytest.mark.parametrize("recipe", ["whitened", "relative"])
def test_ready_features_word_vectors_ratings_and_running_states(folder, capsys, recipe):
    """In units of the training part, by a state that goes on; the answer is a rating."""
    export(folder / "ready", f"recipe={recipe}")
    model = privrep.load(capsys.readouterr().out.split("\n")[1])
    assert model.needs == ("state",) and model.description.running
    assert model.description.acoustic.normalise == "train"
    assert model.description.lexical.digest == sha256(folder / "vectors.txt")
    utterances = {u.id: u for u in DATASETS["iemocap"].read(folder / "corpus")}
    name = f"lambda=1_recipe={recipe}_seed=0.npz"
    exported = folder / "ready" / "representations" / "000" / "fold_1" / name
    with np.load(folder / "frames.npz") as ready:
        difference = compared(model, exported, utterances, ready)
        assert np.mean(difference < 1e-6) > 0.8 and difference.max() < 2e-3, difference
        some = [*utterances][:5]
        person = model.enrol(Recordings(**_given(model, some, utterances, ready)))
        encoded = model.encode(Recordings(**_given(model, some, utterances, ready)), person=person)
    assert encoded.classes == () and ((encoded.emotion > 0) & (encoded.emotion < 6)).all()


@pytest.mark.parametrize(("job", "words"), [("acoustic", "recipe=keep"), ("words", WORDS_FINAL)])
def test_the_final_network_is_that_of_the_engine_on_all_speakers(folder, capsys, job, words):
    """Trained for the median of the chosen steps, it is the network that the ordinary engine, with
    other speakers to validate by, has after as many; and again it is the same to the byte."""
    workdir = folder / job
    flags = [str(workdir), f"--pick={words}", f"--cache_dir={cache_of(workdir)}", "--final"]
    export_model.main([*flags, "--format=onnx", "--license=cc-by-4.0"])
    place = Path(capsys.readouterr().out.strip())
    assert place.name == "final" and not [*(workdir / "checkpoints" / "final").iterdir()]
    written = {path.name: path.read_bytes() for path in place.iterdir()}
    assert {"model.json", "arrays.npz", "README.md", "card.json", "onnx.onnx"} <= {*written}
    _check_engine(workdir, words, privrep.load(place))

    page, facts = written["README.md"].decode(), json.loads(written["card.json"])
    assert "## Privacy, of the procedure, not of this file" in page and "license: cc-by-4.0" in page
    assert facts["network"]["fold"] is None and facts["privacy"][0]["verdict"]
    described = json.loads(written["model.json"])
    assert not [n for n in described["privacy"]["figures"] if n.startswith(("test_", "val_"))]
    utterances = {u.id: u for u in DATASETS["iemocap"].read(folder / "corpus")}
    model, some = privrep.load(place), [*utterances][:8]
    given = Recordings(**_given(model, some, utterances, None))
    person = model.enrol(given) if model.needs else None
    assert np.isfinite(model.encode(given, person=person).h).all()

    export_model.main([*flags, "--format=onnx", "--license=cc-by-4.0"])
    assert {path.name: path.read_bytes() for path in place.iterdir()} == written


def _check_engine(workdir, words, model):
    """The parameters are those that validation, on other speakers, chooses at the only epoch."""
    setting = setting_of(workdir, words, cache_of(workdir), lambda _: None)
    rows = [row for row in setting.picked.of_seeds if not row["diverged"]]
    wanted = np.median([row["chosen_step"] for row in rows])
    config = setting.config
    loaded = load(config, setting.prepared, everyone=True)
    of_folds = load(config, setting.prepared).packed.data.folds
    per_epoch = -(-int(loaded.split.train.sum()) // config.batch_size)
    epochs = int(-(-wanted // per_epoch))
    assert model.description.training["steps"] == epochs * per_epoch >= wanted
    pack = Pack(config, (config,))
    folds = loaded.packed.data.folds
    split = folds.split._replace(val=of_folds.split.val[-1:])
    other = folds._replace(split=split, val_blocks=of_folds.val_blocks[-1:])
    data = loaded.packed.data._replace(folds=other)
    architecture = build.architecture(pack, loaded.packed)
    settings = build.fit_settings(config)._replace(max_epochs=epochs, min_epochs=epochs)
    settings = settings._replace(max_steps=0, min_steps=0)
    if config.lambda_schedule != "constant":
        settings = settings._replace(schedule_steps=final_model.steps_of(rows, settings).most)
    runs, _ = build.run_table([config], 1)
    fits = fit_to_end(network_problem, architecture, settings, data, runs)
    assert fits.best_epoch.tolist() == [epochs]
    expected = dict(jax.tree_util.tree_leaves_with_path(take(fits.best, 0)))
    for path, array in jax.tree_util.tree_leaves_with_path(model.model.params):
        np.testing.assert_allclose(array, expected[path], atol=1e-5)


def test_the_main_job_exports_what_validation_picks(folder):
    picked = {path.name for path in (folder / "words" / "models").iterdir()}
    assert {re.search(r"modality=(\w+)", name)[1] for name in picked} == {"lexical", "multimodal"}
    described = next((folder / "acoustic" / "models").glob("*/fold_2/model.json"))
    content = json.loads(described.read_text(encoding="utf-8"))
    assert content["training"]["fold"] == 2 and content["task"]["classes"] == ["low", "mid", "high"]
    assert content["private"] == {"gender": ["female", "male"]}
    assert content["privacy"]["scope"].startswith("of the procedure, not of this file")
    figures = content["privacy"]["figures"]
    assert figures["gender_pooled_verdict"] and 0 <= figures["gender_pooled_upper"] <= 1
    assert content["training"]["versions"]["jax"] and content["training"]["data_hash"]
    assert str(folder) not in described.read_text(encoding="utf-8")  # no place of this machine


def test_a_model_encodes_without_corpus_cache_and_experiments(folder, tmp_path):
    """In another process and folder, where experiments cannot be imported."""
    model = next((folder / "words" / "models").glob("*modality=multimodal*")) / "fold_0"
    shutil.copytree(model, tmp_path / "model")
    u = DATASETS["iemocap"].read(folder / "corpus")[0]
    shutil.copy(u.wav, tmp_path / "a.wav")
    (tmp_path / "texts.csv").write_text(f"id,transcript\na,{u.transcript}\n")
    package = tmp_path / "site" / "privrep"
    shutil.copytree(Path(privrep.__file__).parent, package)
    command = ("encode", "model", "a.wav", "--transcripts=texts.csv", "--output=h.npz")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "privrep", *command],
        cwd=tmp_path,
        env={"PYTHONPATH": str(package.parent), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded = privrep.load(model).encode(Recordings([u.wav], transcripts=[u.transcript], ids=["a"]))
    np.testing.assert_allclose(np.load(tmp_path / "h.npz")["h"], loaded.h, atol=1e-5)


def test_an_unfinished_directory_and_another_corpus_are_refused(folder, tmp_path, capsys):
    for workdir, message in (
        (tmp_path, "is no finished result directory of experiments.main$"),
        (folder, "is no finished result directory of experiments.main; results lie in .*acoustic"),
        (folder / "acoustic", "no run has recipe=strong: recipe is none, "),
    ):
        with pytest.raises(SystemExit, match=message):
            export(workdir, "recipe=strong")
    shutil.copytree(folder / "corpus", tmp_path / "corpus")
    shutil.copytree(folder / "acoustic", tmp_path / "acoustic")
    table = next((tmp_path / "corpus").rglob("EmoEvaluation/*.txt"))
    flags = tmp_path / "acoustic" / "flags.txt"
    edit(flags, str(folder / "corpus"), str(tmp_path / "corpus"))
    (tmp_path / "acoustic" / "flags.sha256").unlink()
    export(tmp_path / "acoustic", "recipe=posterior")  # a corpus may lie elsewhere
    text = table.read_text()
    table.write_text(re.sub(r"\[([\d.]+), ([\d.]+), ([\d.]+)\]", "[1.0, 1.0, 1.0]", text, count=1))
    with pytest.raises(SystemExit, match="is not the corpus that these networks were trained on"):
        export(tmp_path / "acoustic", "recipe=posterior")
