"""What the contestants of the training benchmark compute, and how many operations that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

FRAMES_PER_SECOND = 100
MEAN_SECONDS, DEVIATION_SECONDS = 4.5, 2.5  # of utterances in speech corpora, lognormal
SHORTEST, LONGEST = 1.0, 12.0  # seconds
CLASSES, PRIVATE_CLASSES = 3, 2


@dataclass(frozen=True)
class Network:
    """Convolutions, GRU, masked mean, dense, an emotion head and a reversed gender head.

    Attributes:
      bands: of a frame; without convolutions the network reads words, and it is their vectors'
        size.
    """

    bands: int = 40
    conv_layers: int = 3
    kernel_width: int = 3
    num_kernels: int = 64
    conv_pool: int = 1
    gru_layers: int = 2
    gru_width: int = 32
    dense_width: int = 64

    @property
    def modality(self) -> str:
        """What it reads."""
        return "acoustic" if self.conv_layers else "lexical"


class Shape(NamedTuple):
    """A network and how long its utterances are.

    Attributes:
      frames: or words, of every utterance; 0 are the lengths of a real corpus.
      stacks: whether a padded batch for each of a stack of networks fits into a small machine.
    """

    network: Network
    frames: int
    stacks: bool = True

    def about(self) -> str:
        """Such as "3 x 64 kernels, 2 GRU, 300 frames"."""
        net = self.network
        unit, layers = f"words of {net.bands}", f"{net.gru_layers} GRU"
        if net.conv_layers:
            pool = f" pooled by {net.conv_pool}" if net.conv_pool > 1 else ""
            unit = "frames"
            layers = f"{net.conv_layers} x {net.num_kernels} kernels{pool}, {layers}"
        return f"{layers}, {self.frames or 'real lengths of'} {unit}"

    def tiny(self) -> "Shape":
        """One of the same kind that is compiled and computed in no time."""
        layers = min(self.network.conv_layers, 2)
        small = {"num_kernels": 8, "gru_layers": 1, "gru_width": 8, "dense_width": 8}
        return Shape(replace(self.network, conv_layers=layers, **small), min(self.frames, 32))


SHAPES: dict[str, Shape] = {
    "mid": Shape(Network(), 300),
    "pooled": Shape(Network(conv_pool=2), 300),
    "real": Shape(Network(), 0, stacks=False),
    "lexical": Shape(Network(bands=300, conv_layers=0), 30),
    "long": Shape(Network(), 800, stacks=False),
    "deep": Shape(Network(conv_layers=4, num_kernels=128, gru_layers=3), 300),
}


class Size(NamedTuple):
    """How much work a round is; `quick` for a look at whether all of it runs.

    Attributes:
      rounds: times each contestant is measured.
      shapes: names in SHAPES; () are those that the part thinks worth it.
      peers: see `train.py`.
      runs, batch, steps: networks that are trained side by side, and what an epoch of theirs is.
      growing_runs, growing_steps: the same where one thing grows, `growth`: {what: values}.
      minutes: of audio to prepare.
      rows: of h to attack.
      audit: speakers, utterances of each and width of h of a corpus to audit.
      product: width of the matrices whose product is this machine's peak.
      demo: flags of the demo command.
    """

    rounds: int
    quick: bool = False
    shapes: Sequence[str] = ()
    peers: Sequence[str] = ()
    runs: int = 20
    batch: int = 32
    steps: int = 5
    growing_runs: int = 10
    growing_steps: int = 4
    growth: Mapping[str, Sequence[int]] = {
        "runs": (2, 10, 20, 40, 80),
        "frames": (100, 300, 800),
        "batch": (8, 32, 128),
        "speakers": (2, 16, 128),
        "hours": (1, 4, 16),
        "adversary_steps": (0, 1, 2, 5, 10),
    }
    minutes: float = 10.0
    rows: int = 500
    audit: tuple[int, int, int] = (400, 250, 256)
    product: int = 1024
    demo: Sequence[str] = ()

    def shape(self, name: str) -> Shape:
        """The shape to compute in the name of SHAPES[name]."""
        return SHAPES[name].tiny() if self.quick else SHAPES[name]


QUICK = Size(
    rounds=1,
    quick=True,
    runs=2,
    batch=4,
    steps=1,
    growing_runs=2,
    growing_steps=1,
    growth={"adversary_steps": (2,)},
    minutes=0.2,
    rows=40,
    audit=(12, 4, 4),
    product=128,
    demo=(
        *("--lambda=1", "--folds=3", "--max_epochs=1", "--attackers=linear", "--dense_width=8"),
        *("--conv_layers=1", "--num_kernels=8", "--gru_layers=1", "--gru_width=8"),
    ),
)


def flops(network: Network, batch: int, frames: float) -> tuple[float, float]:
    """Floating-point operations of the matrix products of one step: of convolutions, and of GRU.

    A product of [m, k] and [k, n] is 2 m k n, and its backward pass two more such, of which the
    network's first layer needs one. Counted as written down: a form that needs fewer operations
    (Winograd) reaches more "operations" per second. Heads, element-wise work and Adam, together
    under 2 %, are left out.

    Args:
      frames: of an utterance, on average.
    """
    convolutions = recurrent = 0.0
    rows, channels, passes = batch * frames, network.bands, 2
    for i in range(network.conv_layers):
        convolutions += passes * 2 * rows * network.kernel_width * channels * network.num_kernels
        channels, passes = network.num_kernels, 3
        if i < network.conv_layers - 1:
            rows /= network.conv_pool
    for _ in range(network.gru_layers):
        recurrent += passes * 2 * rows * channels * 3 * network.gru_width
        recurrent += 3 * 2 * rows * network.gru_width * 3 * network.gru_width
        channels, passes = network.gru_width, 3
    return convolutions, recurrent


def draw_lengths(frames: int, count: int) -> np.ndarray:
    """int32[count], numbers of frames: all `frames`, or, for 0, those of a real corpus.

    Always the same; fewer are the first of more.
    """
    if frames:
        return np.full(count, frames, np.int32)
    spread = np.sqrt(np.log(1 + (DEVIATION_SECONDS / MEAN_SECONDS) ** 2))
    middle = np.log(MEAN_SECONDS) - spread**2 / 2
    seconds = np.random.default_rng(0).lognormal(middle, spread, count)
    return (np.clip(seconds, SHORTEST, LONGEST) * FRAMES_PER_SECOND).astype(np.int32)


def draw_batches(network: Network, batch: int, frames: int, number: int, room: int) -> list[tuple]:
    """Padded batches of the first utterances of `draw_lengths`, so that all compute the same ones.

    Args:
      frames: see `draw_lengths`.
      room: frames to pad to; 0 is the longest of each batch.

    Returns:
      `number` times frames float32[B, room, F], lengths, emotion and gender int32[B].
    """
    rng = np.random.default_rng(0)
    batches = []
    for length in draw_lengths(frames, number * batch).reshape(number, batch):
        padded = room or int(length.max())
        x = rng.standard_normal((batch, padded, network.bands), np.float32)
        x *= (np.arange(padded) < length[:, None])[..., None]
        labels = (rng.integers(0, n, batch, np.int32) for n in (CLASSES, PRIVATE_CLASSES))
        batches.append((x, length, *labels))
    return batches


def padded_facts(batches: Sequence[tuple]) -> dict[str, float]:
    """What a contestant that computes every row of these padded batches says of its work."""
    useful = np.mean([length.mean() for _, length, *_ in batches])
    padded = np.mean([x.shape[1] for x, *_ in batches]) / useful
    return {
        "useful_frames": float(useful),
        "conv_per_useful": float(padded),
        "gru_per_useful": float(padded),
    }
