"""This project's contestants: training, attack, and the matrix products they are measured against.

python -m experiments.benchmark.contestants.ours NAME JSON   (by experiments.benchmark)
"""

import experiments.devices  # isort: skip  # before jax

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmark.rounds import serve
from experiments.benchmark.work import (
    CLASSES,
    FRAMES_PER_SECOND,
    PRIVATE_CLASSES,
    Network,
    draw_lengths,
)
from experiments.config import build, sweep
from experiments.config.lambdas import by_attribute
from experiments.config.recipes import RECIPES
from experiments.config.settings import Config
from privrep.attacks.trained.dense import ATTACKERS, Threat, attack
from privrep.inputs.packing import Packed, pack
from privrep.networks.encoders import AcousticEncoder
from privrep.networks.kernels.ragged_convolution import frames_computed
from privrep.networks.kernels.ragged_gru import steps_computed
from privrep.parallel.run_axis import over_runs, run_key
from privrep.training.fit import fit
from privrep.training.problem import DIVERGED
from privrep.types import Ragged, Split, Utterance, room
from privrep.unlearning.training_problem import network_problem

__all__ = ["experiments"]

VALIDATION = 4  # utterances: an epoch has to be scored on something
ENDLESS = 10**6  # epochs
Facts = dict[str, Any]


def train(
    network: dict,
    runs: int,
    batch: int,
    frames: int,
    steps: int,
    speakers: int = 0,
    hours: float = 0,
    adversary_steps: int = 0,
):
    """A round is one epoch of `steps` batches for `runs` networks, through `fit.fit`.

    Args:
      speakers: the adversary tells so many apart; 0: it guesses gender.
      hours: of corpus, all but the epoch's utterances in its test part.
      adversary_steps: the adversary is that of the recipe `strong`, with so many; 0: a linear one.
    """
    sizes = Network(**network)
    packed, length = make_corpus(sizes, batch * steps, frames, speakers, hours)
    strong = RECIPES["strong"] | {"adversary_steps": adversary_steps}
    adversary = strong if adversary_steps else {"defence": "grl", "adversary_layers": "0"}
    config = Config(
        **{name: value for name, value in network.items() if name != "bands"},
        **adversary,
        modality=sizes.modality,
        private="speaker" if speakers else "gender",
        batch_size=batch,
        max_epochs=ENDLESS,
        patience=ENDLESS,
    )
    lambda_ = by_attribute([0.5], config.attributes)
    seeds = [replace(config, seed=seed, lambda_=lambda_) for seed in range(runs)]
    architecture = build.architecture(sweep.Pack(config, tuple(seeds)), packed)
    table, _ = build.run_table(seeds, 1)
    stack = fit(network_problem, architecture, build.fit_settings(config), packed.data, table)

    def once() -> dict[str, float]:
        if (next(stack).status == DIVERGED).any():
            raise RuntimeError("a network diverged and stopped, so its speed says nothing")
        return _device_peak()

    facts = {"units": runs * steps, "useful_frames": float(length.mean())}
    return facts | rows_computed(architecture, length, batch) | _device(), once


