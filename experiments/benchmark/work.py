"""The work that the benchmark measures: networks, batches, and how much of them is a round."""

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
      bands: size of a frame; without convolutions the network reads words, and it is the size of
        their vectors.
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
        """The modality that it reads."""
        return "acoustic" if self.conv_layers else "lexical"


class Training(NamedTuple):
    """The work of one round of training: an epoch of `runs` networks side by side.

    Attributes:
      network: of each run.
      frames: frames, or words, of every utterance; 0 stands for the lengths of a real corpus.
      runs: networks.
      batch: utterances of a batch.
      steps: batches of an epoch.
      adversary_steps: steps of the adversary of the recipe `strong` for each of the network's; 0
        stands for a linear adversary that takes one.
      recipe: a name in RECIPES, whose networks are trained; "" for plain reversal.
      precision, recurrence: the settings of these names.
      is_streamed: the frames stay on the host and come in windows of a third of them.
      regression: the emotion head predicts a rating, with the loss 1 - CCC.
    """

    network: Network
    frames: int
    runs: int
    batch: int
    steps: int
    adversary_steps: int = 0
    regression: bool = False
    recipe: str = ""
    precision: str = "float32"
    recurrence: str = "loop"
    is_streamed: bool = False


class Shape(NamedTuple):
    """A network and the length of its utterances.

    Attributes:
      about: the network and the lengths in words.
      frames: see `Training`.
      stacks: whether a padded batch for each of a stack of networks fits into a small machine.
    """

    about: str
    network: Network
    frames: int
    stacks: bool = True

    def tiny(self) -> "Shape":
        """A shape of the same kind that is compiled and computed in no time."""
        layers = min(self.network.conv_layers, 2)
        small = {"num_kernels": 8, "gru_layers": 1, "gru_width": 8, "dense_width": 8}
        network = replace(self.network, conv_layers=layers, **small)
        return Shape(f"tiny kind of {self.about}", network, min(self.frames, 32))


SHAPES: dict[str, Shape] = {
    "mid": Shape("3 x 64 kernels, 2 GRU, 300 frames", Network(), 300),
    "pooled": Shape("3 x 64 kernels pooled by 2, 2 GRU, 300 frames", Network(conv_pool=2), 300),
    "real": Shape("3 x 64 kernels, 2 GRU, real lengths", Network(), 0, stacks=False),
    "lexical": Shape("2 GRU, 30 words of 300", Network(bands=300, conv_layers=0), 30),
    "long": Shape("3 x 64 kernels, 2 GRU, 800 frames", Network(), 800, stacks=False),
    "deep": Shape(
        "4 x 128 kernels, 3 GRU, 300 frames",
        Network(conv_layers=4, num_kernels=128, gru_layers=3),
        300,
    ),
}


class Size(NamedTuple):
    """How much work a round is.

    Attributes:
      rounds: how often each contestant is measured.
      quick: only shows that everything runs: tiny networks, compiled without optimisations.
      shapes: names in SHAPES; () stands for those that a part chooses by itself.
      alone: without the peers of training.
      runs, batch, steps: those of `Training`.
      growing_runs, growing_steps: the same where one thing grows.
      growth: {field of `Training`: its values}.
      minutes: minutes of audio to prepare.
      rows: utterances whose h is attacked.
      audits: speakers, utterances of each, and width of h of the corpora to audit.
      against: another checkout of privrep, whose audits and jobs take turns with those of this one;
        "" for none.
      job: flags of the job.
      utterances: that are encoded one after another.
    """

    rounds: int
    quick: bool = False
    shapes: Sequence[str] = ()
    alone: bool = False
    runs: int = 20
    batch: int = 32
    steps: int = 5
    growing_runs: int = 10
    growing_steps: int = 4
    growth: Mapping[str, Sequence[int]] = {
        "runs": (2, 10, 20, 40, 80),
        "frames": (100, 300, 800),
        "batch": (8, 32, 128),
        "adversary_steps": (0, 1, 2, 5, 10),
    }
    minutes: float = 10.0
    rows: int = 500
    audits: Sequence[tuple[int, int, int]] = ((40, 50, 192), (400, 250, 256))
    against: str = ""
    job: Sequence[str] = ("--dataset=demo",)
    utterances: int = 20

    def shape(self, name: str) -> Shape:
        """SHAPES[name], or its tiny kind."""
        return SHAPES[name].tiny() if self.quick else SHAPES[name]

    def training(self, name: str, runs: int) -> Training:
        """An epoch of `runs` networks of a shape."""
        shape = self.shape(name)
        return Training(shape.network, shape.frames, runs, self.batch, self.steps)


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
    utterances=2,
    audits=((12, 4, 4),),
    job=(
        *(
            "--dataset=demo",
            "--lambda=1",
            "--folds=3",
            "--max_epochs=1",
            "--attackers=linear",
            "--dense_width=8",
        ),
        *("--conv_layers=1", "--num_kernels=8", "--gru_layers=1", "--gru_width=8"),
    ),
)


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


def draw_batches(work: Training, number: int, room: int) -> list[tuple[np.ndarray, ...]]:
    """Padded batches of the first utterances of `draw_lengths`, so that all compute the same ones.

    Args:
      number: how many batches.
      room: frames to pad to; 0 stands for the longest of each batch.

    Returns:
      `number` times frames float32[B, room, F], lengths, emotion and gender int32[B].
    """
    rng = np.random.default_rng(0)
    batches = []
    for length in draw_lengths(work.frames, number * work.batch).reshape(number, work.batch):
        padded = room or int(length.max())
        x = rng.standard_normal((work.batch, padded, work.network.bands), np.float32)
        x *= (np.arange(padded) < length[:, None])[..., None]
        labels = (rng.integers(0, n, work.batch, np.int32) for n in (CLASSES, PRIVATE_CLASSES))
        batches.append((x, length, *labels))
    return batches
