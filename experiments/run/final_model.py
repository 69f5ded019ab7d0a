"""The network to be used: trained on all speakers, for as long as the folds' networks were.

Nothing is left to choose by or to be measured on: how many steps it takes is the median of the
steps that the networks of the folds were chosen at, and what is known of its privacy is what they
were measured to reveal.
"""

import dataclasses
import hashlib
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.config import build
from experiments.config.sweep import Pack, row_settings
from experiments.results.columns import Row
from experiments.results.model_card import SCOPE_OF_FINAL, Terms
from experiments.run.describe_model import describe, inputs_of_model
from experiments.run.export_models import PickedSetting, TrainedNetwork, is_finite, write_network
from experiments.run.load_data import Loaded, load
from experiments.run.train_pack import Observer, train
from privrep.deploy.description import Description
from privrep.parallel.run_axis import collect, take
from privrep.training.problem import FitSettings, length, steps_per_epoch
from privrep.training.streaming import place
from privrep.unlearning.released_h import represent

_OF_A_FOLD = ("train_", "val_", "test_")  # columns of runs.csv
FOLDER = "final"  # in that of the setting


class Steps(NamedTuple):
    """How long the networks of the folds were trained, medians over folds and seeds.

    Attributes:
      chosen: steps until the epoch that was chosen.
      most: steps of the longest run that could have been, over which schedules go.
      networks: how many the medians are of.
    """

    chosen: int
    most: int
    networks: int


def export_final(setting: PickedSetting, terms: Terms) -> Path:
    """Trains one network on all speakers and writes its model folder, which it returns.

    Interrupted, the same call goes on from the last save.

    Raises:
      ValueError: the networks of all folds, or this one, diverged.
    """
    config, picked = setting.config, setting.picked
    pack = Pack(config, (config,))
    loaded = load(config, setting.prepared, everyone=True)
    of_fold = build.fit_settings(config)
    steps = steps_of(picked.of_seeds, of_fold)
    per_epoch = int(steps_per_epoch(int(loaded.split.train.sum()), of_fold.batch_size))
    settings = settings_of(of_fold, steps, per_epoch)
    progress = setting.workdir / "checkpoints" / FOLDER / _digest(setting, settings)
    network = train_final(pack, loaded, settings, progress)
    if not is_finite(network.params):
        raise ValueError(
            f"the network of all speakers diverged with {setting.repeat}: pick another setting"
        )
    taken = settings.max_epochs * per_epoch
    note = (
        f"trained on all speakers for {taken:,} steps: the median of the steps at which "
        f"{steps.networks} networks (folds and seeds) were chosen, {steps.chosen:,}, up to whole "
        "epochs"
    )
    described = _of_all(
        describe(pack, config, loaded, picked.rows[0] | {"fold": 0}),
        {"fold": None, "epoch": settings.max_epochs, "steps": taken},
    )
    folder = setting.folder / FOLDER
    with_note = setting._replace(picked=picked._replace(notes=[*picked.notes, note]))
    write_network(folder, with_note, described, picked.rows[0], network, terms)
    shutil.rmtree(progress)  # what it has led to is in the folder
    return folder


def steps_of(rows: Sequence[Row], settings: FitSettings) -> Steps:
    """How long the networks of these rows of runs.csv were trained.

    Raises:
      ValueError: all diverged.
    """
    rows = [row for row in rows if not row["diverged"] and row["best_epoch"]]
    if not rows:
        raise ValueError("the networks of all folds diverged: there is no number of steps to take")
    most = []
    for row in rows:
        per_epoch = round(row["chosen_step"] / row["best_epoch"])
        most.append(int(length(settings, per_epoch * settings.batch_size).last) * per_epoch)
    chosen = [row["chosen_step"] for row in rows]
    return Steps(math.ceil(np.median(chosen)), math.ceil(np.median(most)), len(rows))


def settings_of(settings: FitSettings, steps: Steps, per_epoch: int) -> FitSettings:
    """How the final network is fitted: to a fixed epoch, with schedules as in the folds.

    Args:
      settings: of the folds.
      per_epoch: steps of an epoch on all speakers.
    """
    epochs = max(math.ceil(steps.chosen / per_epoch), 1)
    return settings._replace(
        max_epochs=epochs,
        min_epochs=epochs,  # the patience counts from here: no score ends it before
        max_steps=0,
        min_steps=0,
        schedule_steps=steps.most,
    )


def train_final(pack: Pack, loaded: Loaded, settings: FitSettings, folder: Path) -> TrainedNetwork:
    """Trains the pack's only run on the only fold, and lets its release learn from all of it.

    Args:
      folder: where progress is kept, and resumed from.
    """
    architecture = build.architecture(pack, loaded.packed)
    runs, _ = build.run_table(pack.runs, 1)
    data = place(loaded.packed.data)
    fits, _, _ = train(architecture, settings, data, runs, folder, Observer("all speakers"))
    # After the last step: `best` was chosen by speakers who are training speakers here.
    _, _, learned = represent(architecture, data, runs, fits.params)
    params = take(collect(fits.params), 0)
    return TrainedNetwork(params, take(learned, 0), inputs_of_model(pack.config, loaded, 0))


def _of_all(description: Description, facts: Mapping[str, Any]) -> Description:
    """The description of a network of all speakers: no figure is of a part of them."""
    figures = description.privacy["figures"]
    kept = {n: v for n, v in figures.items() if not n.startswith(_OF_A_FOLD)}
    return dataclasses.replace(
        description,
        training={**description.training, **facts},
        privacy={"scope": SCOPE_OF_FINAL, "figures": kept},
    )


def _digest(setting: PickedSetting, settings: FitSettings) -> str:
    """A name for what the progress depends on, so that none is resumed with other settings."""
    facts = [row_settings(setting.config), setting.prepared.hash, settings]
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:16]
