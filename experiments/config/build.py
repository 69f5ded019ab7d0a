"""Arrays and static values of a pack, which its program takes, made from its settings."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.core import FrozenDict

from experiments.config.settings import Config
from experiments.config.sweep import Pack, is_relative, resists
from privrep.inputs.packing import Packed
from privrep.networks.emotion_net import EmotionNet
from privrep.networks.encoders import LOOP, MODALITIES, AcousticEncoder, LexicalEncoder
from privrep.networks.frame_masks import MaskSettings
from privrep.parallel.run_axis import Run, run_key
from privrep.training.problem import FitSettings
from privrep.unlearning.objective import Architecture
from privrep.unlearning.person_release import PERSON_RELEASES
from privrep.unlearning.releases import NAMES


def _defences(configs: Sequence[Config]) -> tuple[str, ...]:
    """The defences that the program of these runs has."""
    return tuple(sorted({c.defence for c in configs if resists(c)})) or ("none",)


def architecture(pack: Pack, packed: Packed) -> Architecture:
    """The network of a pack, for data of these sizes."""
    config = pack.config
    shared = {
        name: getattr(config, name)
        for name in (
            "gru_layers",
            "gru_width",
            "dense_layers",
            "dense_width",
            "pooling",
            "activation",
            "dropout",
        )
    }
    shared["recurrence"] = config.recurrence if jax.default_backend() == "gpu" else LOOP
    encoders = {
        "acoustic": AcousticEncoder(
            conv_layers=config.conv_layers,
            kernel_width=config.kernel_width,
            num_kernels=config.num_kernels,
            conv_pool=config.conv_pool,
            **shared,
        ),
        "lexical": LexicalEncoder(
            table_size=packed.table_size, word_size=config.word_size, **shared
        ),
    }
    net = EmotionNet(
        encoders=FrozenDict({name: encoders[name] for name in MODALITIES[config.modality]}),
        num_classes=packed.num_outputs,
        private=FrozenDict(packed.num_private),
        head_layers=config.head_layers,
        head_width=config.dense_width,
        head_dropout=config.dropout,
        placement=_placement(config),
        adversary_layers=tuple(map(int, config.adversary_layers.split("+"))),
        adversary_width=config.adversary_width,
        num_adversaries=config.adversaries,
        adversary_input=config.adversary_input,
        adversary_given=config.adversary_given,
        further=FrozenDict(packed.num_further),
    )
    return Architecture(
        net=net,
        defences=_defences(pack.runs),
        schedule=config.lambda_schedule,
        selection=config.selection,
        leak=config.selection_leak,
        precision=config.precision,
        longest=packed.longest,
        fill=packed.fill if jax.default_backend() == "cpu" else None,
        adversary_steps=config.adversary_steps,
        memory=config.memory,
        matched=config.matched,
        relative=any(is_relative(c) for c in pack.runs),
        num_speakers=_num_speakers(pack.runs, packed),
        n0=config.n0,
        running=config.state == "running",
        adversary_restart=config.adversary_restart,
        regression_loss=config.regression_loss,
        masks=MaskSettings(
            config.time_masks, config.time_mask_frames, config.band_masks, config.band_mask_bands
        ),
    )


def _num_speakers(runs: Sequence[Config], packed: Packed) -> int:
    """The speakers of whom states are kept; 0 where no run has a release with a state."""
    has_state = any(c.release in PERSON_RELEASES for c in runs)
    return int(packed.data.speaker.max()) + 1 if has_state else 0


def _in_objective(config: Config) -> dict[str, float]:
    """{attribute: lambda in the objective}."""
    weight = config.defence_weight * resists(config)
    return {attribute: strength * weight for attribute, strength in config.lambda_.items()}


def _placement(config: Config) -> str | FrozenDict[str, str]:
    places = config.placement.split("+")
    return places[0] if len(places) == 1 else FrozenDict(zip(config.attributes, places))


def fit_settings(config: Config) -> FitSettings:
    """How the networks of a pack are fitted."""
    return FitSettings(
        batch_size=config.batch_size,
        max_epochs=config.max_epochs,
        patience=config.patience,
        min_epochs=config.min_epochs,
        max_steps=config.max_steps,
        min_steps=config.min_steps,
        clip_norm=config.clip_norm,
        optimiser=config.optimiser,
    )


def trained_alike(runs: Run) -> tuple[np.ndarray, np.ndarray]:
    """The networks of runs, which share one where they differ only in what follows training.

    Returns:
      int[U], the first row of every network; int[R], of each row the number of its network.
    """
    trained = runs._asdict() | {"key": jax.random.key_data(runs.key)}
    del trained["release"], trained["release_lambda"]
    columns = [np.asarray(a).reshape(len(runs.fold), -1) for a in jax.tree.leaves(trained)]
    numbers: dict[tuple, int] = {}
    rows = [tuple(row) for row in np.concatenate(columns, 1, dtype=np.float64).tolist()]
    network_of = np.array([numbers.setdefault(row, len(numbers)) for row in rows])
    return np.unique(network_of, return_index=True)[1], network_of


def run_table(runs: Sequence[Config], num_folds: int) -> tuple[Run, list[tuple[Config, int]]]:
    """The rows of a pack, every run on every fold.

    Returns:
      Arrays [R, ...], and the run and the fold of each row.
    """
    rows = [(config, fold) for config in runs for fold in range(num_folds)]
    defences = _defences(runs)
    single = [
        Run(
            key=run_key(config.seed, fold),
            fold=np.int32(fold),
            defence=np.int32(defences.index(config.defence) if resists(config) else 0),
            lambda_={a: np.float32(s) for a, s in _in_objective(config).items()},
            release=np.int32(NAMES.index(config.release)),
            release_lambda={a: np.float32(s) for a, s in config.lambda_.items()},
            learning_rate=np.float32(config.learning_rate),
            adversary_learning_rate=np.float32(config.adversary_learning_rate),
            weight_decay=np.float32(config.weight_decay),
            relative=np.bool_(is_relative(config)),
        )
        for config, fold in rows
    ]
    return jax.tree.map(_stacked, *single), rows


def _stacked(*column: Any) -> Any:
    """Keys as an array of jax; numbers as one of numpy, whose rows are taken without compiling."""
    return (jnp if isinstance(column[0], jax.Array) else np).stack(column)