def make_corpus(
    network: Network, count: int, frames: int, speakers: int = 0, hours: float = 0
) -> tuple[Packed, np.ndarray]:
    """Noise for `count` training utterances and a few more, and the lengths of the former."""
    rng = np.random.default_rng(0)
    mean = draw_lengths(frames, 10_000).mean()
    others = max(int(hours * 3600 * FRAMES_PER_SECOND / mean) - count, VALIDATION)
    length = draw_lengths(frames, count + others)
    start = np.cumsum(length) - length
    values = room((int(length.sum()), network.bands), np.float16)  # as prepared frames lie
    for first, n in zip(start, length):
        values[first : first + n] = rng.standard_normal((n, network.bands), np.float32)
    noise = Ragged(values, start.astype(np.int32), length)
    people = speakers or PRIVATE_CLASSES
    utterances = [
        Utterance(
            id=str(i),
            speaker=f"{i % people}",
            ratings={"activation": 1.0 + 2 * (i // PRIVATE_CLASSES % CLASSES)},
            scale=(1.0, 5.0),
            private={"gender": ("female", "male")[i % PRIVATE_CLASSES]},
        )
        for i in range(len(length))
    ]
    part = np.zeros((1, len(length)), np.int8)
    part[:, count:] = 1
    part[:, count + VALIDATION :] = 2
    acoustic = network.modality == "acoustic"
    packed = pack(
        utterances,
        noise if acoustic else None,
        None if acoustic else noise,
        None,
        Split(*(part == number for number in range(3))),
        task="activation",
        private=["speaker" if speakers else "gender"],
        normalise="none",
        block_size=VALIDATION,
    )
    return packed, length[:count]


def rows_computed(architecture, length: np.ndarray, batch: int) -> dict[str, float]:
    """What convolutions and GRU compute per useful row, for random batches of these lengths."""
    (encoder,) = architecture.net.encoders.values()
    rng = np.random.default_rng(0)
    batches = np.sort(np.stack([rng.choice(length, batch) for _ in range(1000)]))
    acoustic = isinstance(encoder, AcousticEncoder)
    rates = encoder.rates if acoustic else (1,)
    shorter = -(-batches // rates[-1])
    longest = architecture.longest[0 if acoustic else 1]
    if architecture.fill is None:
        convolved, turned = longest * batch, longest // rates[-1] * batch
    else:
        lanes = math.ceil(architecture.fill * batch)
        turned = np.mean(jax.vmap(partial(steps_computed, lanes))(shorter)) * lanes
        convolved = turned
        if acoustic:
            usual = architecture.fill * longest
            convolved = frames_computed(batches, rates, encoder.kernel_width, usual).mean()
    return {
        "conv_per_useful": float(convolved / (batch * batches.mean())),
        "gru_per_useful": float(turned / (batch * shorter.mean())),
    }


def attack_all(runs: int, rows: int, width: int):
    """A round trains all ATTACKERS on `runs` representations float32[rows, width]."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, PRIVATE_CLASSES, (runs, rows), np.int32)
    h = rng.standard_normal((runs, rows, width), np.float32)
    h[..., :4] += 0.5 * labels[..., None]
    part = np.broadcast_to(np.arange(rows) * 5 // rows, (runs, rows))
    threats = Threat(
        key=jnp.stack([run_key(0, run) for run in range(runs)]),
        h=jnp.asarray(h),
        labels=jnp.asarray(labels),
        weights=jnp.ones((runs, PRIVATE_CLASSES)),
        split=Split(*(jnp.asarray(where) for where in (part < 3, part == 3, part == 4))),
    )

    def once() -> dict[str, float]:
        scores = jax.block_until_ready(attack(tuple(ATTACKERS), threats, PRIVATE_CLASSES))
        return {"test_uar": float(scores["test"].mean())} | _device_peak()

    return {"units": runs * len(ATTACKERS)} | _device(), once


def products(size: int, repeats: int):
    """A round is square matrix products, on every device its own: the peak of the machine."""
    devices = jax.local_device_count()
    rng = np.random.default_rng(0)
    kernel = jnp.asarray(rng.standard_normal((size, size), np.float32) * size**-0.5)

    @jax.jit
    def multiply(kernel, rows):
        def one(kernel, x):
            return jax.lax.fori_loop(0, repeats, lambda _, x: x @ kernel, x)

        return over_runs(one, kernel, rows)

    rows = jnp.stack([kernel] * devices)

    def once() -> dict[str, float]:
        multiply(kernel, rows).block_until_ready()
        return {}

    return {"units": 2 * size**3 * repeats * devices / 1e9} | _device(), once


def profile(folder: str, **work):
    """A round is an epoch of `train`, its trace written to `folder`."""
    facts, epoch = train(**work)
    epoch()  # compiles

    def once() -> dict[str, float]:
        with jax.profiler.trace(folder, create_perfetto_trace=True):
            epoch()
        return {"files": len(list(Path(folder).rglob("perfetto_trace.json.gz")))}

    return facts, once


def ask_device():
    """No round; the facts say what jax computes on."""
    return _device() | {"units": 1, "platform": jax.default_backend()}, dict


def _device() -> Facts:
    return {"device": jax.devices()[0].device_kind, "devices": jax.local_device_count()}


def _device_peak() -> dict[str, float]:
    """Most memory of an accelerator's own; a CPU's is in the peak of the process."""
    stats = jax.local_devices()[0].memory_stats()
    return {"device_peak_mb": stats["peak_bytes_in_use"] / 1e6} if stats else {}


if __name__ == "__main__":
    serve(
        {
            "train": train,
            "attack": attack_all,
            "products": products,
            "profile": profile,
            "device": ask_device,
        }
    )
