"""Every command and example of the documents works, and the documents are as short as promised.

Examples in Python run as they stand. Commands of the main job run at a small size; those for
another corpus run on a faked tree in its layout; clusters, CUDA and TPUs are for the flag parser.
"""

import contextlib
import io
import re
import shlex
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from absl.testing import flagsaver

import privrep
from experiments import export_model, opt_out
from experiments.config.settings import FIELDS, flag_name
from experiments.report import write_report
from experiments.report.results_page import RECORDS, read
from experiments.results.runs_csv import append_rows
from privrep.cli import main as privrep_cli
from privrep.datasets.demo import corpus as demo
from tests.support import audits, corpora_on_disk, open_corpora_on_disk
from tests.support.experiment_runs import MORE, SMALL, cache_of, run, set_flags
from tests.support.paths import ROOT
from tests.support.result_rows import ROWS

FOLDERS = sorted(
    path.parent.relative_to(ROOT).as_posix()
    for path in (ROOT / "privrep").rglob("__init__.py")
    if path.parent.name != "privrep"
)
FOLDERS += ["experiments", *(f"experiments/{f}" for f in ("engines", "flagfiles", "notebooks"))]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", *(f"{folder}/README.md" for folder in FOLDERS))
TEXT = {name: (ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS}
FAKES = {  # of 60 utterances with labels, as wherever a whole run is tested
    "demo": partial(demo.make, speakers=20, utterances=3),
    "iemocap": corpora_on_disk.write_iemocap,
    "msp_improv": partial(corpora_on_disk.write_msp_improv, utterances_per_speaker=5),
    "msp_podcast": corpora_on_disk.write_msp_podcast,
    "muse": corpora_on_disk.write_muse,
    "ravdess": open_corpora_on_disk.write_ravdess,
}
pytestmark = pytest.mark.usefixtures("quickly_compiled", "few_permutations")


def blocks(name, language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT[name], re.DOTALL)


def commands(prefix):
    """(document, command) of all lines of bash blocks that hold a command beginning so."""
    lines = [
        (name, line[line.index(prefix) :])
        for name in DOCUMENTS
        for block in blocks(name, "bash")
        for line in block.replace("\\\n", " ").splitlines()
        if prefix in line
    ]
    return list(dict.fromkeys(lines))


EXAMPLES = [(name, k) for name in DOCUMENTS for k in range(len(blocks(name, "python")))]
MAIN = commands("python -m experiments.main")


def test_the_documents_are_short_and_every_folder_has_one():
    assert len(TEXT["README.md"].splitlines()) <= 150
    assert TEXT["README.md"].count("![") == 1
    assert len((ROOT / "BUILD_NOTES.md").read_text(encoding="utf-8").splitlines()) <= 200
    for name in DOCUMENTS[2:]:
        assert 15 <= len(TEXT[name].splitlines()) <= 60, name
        assert "may import" in TEXT[name] or name.startswith("experiments/"), name


def test_every_link_leads_somewhere():
    for name, text in TEXT.items():
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / name).parent.joinpath(target).exists(), (name, target)


def test_every_path_of_the_table_where_things_are_exists():
    table = [line for line in TEXT["CONTRIBUTING.md"].splitlines() if line.startswith("| ")]
    paths = [p for line in table for p in re.findall(r"`((?:privrep|experiments)/[^`]+)`", line)]
    assert len(paths) >= 35
    for path in paths:
        assert (ROOT / path).exists(), path


def test_the_results_of_readme_are_rows_of_the_record():
    def cells_of(record, task, columns):
        number = {name: k for k, name in enumerate(record.columns)}
        rows = [row for row in record.rows if row[0] == task]
        # Behind a score that is read from h is its change to lambda 0.
        return {row[1]: [row[number[column]].split(" ")[0] for column in columns] for row in rows}

    scores = cells_of(
        read(RECORDS / "ravdess.json"), "emotion", ["UAR", "own", "upper bound", "20"]
    )
    reads = cells_of(read(RECORDS / "ravdess_tasks.json"), "emotion", ["activation", "intensity"])
    (start,) = [m.end() for m in re.finditer(r"intensity read \|\n\|[-|]+\n", TEXT["README.md"])]
    shown = TEXT["README.md"][start:].partition("\n\n")[0].splitlines()
    assert len(shown) == 4
    for line in shown:
        recipe, *cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        assert cells == scores[recipe] + reads[recipe], line


