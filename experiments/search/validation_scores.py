"""Scores of a trained pack on validation speakers, the only ones that a search knows."""

from collections.abc import Collection
from typing import Any

import numpy as np

from experiments.config import sweep
from experiments.config.settings import Config
from experiments.results.columns import Row, attacker_uar, chance
from experiments.run.health import lagging
from experiments.run.load_data import Loaded
from experiments.run.run_pack import chance_of, emotion_chance, rounded
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
    """The same data, the labels of every fold's test part unknown (-1, or NaN of a rating).

    Labels that are not there cannot be scored, whatever the program.
    """
    packed = loaded.packed
    folds = packed.data.folds
    test = np.asarray(folds.split.test)
    folds = folds._replace(
        task=_hidden(folds.task, test),
        private={a: _hidden(codes, test) for a, codes in folds.private.items()},
    )
    if packed.ratings is not None:
        target = np.where(test, np.nan, np.asarray(folds.target)).astype(np.float32)
        folds = folds._replace(target=target)
        unknown = np.full_like(packed.ratings.values, np.nan)
        packed = packed._replace(ratings=packed.ratings._replace(values=unknown))
    return loaded._replace(packed=packed._replace(data=packed.data._replace(folds=folds)))


def _hidden(codes: np.ndarray, test: np.ndarray) -> np.ndarray:
    return np.where(test, -1, codes).astype(codes.dtype)


def validated(
    trained: Trained, loaded: Loaded, configs: Collection[Config]
) -> list[tuple[Config, Row]]:
    """A row for each of the pack's runs `configs` on every fold: settings, and val_* scores.

    Emotion as it is recognised from the released h of the best epoch; freshly trained attackers
    that learn from training speakers and are tested on validation speakers. A speaker attacker
    would have to know these: of "speaker" there is no score, and the choice does not look at it.

    Args:
      loaded: `without_test_labels`.
    """
    rows = [i for i, (config, _) in enumerate(trained.described) if config in configs]
    stack, learner = take(trained.runs, np.array(rows)), trained.learner_of[rows]
    h, columns, _ = represent(
        trained.architecture, trained.data, stack, take(trained.fits.best, learner)
    )
    net, folds = trained.architecture.net, loaded.scored.packed.data.folds
    scores: dict[str, Any] = {
        name: values
        for name, values in columns.items()
        if name.startswith("val_") or name in ("h_rank", "collapsed")
    }
    in_training = {name: of for name, of in columns.items() if name.startswith("train_")}
    speakers, _ = private_labels(loaded.utterances, SPEAKER)
    fold = np.asarray(stack.fold)
    split = Split(*(part[fold] for part in folds.split))
    for a, size in net.private.items():
        if a == SPEAKER:
            continue
        labels = folds.private[a][fold]
        uars = attack_classically(ATTACKERS, h, labels, split, speakers, size)["val"]
        scores |= {attacker_uar("val", a, name): uar for name, uar in zip(ATTACKERS, uars)}
        # The strongest counts; NaN of all where h is not finite.
        scores[attacker_uar("val", a)] = np.fmax.reduce(uars)
    scores |= {
        "network": learner,
        "epochs": trained.fits.epoch[learner],
        "best_epoch": trained.fits.best_epoch[learner],
        "diverged": trained.fits.status[learner] == DIVERGED,
    }
    chances = {chance("emotion"): emotion_chance(net.num_classes)}
    chances |= {chance(a): chance_of(a, size) for a, size in net.private.items()}
    cells = {name: np.asarray(scores[name]).tolist() for name in sorted(scores)}
    validated_rows = []
    for i, run in enumerate(rows):
        config, fold_of_run = trained.described[run]
        settings = sweep.row_settings(config) | dict(loaded.places) | {"fold": fold_of_run}
        values = {name: rounded(column[i]) for name, column in cells.items()}
        of_run = {name: column[i] for name, column in in_training.items()}
        values["lagging"] = lagging(settings, of_run, net.private)
        validated_rows.append((config, settings | values | chances))
    return validated_rows
