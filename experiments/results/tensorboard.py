"""Training curves as TensorBoard events."""

import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import masked_crc32c

from privrep.files import replacing

# TensorBoard looks for the first words. Its writers would put time and host into the name, and keep
# a file and a thread open for each run.
_FILE = "events.out.tfevents.0.privrep"


def write_curves(workdir: Path, curves: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Writes training curves for `tensorboard --logdir=<workdir>/tensorboard`.

    Args:
      curves: {run: {scalar: its value after each epoch}}; epochs count from 1. A run's curves of an
        earlier call are replaced.
    """
    for run, scalars in curves.items():
        records = [_begin()]
        for index in range(max(map(len, scalars.values()), default=0)):
            at = {name: series[index] for name, series in scalars.items() if index < len(series)}
            finite = {name: float(v) for name, v in at.items() if math.isfinite(v)}
            if finite:  # NaN once it stopped
                records.append(_of_epoch(index + 1, finite))
        with replacing(_path(workdir, run)) as file:
            file.write(b"".join(records))


def append(
    workdir: Path, run: str, epoch: int, scalars: Mapping[str, float], *, anew: bool
) -> None:
    """Adds an epoch to the curves of a run while it is trained; `write_curves` replaces them.

    Args:
      anew: begins the file, whatever stood there.
    """
    path = _path(workdir, run)
    with path.open("wb" if anew else "ab") as file:
        file.write((_begin() if anew else b"") + _of_epoch(epoch, scalars))


def _path(workdir: Path, run: str) -> Path:
    directory = workdir / "tensorboard" / run
    directory.mkdir(parents=True, exist_ok=True)
    return directory / _FILE


def _begin() -> bytes:
    return _record(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())


def _of_epoch(epoch: int, scalars: Mapping[str, float]) -> bytes:
    values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
    event = Event(wall_time=float(epoch), step=epoch, summary=Summary(value=values))
    return _record(event.SerializeToString())


def _record(data: bytes) -> bytes:
    """A record of the TFRecord format: length and data, each with its checksum."""
    length = struct.pack("<Q", len(data))
    checksums = (struct.pack("<I", masked_crc32c(part)) for part in (length, data))
    return length + next(checksums) + data + next(checksums)
