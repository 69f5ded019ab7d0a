"""Searches on a corpus of 60 utterances: of each, how the chosen are attacked is left out.

12 settings of 8 networks a fold: 2 architectures x 2 rates x (ordinary, posterior, reversal).
"""

import jax
import numpy as np

from experiments import main
from experiments.run import run_pack
from privrep.unlearning.kept_space import KeptSpace
from privrep.unlearning.releases import Learned
from tests.support.experiment_runs import run

SWEEP = {"kernel_width": "2,3", "learning_rate": "0.001,0.01", "max_epochs": "3"}
GRID = ("--search=grid",)
FILES = ("search.csv", "chosen.csv", "search.json", "runs.csv", "flags.txt", "split_findings.csv")


def search_in(folder, name, *more):
    """The result directory of a sweep of SWEEP, on folder/corpus."""
    flags = [f"--{name}={text}" for name, text in SWEEP.items()]
    run(folder / name, "--dataset=msp_improv", f"--data_dir={folder / 'corpus'}", *flags, *more)
    return folder / name


def same(first, second):
    """Asserts that two result directories hold the same bytes."""
    for name in FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def unattacked(setattr_):
    """From now on runs.csv says which parameters would be attacked, and no report is written."""
    setattr_(run_pack, "_measured", _summed)
    setattr_(main, "finish", lambda *arguments: None)


def _summed(config, trained, loaded, *others):
    """A row per run with a sum over its chosen parameters, and one over those it began with.

    They stand for its scores on test and validation speakers.
    """
    sums = []
    for params in (trained.fits.best, trained.untrained):
        leaves = jax.tree.leaves(params)
        sums.append(sum(np.abs(a).sum(tuple(range(1, a.ndim)), dtype=float) for a in leaves))
    assert (loaded.packed.data.folds.task >= 0).all()
    rows = [
        row
        | {"control": None, "test_emotion_uar": float(sums[0][i])}
        | {"val_emotion_uar": float(sums[1][i])}
        for i, row in enumerate(trained.settings)
    ]
    none = np.zeros((len(rows), 1), np.float32)
    space = KeptSpace(none, none[:, None], none, none[:, None], none)
    return rows, Learned(none[:, 0] > 0, space, none)
