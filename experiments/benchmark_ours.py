"""This project's contestants: training, attack, and the matrix products they are measured against.

python -m experiments.benchmark_ours NAME JSON      (started by experiments.benchmark)
"""

import experiments.devices  # isort: skip  # before jax

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import sweep
from experiments.benchmark_rounds import serve
from experiments.benchmark_work import CLASSES, PRIVATE_CLASSES, Network, draw_lengths
from experiments.config import Config
from privrep.attackers import ATTACKERS, Threat, attack
from privrep.networks import network_problem
from privrep.packing import Packed, pack
from privrep.ragged_layers import frames_computed
from privrep.runs import over_runs, run_key
from privrep.training import DIVERGED, fit
from privrep.utterances import Split, Utterance, ragged

__all__ = ["experiments"]

VALIDATION = 4  # utterances: an epoch has to be scored on something
ENDLESS = 10**6  # epochs
Facts = dict[str, Any]


def train(network: dict, runs: int, batch: int, frames: int, steps: int):
    """A round is one epoch of `steps` batches for `runs` networks, through `training.fit`."""
    packed, length = _corpus(Network(**network), batch * steps, frames)
    config = Config(
        **{name: value for name, value in network.items() if name != "bands"},
        adversary_layers=0,
        batch_size=batch,
        max_epochs=ENDLESS,
        patience=ENDLESS,
    )
    architecture = sweep.architecture(config, packed)
    table, _ = sweep.run_table(
        [Config(**vars(config) | {"seed": seed, "lambda_": "0.5"}) for seed in range(runs)], 1
    )
    stack = fit(network_problem, architecture, sweep.fit_settings(config), packed.data, table)

    def once() -> dict[str, float]:
        fits, _ = jax.block_until_ready(next(stack))
        if (fits.status == DIVERGED).any():
            raise RuntimeError("a network diverged and stopped, so its speed says nothing")
        return {}

    computed = _computed_frames(architecture, length, batch)
    facts = {"units": runs * steps, "computed_per_useful": computed / length.mean()}
    return facts | {"useful_frames": float(length.mean())} | _device(), once


def _corpus(network: Network, count: int, frames: int) -> tuple[Packed, np.ndarray]:
    """Noise for `count` training utterances and a few more, and the lengths of the former."""
    rng = np.random.default_rng(0)
    length = draw_lengths(frames, count + VALIDATION)
    noise = ragged([rng.standard_normal((n, network.bands)).astype(np.float16) for n in length])
    utterances = [
        Utterance(
            id=str(i),
            speaker=f"{i % PRIVATE_CLASSES}",
            ratings={"activation": 1.0 + 2 * (i // PRIVATE_CLASSES % CLASSES)},
            scale=(1.0, 5.0),
            private={"gender": ("female", "male")[i % PRIVATE_CLASSES]},
        )
        for i in range(len(length))
    ]
    train = np.arange(len(length))[None] < count
    packed = pack(
        utterances,
        noise,
        None,
        None,
        Split(train, ~train, ~train),
        task="activation",
        private=["gender"],
        normalise="none",
        block_size=VALIDATION,
    )
    return packed, length[:count]


def _computed_frames(architecture, length: np.ndarray, batch: int) -> float:
    """Frames that the convolutions compute per utterance of random batches."""
    rng, most = np.random.default_rng(0), architecture.longest[0]
    batches = np.stack([rng.choice(length, batch) for _ in range(1000)])
    if architecture.fill is None:
        return most
    encoder = architecture.net.encoders["acoustic"]
    return float(frames_computed(batches, encoder.rates, encoder.kernel_width).mean() / batch)


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
        return {"test_uar": float(scores["test"].mean())}

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


def _device() -> Facts:
    return {"device": jax.devices()[0].device_kind, "devices": jax.local_device_count()}


if __name__ == "__main__":
    serve({"train": train, "attack": attack_all, "products": products, "profile": profile})