@pytest.mark.parametrize(("name", "number"), EXAMPLES)
def test_an_example_runs_and_prints_what_is_shown(name, number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = blocks(name, "python")[number]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, f"{name}, example {number}", "exec"), {})
    after = TEXT[name].partition(example)[2].removeprefix("```\n\n")
    if after.startswith("```text\n"):
        shown = re.match(r"```text\n(.*?)```", after, re.DOTALL)[1]
        assert without_digits(printed.getvalue()) == without_digits(shown)
    else:
        assert "\nassert " in example


def without_digits(text):
    """Another machine rounds otherwise."""
    return re.sub(r"[0-9]+", "0", text)


def main_job(command, tmp_path, monkeypatch):
    """Runs a command of a document at a small size; its result directory."""
    monkeypatch.chdir(ROOT)  # for the flagfiles
    words = shlex.split(command)[3:]
    flags = dict(word.removeprefix("--").split("=", 1) for word in words)
    if "flagfile" in flags:
        lines = (ROOT / flags["flagfile"]).read_text(encoding="utf-8").splitlines()
        flags |= dict(line.removeprefix("--").split("=", 1) for line in lines if line[:2] == "--")
    dataset, workdir = flags.get("dataset", "demo"), tmp_path / "out"
    root = cache_of(workdir) / "corpora" / "demo" if dataset == "demo" else tmp_path / "corpus"
    FAKES[dataset](root)
    if dataset != "demo":
        words.append(f"--data_dir={root}")
    # As it stands in the document, but small, and the first value of what is swept.
    once = {"modality": "acoustic", "task": "activation", "recipe": "paper"}
    words += [f"--{n}={flags.get(n, value).split(',')[0]}" for n, value in once.items()]
    words += [f"--{n}={flags[n].split(',')[0]}" for n in ("defence", "release") if n in flags]
    fixed = ("--lambda=0,1", "--seed=0", "--folds=5", "--membership=off")
    run(workdir, *words, *SMALL, *fixed, f"--workdir={workdir}")
    return workdir


def test_the_first_command_of_readme_runs_to_its_table(tmp_path, monkeypatch, capsys):
    """And the opt-out, the export and the models that the folder's README names behind it."""
    (command,) = {line for name, line in MAIN if name == "README.md" and "data_dir" not in line}
    workdir = main_job(f"{command} --export=all", tmp_path, monkeypatch)
    printed = " ".join(capsys.readouterr().out.split())
    assert "can gender be read from what these networks" in printed
    assert (workdir / "summary.md").exists()
    assert "python -m experiments.opt_out out/demo" in TEXT["experiments/README.md"]
    opt_out.main(["opt_out", str(workdir)])
    assert "has opted out" in capsys.readouterr().out
    assert "python -m experiments.export_model out/demo" in TEXT["experiments/README.md"]
    export_model.main([str(workdir), f"--cache_dir={cache_of(workdir)}"])
    *folders, _ = capsys.readouterr().out.split("\n")
    assert len(folders) == 5 and privrep.load(folders[0]).needs == ("frames",)
    monkeypatch.chdir(tmp_path)
    wavs = sorted(map(str, (cache_of(workdir) / "corpora" / "demo" / "wav").glob("s01_*.wav")))
    given = {"MODEL": [folders[0]], "mine/*.wav": wavs, "new/*.wav": wavs}
    for prefix in ("privrep enrol ", "privrep encode ", "privrep export "):
        (command,) = {line for _, line in commands(prefix)}
        words = [w for word in shlex.split(command)[1:] for w in given.get(word, [word])]
        assert privrep_cli(words) == 0
    with np.load("h.npz") as made:
        assert made["id"].tolist() == [Path(wav).stem for wav in wavs]
    assert Path("model.onnx").is_file() and Path("model.person.npz").is_file()


