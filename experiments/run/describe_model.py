"""The description of a trained network, as its model folder holds it."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config import build
from experiments.config.settings import FIELDS, Config, flag_name
from experiments.config.sweep import Pack, is_relative, row_settings
from experiments.results.columns import Row, is_score
from experiments.results.model_card import SCOPE
from experiments.run.load_data import Loaded
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.deploy.description import AcousticInput, Description, LexicalInput, TaskOutput
from privrep.files import sha256
from privrep.inputs.audio import FeatureSettings
from privrep.types import Ragged

_OF_MEASUREMENT = ("verdict", "chance", "strongest")


def describe(pack: Pack, config: Config, loaded: Loaded, row: Row) -> Description:
    """The description of the network of a row of runs.csv."""
    packed = loaded.packed
    net = build.architecture(pack, packed).net
    corpus, ratings, fold = packed.data.corpus, packed.ratings, row["fold"]
    task = TaskOutput(config.task, packed.task_names)
    if ratings is not None:
        mean, deviation = float(ratings.mean[fold]), float(ratings.deviation[fold])
        task = TaskOutput(config.task, (), mean, deviation)
    acoustic = lexical = None
    if corpus.frames is not None:
        names = [field.name for field in dataclasses.fields(FeatureSettings)]
        log_mel = FeatureSettings(**{name: getattr(config, name) for name in names})
        acoustic = AcousticInput(
            num_features=int(corpus.frames.values.shape[1]),
            normalise=config.normalise,
            log_mel=None if config.acoustic_features else log_mel,
        )
    if corpus.words is not None:
        lexical = _lexical(config, loaded)
    private = {a: packed.private_names[a] if a != SPEAKER else () for a in config.attributes}
    return Description(
        encoders={name: _settings_of(module) for name, module in net.encoders.items()},
        head_layers=config.head_layers,
        head_width=config.dense_width,
        precision=config.precision,
        release=config.release,
        relative=is_relative(config),
        running=config.state == "running",
        n0=config.n0,
        acoustic=acoustic,
        lexical=lexical,
        task=task,
        private=private,
        training=_training(config, row) | _longest(corpus.frames, acoustic),
        privacy={"scope": SCOPE, "figures": _figures(row)},
    )


def _settings_of(module: Any) -> dict[str, Any]:
    # The recurrence is a matter of the machine, not of the model.
    left_out = ("parent", "name", "recurrence")
    fields = [field.name for field in dataclasses.fields(module) if field.name not in left_out]
    return {name: getattr(module, name) for name in fields}


def _lexical(config: Config, loaded: Loaded) -> LexicalInput:
    words, vectors = loaded.packed.data.corpus.words, loaded.packed.data.corpus.word_vectors
    assert words is not None
    if config.lexical_features:
        return LexicalInput("ready", int(words.values.shape[1]))
    if vectors is not None:
        return LexicalInput("vectors", int(vectors.shape[1]), sha256(Path(config.word_vectors)))
    return LexicalInput("learned", config.word_size)


def inputs_of_model(config: Config, loaded: Loaded, fold: int) -> dict[str, np.ndarray]:
    """The arrays that the inputs need, see `model_folder.Model`."""
    transform, corpus = loaded.packed.data.folds.inputs, loaded.packed.data.corpus
    arrays: dict[str, np.ndarray] = {}
    if transform.frame_mean is not None and transform.frame_scale is not None:
        arrays["frame_mean"] = transform.frame_mean[fold]
        arrays["frame_scale"] = transform.frame_scale[fold]
    if transform.word_index is not None:
        # The network knows the words of its training part alone, by other numbers.
        index = transform.word_index[fold]
        known = np.flatnonzero(index > 0)
        names = {int(index[i]): loaded.vocabulary[i] for i in known}
        arrays["vocabulary"] = np.array(
            [loaded.vocabulary[0], *(names[i] for i in range(1, len(names) + 1))]
        )
    elif corpus.word_vectors is not None:
        arrays["vocabulary"] = np.array(loaded.vocabulary)
        arrays["word_vectors"] = corpus.word_vectors
    return arrays


def _training(config: Config, row: Row) -> dict[str, Any]:
    places = ("data_dir", "speakers", "word_vectors", "acoustic_features", "lexical_features")
    settings = {n: v for n, v in row_settings(config).items() if n not in places}
    if "/" in str(settings["folds"]):  # a table of folds goes by its name
        settings["folds"] = Path(settings["folds"]).name
    return {
        "recipe": config.recipe,
        "lambda": dict(config.lambda_),
        "seed": config.seed,
        "fold": row["fold"],
        "epoch": row["best_epoch"],
        "dataset": config.dataset,
        "settings": settings,
        "prepared_hash": str(row["prepared_hash"]),
        "data_hash": str(row["data_hash"]),
        "versions": {n.removeprefix("version_"): v for n, v in row.items() if n[:8] == "version_"},
    }


def _longest(frames: Ragged | None, acoustic: AcousticInput | None) -> dict[str, float]:
    """Seconds of the longest recording of the corpus, of which `privrep.load` takes note."""
    if frames is None or acoustic is None or acoustic.log_mel is None:
        return {}
    settings, last = acoustic.log_mel, int(np.max(frames.length)) - 1
    return {"longest_seconds": (last * settings.frame_shift_ms + settings.frame_length_ms) / 1000}


def _figures(row: Row) -> dict[str, Any]:
    """The scores and verdicts of a row, of which those of this fold alone begin with its parts."""
    settings = {*map(flag_name, FIELDS)}
    return {
        name: value
        for name, value in row.items()
        if name not in settings
        and value is not None
        and (is_score(name) or name.endswith(_OF_MEASUREMENT) or "_pooled_" in name)
        and not (isinstance(value, float) and not math.isfinite(value))
    }
