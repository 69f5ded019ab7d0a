"""The notebooks run from the first cell to the last, and are kept without what they print."""

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from privrep.leakage.worlds import WORLDS
from tests.support.paths import ROOT

FOLDER = ROOT / "experiments" / "notebooks"
NAMES = ("audit_in_five_minutes", "reading_a_card")


def read(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def executed(name, folder):
    """The notebook with its outputs, run in `folder`; and all that it printed or showed."""
    notebook = read(name)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}).execute()
    shown = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            shown.append(output.get("text", ""))
            shown += output.get("data", {}).values()
    return notebook, "\n".join(map(str, shown))


def test_the_table_of_the_folder_names_every_notebook():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"({name}.ipynb)" in text for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_kept_without_outputs(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert {*notebook.metadata} == {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert not cell.metadata and cell.source.strip()
        assert cell.cell_type == "markdown" or (cell.execution_count, cell.outputs) == (None, [])


@pytest.mark.long
def test_an_audit_in_five_minutes(tmp_path):
    _, shown = executed("audit_in_five_minutes", tmp_path)
    assert "('leaks', " in shown and "It leaks" in shown and "<svg" in shown
    assert "Less revealing" in shown and "What could an audit of gender show?" in shown
    assert "failed, exit status 1: gender leaks." in shown and "\n False,\n False)" in shown
    assert (tmp_path / "audit.html").read_text("utf-8").startswith("<!doctype html>")
    assert not (tmp_path / "own_audit").exists()


@pytest.mark.long
def test_the_last_cell_audits_the_data_of_the_user(tmp_path):
    world = WORLDS["linear"].draw(seed=1, num_speakers=24, utterances=4, size=8)
    np.save(tmp_path / "h.npy", world.h)
    rows = [f"s{s},{'fm'[g]},{e}" for s, g, e in zip(world.speaker, world.gender, world.emotion)]
    text = "\n".join(["speaker,gender,emotion", *rows])
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    notebook = read("audit_in_five_minutes")
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [codes[0], codes[-1]]  # imports, and the user's files
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    assert (tmp_path / "own_audit" / "audit.html").exists()


@pytest.mark.long
def test_reading_a_card(tmp_path):
    _, shown = executed("reading_a_card", tmp_path)
    verdicts = "{'leaking': 'leaks', 'clean': 'no_leak_shown', 'too small': 'cannot_tell'}"
    assert verdicts in shown
    assert "{'leaking': (False, 1), 'clean': (True, 0), 'too small': (False, 3)}" in shown
    cards = ["card_clean.html", "card_leaking.html", "card_too_small.html"]
    assert sorted(path.name for path in tmp_path.glob("*.html")) == cards
