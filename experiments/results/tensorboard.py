"""Training curves as TensorBoard events."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter


def write_curves(workdir: Path, curves: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Writes training curves for `tensorboard --logdir=<workdir>/tensorboard`.

    Args:
      curves: {run: {scalar: its value after each epoch}}; epochs count from 1. A run's curves of an
        earlier call are replaced.
    """
    for run, scalars in curves.items():
        directory = workdir / "tensorboard" / run
        directory.mkdir(parents=True, exist_ok=True)
        # SummaryWriter would put time and host into the file's name and start a thread per run.
        partial = directory / "events.partial"
        writer = RecordWriter(str(partial))
        writer.write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())
        for index in range(max(map(len, scalars.values()), default=0)):
            values = [
                Summary.Value(tag=name, simple_value=float(series[index]))
                for name, series in scalars.items()
                if index < len(series) and math.isfinite(series[index])  # NaN once it stopped
            ]
            if values:
                event = Event(wall_time=index + 1.0, step=index + 1, summary=Summary(value=values))
                writer.write(event.SerializeToString())
        writer.close()
        partial.replace(directory / "events.out.tfevents.0.privrep")
