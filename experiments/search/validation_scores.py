"""What a search knows of a trained pack: scores on validation speakers, none on test speakers."""

from collections.abc import Collection
from typing import Any

import numpy as np

from experiments.config import sweep
from experiments.config.settings import Config
from experiments.run.load_data import Loaded
from experiments.run.run_pack import chance_of, rounded
from experiments.run.train_pack import Trained
from privrep.attacks.fixed_split import attack_classically
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.inputs.labels import private_labels
from privrep.parallel.run_axis import take
from privrep.training.problem import DIVERGED
from privrep.types import Split
from privrep.unlearning.released_h import represent

# The attackers of the verdicts: fitted in closed form, tuned on training speakers alone, so that
# the validation part chooses nothing of them.
ATTACKERS = ("lda", "kernel")


def without_test_labels(loaded: Loaded) -> Loaded:
    """The same data, the labels of every fold's test part unknown (-1): what is not there cannot be
    scored, whatever the program."""
    packed = loaded.packed
    folds = packed.data.folds
    test = np.asarray(folds.split.test)
    folds = folds._replace(
        task=_hidden(folds.task, test),
        private={a: _hidden(codes, test) for a, codes in folds.private.items()},
    )
    return loaded._replace(packed=packed._replace(data=packed.data._replace(folds=folds)))


def _hidden(codes: np.ndarray, test: np.ndarray) -> np.ndarray:
    return np.where(test, -1, codes).astype(codes.dtype)


def validated(
    trained: Trained, loaded: Loaded, configs: Collection[Config]
) -> list[tuple[Config, dict[str, Any]]]:
    """A row for each of the pack's runs `configs` on every fold: settings, and val_* scores.

    Emotion as it is recognised from the released h of the best epoch so far; fresh attackers that
    learn from training speakers and are tried on validation speakers. A speaker attacker would have
    to know them: of "speaker" there is no score, and the choice does not look at it.

    Args:
      loaded: `without_test_labels`.
    """
    rows = [i for i, (config, _) in enumerate(trained.described) if config in configs]
    stack, learner = take(trained.runs, np.array(rows)), trained.of[rows]
    h, found, _ = represent(
        trained.architecture, trained.data, stack, take(trained.fits.best, learner)
    )
    net, folds = trained.architecture.net, loaded.packed.data.folds
    scores = {n: found[n] for n in found if n.startswith("val_") or n in ("h_rank", "collapsed")}
    speakers, _ = private_labels(loaded.utterances, SPEAKER)
    fold = np.asarray(stack.fold)
    split = Split(*(part[fold] for part in folds.split))
    for a, size in net.private.items():
        if a == SPEAKER:
            continue
        labels = folds.private[a][fold]
        uars = attack_classically(ATTACKERS, h, labels, split, speakers, size)["val"]
        scores |= {f"val_{a}_{name}_uar": of for name, of in zip(ATTACKERS, uars)}
        # The strongest counts; NaN of all where h is not finite.
        scores[f"val_{a}_attacker_uar"] = np.fmax.reduce(uars)
    scores |= {
        "network": learner,
        "epochs": trained.fits.epoch[learner],
        "best_epoch": trained.fits.best_epoch[learner],
        "diverged": trained.fits.status[learner] == DIVERGED,
    }
    chances = {"emotion_chance": 1 / net.num_classes}
    chances |= {f"{a}_chance": chance_of(a, size) for a, size in net.private.items()}
    columns = {name: np.asarray(scores[name]).tolist() for name in sorted(scores)}
    told = []
    for i, row in enumerate(rows):
        config, own = trained.described[row]
        values = {name: rounded(column[i]) for name, column in columns.items()}
        told.append((config, sweep.row_settings(config) | {"fold": own} | values | chances))
    return told
