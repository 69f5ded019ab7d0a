"""The memory that the training of a pack takes, estimated from shapes before it is compiled."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import jax

from privrep.networks.encoders import AcousticEncoder, LexicalEncoder
from privrep.parallel.run_axis import one_by_one
from privrep.training.streaming import Streamed
from privrep.types import Ragged
from privrep.unlearning.objective import Architecture

# What a step keeps for the gradient, in copies of the inputs and outputs of the convolutions: by
# the programs that XLA makes of the default networks with 32, 64 and 128 kernels. Without padding,
# windows of the convolutions are computed again and keep nothing but their outputs.
_COPIES, _COPIES_WITHOUT_PADDING = 6, 2
_COMPILER = 800e6  # bytes that compiling leaves with the process, on a CPU


class TrainingMemory(NamedTuple):
    """Bytes that the training of a pack takes.

    Attributes:
      data: the corpus, or the part of it that is on a device.
      networks: parameters, moments of the optimiser and what else a network keeps.
      steps: one step of each network that is trained at the same time.
      compiler: what the programs take besides.
    """

    data: float
    networks: float
    steps: float
    compiler: float

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self)


def training_memory(
    architecture: Architecture, batch_size: int, data: Any, fits: Any, together: int
) -> TrainingMemory:
    """The memory of all devices that have memory of their own, or of the process on a CPU.

    Args:
      data: as `streaming.place` returns it.
      fits: states [R, ...] of the networks, or their shapes.
      together: networks that are trained at the same time.
    """
    resident = data.resident if isinstance(data, Streamed) else data
    corpus = data.frames if isinstance(data, Streamed) else resident.corpus.frames
    streamed = 2 * data.count * _width(data.frames) * 4 if isinstance(data, Streamed) else 0
    copies = 2 if one_by_one() else jax.device_count()  # on a CPU the host keeps one more
    step = step_bytes(architecture, batch_size, 0 if corpus is None else _width(corpus))
    return TrainingMemory(
        data=_bytes(resident) * (1 if one_by_one() else jax.device_count()) + streamed,
        networks=_bytes(fits) * copies,
        steps=step * together,
        compiler=_COMPILER if one_by_one() else 0.0,
    )


def step_bytes(architecture: Architecture, batch_size: int, bands: int) -> float:
    """Bytes of one step of one network: what each layer over time keeps for the gradient.

    Args:
      bands: numbers in a frame.
    """
    frames, words = (batch_size * longest for longest in architecture.longest)
    numbers = 0.0
    for encoder in architecture.net.encoders.values():
        if isinstance(encoder, AcousticEncoder):
            filled = frames * (architecture.fill or 1.0)
            of_layers = encoder.num_kernels * sum(1 / rate for rate in encoder.rates)
            states = encoder.gru_layers * encoder.gru_width / encoder.rates[-1]
            numbers += filled * (bands + of_layers + states)
        elif isinstance(encoder, LexicalEncoder):
            states = encoder.gru_layers * encoder.gru_width
            numbers += words * (encoder.word_size + 4 * states)
    copies = _COPIES if architecture.fill is None else _COPIES_WITHOUT_PADDING
    return copies * 4 * numbers


def used_bytes() -> float:
    """Bytes of memory that this process has now; 0 where the system does not say."""
    status = Path("/proc/self/status")
    match = re.search(r"VmRSS:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return 1024.0 * int(match[1]) if match else 0.0


def memory_line(memory: TrainingMemory, networks: int, parameters: int) -> str:
    """A sentence on the memory of a training that is about to begin.

    Args:
      parameters: of each network.
    """
    size = f"{networks:,} networks of {parameters:,} parameters"
    if one_by_one():
        used = used_bytes()
        total = f"about {(used + memory.total) / 1e9:.1f} GB of memory"
        return f"{size}: {total} while they are trained, {used / 1e9:.1f} GB of it in use already"
    each = memory.total / jax.device_count()
    return f"{size}: about {each / 1e9:.1f} GB on each device while they are trained"


def _width(frames: Ragged) -> int:
    return int(frames.values.shape[1])


def _bytes(tree: Any) -> int:
    return sum(getattr(leaf, "nbytes", 0) or _size(leaf) for leaf in jax.tree.leaves(tree))


def _size(leaf: Any) -> int:
    """Of a shape without data; PRNG keys have no size that counts."""
    return leaf.size * getattr(leaf.dtype, "itemsize", 0)
