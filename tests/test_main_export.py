"""Files of a finished result directory, audited as exported: they send what the main job released,
and the card says which of them were judged together."""

import csv
import json

import numpy as np
import pytest

from experiments import export_model, few_enrolled
from experiments.run import export_audit
from experiments.run.export_models import export_models
from privrep.files import sha256
from tests.support.corpora_on_disk import write_iemocap
from tests.support.experiment_runs import cache_of, run

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("quickly_compiled", "few_permutations")]


@pytest.fixture
def workdir(finished_once, few_permutations):
    def make(folder):
        write_iemocap(folder / "corpus", utterances_per_speaker=14)
        flags = ("--dataset=iemocap", f"--data_dir={folder / 'corpus'}", "--membership=off")
        more = ("--folds=5", "--enrolment=6", "--recipe=posterior,keep", "--export=all")
        run(folder / "job", *flags, *more)

    return finished_once("exported", make) / "job"


@pytest.mark.parametrize("recipe", ["posterior", "keep"])
def test_the_files_send_what_the_main_job_released(workdir, recipe):
    models = export_models(workdir, f"recipe={recipe},lambda=1", cache_of(workdir), lambda _: None)
    paths = export_audit.write_files(models.folders, "onnx")
    files = {"onnx": [{"file": path.name} for path in paths]}
    encoders = [export_audit.load(folder) for folder in models.folders]
    h = export_audit.sent_by_files(models, encoders, files)["onnx"]
    ids = [utterance.id for utterance in models.loaded.utterances]
    for fold in (0, 4):
        name = f"lambda=1_recipe={recipe}_seed=0.npz"
        with np.load(workdir / "representations" / "000" / f"fold_{fold}" / name) as exported:
            rows = [ids.index(id_) for id_ in exported["id"].tolist()]
            difference = np.abs(h[fold, rows] - exported["h"]).max(1)
        assert np.mean(difference < 1e-5) > 0.8 and difference.max() < 2e-3, difference


def test_the_card_names_the_files_that_were_judged_together(workdir, capsys):
    flags = [f"--cache_dir={cache_of(workdir)}", "--pick=recipe=posterior,lambda=1"]
    export_model.main([str(workdir), *flags, "--format=onnx", "--audit"])
    output = capsys.readouterr()
    folders = [workdir / "models" / line.split("/models/")[1] for line in output.out.split()]
    lines = [line.split(" | ") for line in output.err.split("\n") if line.startswith("| ")]
    assert [line[0] for line in lines] == ["| form", "| jax", "| onnx", "| onnx_int8"]
    for fold, folder in enumerate(folders):
        card = json.loads((folder / "exported.json").read_text())
        assert card["this_folder"]["fold"] == fold and "of these files together" in card["scope"]
        for name in ("onnx", "onnx_int8"):
            hashes = [entry["sha256"] for entry in card["files"][name]]
            assert hashes == [sha256(other / f"{name}.onnx") for other in folders]
            assert len({*hashes}) == 5
        jax, onnx = (card["verdicts"][name]["gender"] for name in ("jax", "onnx"))
        assert jax["verdict"] == onnx["verdict"] and abs(jax["uar"] - onnx["uar"]) < 0.02
        emotion = [card["verdicts"][name]["emotion"]["uar"] for name in ("jax", "onnx")]
        assert abs(emotion[0] - emotion[1]) < 0.02


def test_few_enrolled_utterances_are_measured_on_the_networks_of_the_job(workdir, capsys):
    """With the job's enrolment it is the job's own measurement; with fewer it is another."""
    flags = [str(workdir), f"--cache_dir={cache_of(workdir)}"]
    few_enrolled.main([*flags, "--pick=recipe=keep,lambda=1", "--utterances=0,2,6"])
    lines = [line.split(" | ") for line in capsys.readouterr().out.strip().split("\n")[2:]]
    known = [(line[0].removeprefix("| "), line[1]) for line in lines]
    assert known == [("2", "all"), ("6", "all"), *((n, "enrolled") for n in "026")]
    (row, *_) = (
        row
        for row in csv.DictReader((workdir / "runs.csv").open())
        if row["recipe"] == "keep" and row["lambda"] == "1.0" and not row["control"]
    )
    names = ("emotion_pooled_uar", "gender_pooled_seen_uar", "gender_pooled_own_uar")
    expected = [float(row[name]) for name in names]
    measured = {key: [float(line[i]) for i in (2, 4, 5)] for key, line in zip(known, lines)}
    # A coordinate at the edge of two roundings may fall to the other one: an utterance or two.
    np.testing.assert_allclose(measured["6", "all"], expected, atol=0.03)
    assert len({*map(tuple, measured.values())}) >= 4
    few_enrolled.main([*flags, "--pick=recipe=none", "--utterances=2,6"])
    lines = capsys.readouterr().out.strip().split("\n")[2:]
    known = [(line.split(" | ")[0].removeprefix("| "), line.split(" | ")[1]) for line in lines]
    assert known == [("6", "all"), ("2", "enrolled"), ("6", "enrolled")]
    with pytest.raises(SystemExit, match="--utterances=9: the job has enrolled 6 of each person"):
        few_enrolled.main([*flags, "--pick=recipe=keep,lambda=1", "--utterances=9"])


def test_an_audit_of_another_format_is_refused(capsys):
    with pytest.raises(SystemExit):
        export_model.parse(["out/demo", "--format=stablehlo", "--audit"])
    assert "--audit is of --format=onnx or onnx_int8" in capsys.readouterr().err