@pytest.mark.long
def test_the_opt_out_leads_from_wav_files_to_what_is_read(tmp_path, monkeypatch, capsys):
    """What a device sends is the h that the last command reads, of both settings."""
    (block,) = (b for b in blocks("experiments/README.md", "bash") if "privrep enrol" in b)
    first, *exports, copy, enrol, encode, last = block.splitlines()
    (speaker,) = re.findall("--speaker=(.*)", last)
    workdir = main_job(first, tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    wavs = sorted((cache_of(workdir) / "corpora" / "demo" / "wav").glob(f"{speaker}_*.wav"))
    assert f"corpora/demo/wav/{speaker}_*.wav mine" in copy and len(wavs) == 3
    folds = (workdir / "folds.csv").read_text().splitlines()
    (fold,) = {line.split(",")[2] for line in folds if re.search(f"{speaker}.*test", line)}
    for line in exports:
        capsys.readouterr()
        export_model.main([str(workdir), line.split()[-1], f"--cache_dir={cache_of(workdir)}"])
        (model,) = (f for f in capsys.readouterr().out.split() if f.endswith(f"fold_{fold}"))
        assert (Path(model) / "README.md").is_file()
        given = {"MODEL": [model], "mine/*.wav": [*map(str, wavs)], "new/*.wav": [*map(str, wavs)]}
        for command in (enrol, encode):
            words = [w for word in shlex.split(command)[1:] for w in given.get(word, [word])]
            assert privrep_cli(words) == 0
        Path("me.npz").unlink()  # it is of this model
        exported = workdir / "representations" / "000" / f"fold_{fold}"
        name = Path(model).parent.name
        with np.load(exported / f"{name}.npz") as scored, np.load("h.npz") as sent:
            rows = [scored["id"].tolist().index(id_) for id_ in sent["id"].tolist()]
            assert len(rows) == 3
            np.testing.assert_allclose(sent["h"], scored["h"][rows], atol=1e-3)
    with flagsaver.flagsaver(speaker=speaker):
        opt_out.main(["opt_out", str(workdir)])
    output = capsys.readouterr().out
    assert output.count(f"{speaker} (gender: ") == 1 and "has opted out" in output
    assert re.search(r"^none +0 ", output, re.M) and re.search(r"^posterior +1 ", output, re.M)


@pytest.mark.long
@pytest.mark.parametrize("command", sorted({line for _, line in MAIN}))
def test_every_command_of_the_main_job_runs(command, tmp_path, monkeypatch, capsys):
    main_job(command, tmp_path, monkeypatch)
    printed = " ".join(capsys.readouterr().out.split())
    assert "can gender be read from what these networks" in printed


@pytest.mark.long
@pytest.mark.parametrize("flagfile", sorted((ROOT / "experiments/flagfiles").glob("*.flags")))
def test_every_flagfile_is_documented_and_runs(flagfile, tmp_path, monkeypatch):
    assert f"`{flagfile.name}`" in TEXT["experiments/flagfiles/README.md"]
    if flagfile.stem == "search":  # see tests/search
        return
    relative = flagfile.relative_to(ROOT).as_posix()
    main_job(f"python -m experiments.main --flagfile={relative}", tmp_path, monkeypatch)


def test_flags_that_the_documents_name_exist():
    """Those of clusters and accelerators too, which no test can run."""
    known = {*map(flag_name, FIELDS), *MORE, "flagfile", "output", "keep_first", "only", "quick"}
    known |= {"attribute", "fail-above", "other_labels", "other", "unprotected", "given", "limit"}
    known |= {"permutations", "speaker", "session", "device", "rounds", "pick"}
    known |= {"format", "audit", "final", "person", "track", "logdir", "head", "address"}
    known |= {"table", "commit"}
    named = ("experiments/README.md", "experiments/engines/README.md")
    for name in (*named, "privrep/unlearning/README.md", "README.md"):
        flags = re.findall(r"--([a-z_-]+)(?==|`|\b)", TEXT[name])
        assert flags and not {f for f in flags if f not in known and f != "no-deps"}, name
    set_flags("--coordinator=auto")
    set_flags("--coordinator=host:1234", "--processes=4", "--process=3")


def test_the_audit_command_runs_on_files(tmp_path, monkeypatch, capsys):
    (command,) = {line for _, line in commands("privrep audit ")}
    monkeypatch.chdir(tmp_path)
    audits.write(tmp_path, "linear", 24)
    np.savez("h.npz", h=np.load("h.npy"))
    assert privrep_cli(shlex.split(command)[1:]) == 1
    assert "leaks" in capsys.readouterr().out
    assert (tmp_path / "out/audit/audit.html").exists()
    assert (tmp_path / "out/audit/audit.json").exists()


def test_several_directories_make_one_report(tmp_path, monkeypatch):
    (command,) = re.findall(
        r"`(python -m experiments\.report out/[^`]+)`", TEXT["experiments/README.md"]
    )
    words = shlex.split(command)[3:]
    monkeypatch.chdir(tmp_path)
    for folder in (word for word in words if not word.startswith("--")):
        named = {"pack": 0, "recipe": "paper", "dataset": {"a": "demo", "b": "muse"}[folder[-1]]}
        Path(folder).mkdir(parents=True)
        append_rows(Path(folder, "runs.csv"), [row | named for row in ROWS])
    write_report.main(words)
    page = Path("out/report/report.html").read_text(encoding="utf-8")
    assert "demo (synthetic)" in page and "MuSE" in page
