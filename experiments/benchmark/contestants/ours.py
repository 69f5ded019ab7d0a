"""The contestants of privrep: training, attacks, and a trace of training."""

import experiments.devices  # isort: skip  # before jax

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmark.rounds import Started
from experiments.benchmark.work import CLASSES, PRIVATE_CLASSES, Training, draw_lengths
from experiments.config import build, sweep
from experiments.config.lambdas import by_attribute
from experiments.config.recipes import RECIPES
from experiments.config.settings import Config
from privrep.attacks.trained.dense import ATTACKERS, AttackData, attack
from privrep.inputs.labels import CONTINUOUS
from privrep.inputs.packing import Packed, PackingSettings, pack
from privrep.parallel.memory import peak_bytes
from privrep.parallel.run_axis import Run, run_key
from privrep.training.fit import _epoch_one, fit, start_all
from privrep.training.problem import DIVERGED, FitSettings
from privrep.training.streaming import place
from privrep.types import Corpus, Ragged, Split, Utterance, room
from privrep.unlearning.training_problem import network_problem

__all__ = ["experiments"]

VALIDATION = 4  # utterances: an epoch has to be scored on something
ENDLESS = 10**6  # epochs


def train(work: Training, with_estimate: bool = False) -> Started:
    """A round is one epoch of `work`, through `fit.fit`; it returns the loss of each network.

    Args:
      with_estimate: the memory that `fit` estimates is among the facts, in MB.
    """
    network = work.network
    packed = make_corpus(work)
    settings: dict[str, Any] = {"defence": "grl", "adversary_layers": "0"}
    if work.adversary_steps:
        settings = dict(RECIPES["strong"]) | {"adversary_steps": work.adversary_steps}
    if work.recipe:
        settings = dict(RECIPES[work.recipe])
    settings |= {name: value for name, value in vars(network).items() if name != "bands"}
    settings |= {"modality": network.modality, "private": "gender", "batch_size": work.batch}
    # A model-step is what the peers take; the attacker of the default choice is no part of it.
    settings |= {"max_epochs": ENDLESS, "patience": ENDLESS, "selection_leak": "adversary"}
    settings |= {"bins": _bins(work)}
    settings |= {"precision": work.precision, "recurrence": work.recurrence}
    settings["lambda_"] = by_attribute([0.5], ["gender"])
    configs = [Config(**settings, seed=seed) for seed in range(work.runs)]
    architecture = build.architecture(sweep.Pack(configs[0], tuple(configs)), packed)
    table, _ = build.run_table(configs, 1)
    fit_settings = build.fit_settings(configs[0])
    data = packed.data
    if work.is_streamed:
        assert data.corpus.frames is not None
        data = place(data, data.corpus.frames.values.nbytes // 3)
    stack = fit(network_problem, architecture, fit_settings, data, table)

    def run_round() -> dict[str, Any]:
        stage = next(stack)
        if (stage.status == DIVERGED).any():
            raise RuntimeError("a network diverged and stopped, so its speed means nothing")
        losses = stage.history["train_emotion_loss"]
        return _device_peak() | {"emotion_loss": losses.tolist()}

    facts = _device()
    if with_estimate:
        facts["estimated_mb"] = work.runs * _bytes_of_run(architecture, fit_settings, data, table)
    return Started(work.runs * work.steps, run_round, facts)


def _bytes_of_run(architecture: Any, settings: FitSettings, data: Any, runs: Run) -> float:
    """The memory of one run as `fit` estimates it, in MB."""
    program = partial(_epoch_one, network_problem, architecture, settings)
    fits = jax.eval_shape(partial(start_all, network_problem, architecture, settings), data, runs)
    rows = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), (runs, fits))
    return peak_bytes(program, data, rows) / 1e6


def make_corpus(work: Training) -> Packed:
    """Noise of the lengths of `work` as training utterances, and a few to validate and test on."""
    count, network = work.batch * work.steps, work.network
    length = draw_lengths(work.frames, count + 2 * VALIDATION)
    start = np.cumsum(length) - length
    values = room((int(length.sum()), network.bands), np.float16)  # as prepared frames lie
    values[:] = np.random.default_rng(0).standard_normal(values.shape, np.float32)
    noise = Ragged(values, start.astype(np.int32), length)
    utterances = [
        Utterance(
            id=str(i),
            speaker=f"{i % PRIVATE_CLASSES}",
            ratings={"activation": 1.0 + 2 * (i % CLASSES)},
            scale=(1.0, 5.0),
            private={"gender": ("female", "male")[i % PRIVATE_CLASSES]},
        )
        for i in range(len(length))
    ]
    index = np.arange(len(length))[None]
    acoustic = network.modality == "acoustic"
    return pack(
        utterances,
        Corpus(noise if acoustic else None, None if acoustic else noise, None),
        Split(
            train=index < count,
            val=(index >= count) & (index < count + VALIDATION),
            test=index >= count + VALIDATION,
        ),
        PackingSettings(
            task="activation",
            private=["gender"],
            bins=_bins(work),
            normalise="none",
            block_size=VALIDATION,
        ),
    )


def _bins(work: Training) -> str:
    return CONTINUOUS if work.regression else "midpoint"


def attack_all(runs: int, rows: int, width: int) -> Started:
    """A round trains all ATTACKERS on `runs` representations float32[rows, width]."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, PRIVATE_CLASSES, (runs, rows), np.int32)
    h = rng.standard_normal((runs, rows, width), np.float32)
    h[..., :4] += 0.5 * labels[..., None]
    part = np.broadcast_to(np.arange(rows) * 5 // rows, (runs, rows))
    attack_data = AttackData(
        key=jnp.stack([run_key(0, run) for run in range(runs)]),
        h=jnp.asarray(h),
        labels=jnp.asarray(labels),
        weights=jnp.ones((runs, PRIVATE_CLASSES)),
        split=Split(*(jnp.asarray(where) for where in (part < 3, part == 3, part == 4))),
    )

    def run_round() -> dict[str, float]:
        scores = jax.block_until_ready(attack(tuple(ATTACKERS), attack_data, PRIVATE_CLASSES))
        return {"test_uar": float(scores["test"].mean())} | _device_peak()

    return Started(runs * len(ATTACKERS), run_round, _device())


def profile(folder: str, work: Training) -> Started:
    """A round is an epoch of `train`, its trace written to `folder`."""
    started = train(work)
    started.run_round()  # compiles

    def run_round() -> dict[str, float]:
        with jax.profiler.trace(folder, create_perfetto_trace=True):
            started.run_round()
        return {"files": len(list(Path(folder).rglob("perfetto_trace.json.gz")))}

    return started._replace(run_round=run_round)


def ask_device() -> Started:
    """A round does nothing; the facts name the device that jax computes on."""
    return Started(1, dict, _device() | {"platform": jax.default_backend()})


def _device() -> dict[str, Any]:
    return {"device": jax.devices()[0].device_kind, "devices": jax.local_device_count()}


def _device_peak() -> dict[str, float]:
    """Peak memory of an accelerator; a CPU's is in the peak of the process."""
    stats = jax.local_devices()[0].memory_stats()
    return {"device_peak_mb": stats["peak_bytes_in_use"] / 1e6} if stats else {}
