"""Every command and example of README.md works."""

import re
import shlex
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from experiments import opt_out
from experiments.report import write_report
from experiments.results.checkpoints import save_chosen
from experiments.results.runs_csv import append_rows
from experiments.simulations.readme_figure import readme_figure
from privrep.cli import main as audit
from privrep.datasets.demo import corpus as demo
from privrep.unlearning.emotion_subspace import Affine
from privrep.unlearning.releases import Learned
from tests.support import corpora_on_disk
from tests.support.experiment_runs import SMALL, cache_of, run
from tests.support.paths import ROOT
from tests.support.result_rows import ROWS

README = (ROOT / "README.md").read_text(encoding="utf-8")
FAKES = {  # of 60 utterances with labels, as wherever a whole run is tested
    "demo": partial(demo.make, speakers=20, utterances=3),
    "iemocap": corpora_on_disk.write_iemocap,
    "msp_improv": partial(corpora_on_disk.write_msp_improv, utterances_per_speaker=5),
    "msp_podcast": corpora_on_disk.write_msp_podcast,
    "muse": corpora_on_disk.write_muse,
    "emodb": partial(corpora_on_disk.write_emodb, utterances_per_speaker=6, letters="WLN"),
    "manifest": partial(corpora_on_disk.write_manifest, utterances_per_speaker=3, speakers=20),
}


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


ONCE = {"modality": "acoustic", "task": "activation"}  # what is swept in a command: its first value
TWICE = ("defence", "release")  # or its first two
OF_ALL = ("--lambda=0,1", "--seed=0", "--folds=5", "--membership=off")
COMMANDS = [
    line
    for block in blocks("bash")
    for line in block.replace("\\\n", " ").splitlines()
    if "python -m experiments.main" in line
]


def test_readme_shows_the_commands_that_are_tested_here():
    assert len(COMMANDS) >= 5
    assert len(blocks("python")) >= 2


pytestmark = pytest.mark.usefixtures("quickly_compiled", "few_exchanges")


@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_readme_runs_to_its_table(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)  # for the flagfiles
    words = shlex.split(command[command.index("python -m experiments.main") :])[3:]
    flags = dict(word.removeprefix("--").split("=", 1) for word in words)
    if "flagfile" in flags:
        lines = (ROOT / flags["flagfile"]).read_text(encoding="utf-8").splitlines()
        flags |= dict(line.removeprefix("--").split("=", 1) for line in lines if line[:2] == "--")
    dataset = flags.get("dataset", "demo")
    workdir = tmp_path / "out"
    root = tmp_path / ("corpus.csv" if dataset == "manifest" else "corpus")
    if dataset == "demo":
        root = cache_of(workdir) / "corpora" / "demo"
    else:
        words.append(f"--data_dir={root}")
    FAKES[dataset](root)
    # As it stands in README.md, but small, and without sweeps that only repeat.
    swept = {name: flags.get(name, text) for name, text in ONCE.items()}
    once = [f"--{name}={text.split(',')[0]}" for name, text in swept.items()]
    once += [f"--{n}={','.join(flags[n].split(',')[:2])}" for n in TWICE if n in flags]
    run(workdir, *words, *SMALL, *once, *OF_ALL, f"--workdir={workdir}")
    assert "privacy" in capsys.readouterr().out
    assert (workdir / "summary.md").exists()
    if "--export=all" in command:  # what stands behind it in README.md
        assert "python -m experiments.opt_out out/demo\n" in README
        opt_out.main(["opt_out", str(workdir)])
        assert "has opted out" in capsys.readouterr().out


def test_several_directories_make_one_report_as_the_readme_says(tmp_path, monkeypatch):
    (command,) = [line for line in blocks("bash") if "experiments.report" in line]
    words = shlex.split(command)[3:]
    monkeypatch.chdir(tmp_path)
    for folder in (word for word in words if not word.startswith("--")):
        told = {"pack": 0, "recipe": "paper", "dataset": Path(folder).name}
        Path(folder).mkdir(parents=True)
        append_rows(Path(folder, "runs.csv"), [row | told for row in ROWS])
    write_report.main(words)
    page = Path("out/report/report.html").read_text(encoding="utf-8")
    assert "demo (synthetic)" in page and "EmoDB" in page


def test_the_figure_is_what_its_command_prints(capsys):
    """To a character's width: another machine rounds otherwise."""
    assert "python -m experiments.simulations --only=reading\n" in README
    (figure,) = [block for block in blocks("text") if "U upper bound" in block]
    shown, printed = figure.splitlines(), list(readme_figure(0))
    assert len(shown) == len(printed) and shown[0] == printed[0].rstrip()
    assert shown[-1] == printed[-1]
    for there, here in zip(shown[1:-1], printed[1:-1]):
        assert there[:20] == here[:20]  # the corpus
        assert there[20:].split()[-2:] == here[20:].split()[-2:]  # the verdict
        for mark in "oDU":
            assert abs(there.find(mark, 20) - here.find(mark, 20)) <= 1


def test_the_audit_prints_what_is_shown(tmp_path, monkeypatch, capsys):
    """On the files of the example, but for the digits: another machine rounds otherwise."""
    monkeypatch.chdir(tmp_path)
    (example,) = [block for block in blocks("python") if "privrep.worlds" in block]
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out in blocks("text")
    (command,) = [block for block in blocks("bash") if block.startswith("privrep audit ")]
    (shown,) = [block for block in blocks("text") if block.startswith("attacker ")]
    assert audit(shlex.split(command)[1:]) == 1
    printed = capsys.readouterr()

    def without_digits(text):
        return sorted(re.sub(r"[0-9]+", "0", line) for line in text.splitlines())

    assert without_digits(printed.out + printed.err) == without_digits(shown)
    assert (tmp_path / "out" / "audit" / "audit.html").exists()


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_example_of_readme_runs(number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pack = tmp_path / "out" / "demo" / "checkpoints" / "000"  # as a finished run leaves it
    pack.mkdir(parents=True)
    head = {"emotion_head": {"kernel": np.ones((2, 4, 3)), "bias": np.zeros((2, 3))}}
    map_ = Affine(np.zeros((2, 4, 4)), np.zeros((2, 4)))
    learned = Learned(np.array([False, True]), map_, np.zeros((2, 4)))
    said = [{"fold": fold, "release": "posterior"} for fold in (0, 1)]
    save_chosen(pack, head, said, {"selection": np.zeros((1, 2))}, learned)
    example = blocks("python")[number]
    exec(compile(example, f"README.md, example {number}", "exec"), {})
    assert "\nassert " in example or capsys.readouterr().out.strip()  # it shows something
