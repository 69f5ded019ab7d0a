"""Confusion counts of each network by speaker, kept to compare networks of several packs.

    <workdir>/checkpoints/003/counts.npz    of the runs of pack 3, without controls

Networks of one pack are compared while it is measured; those of several, such as of two modalities,
when all are there.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.results.columns import Row
from privrep.files import replace_arrays

FILE = "counts.npz"


class SpeakerCounts(NamedTuple):
    """Sums of each test speaker over all folds, of a run's predictions of a subject.

    Attributes:
      settings: columns of runs.csv that say how the run was made, without `fold`.
      subject: "emotion", or an attribute that is unlearned, by the stronger of a linear and a
        kernel attacker.
      speakers: str[S], sorted.
      sums: int64[S, C, C], confusion counts; or float64[S, 6], `concordance.moments`.
    """

    settings: Row
    subject: str
    speakers: np.ndarray
    sums: np.ndarray


def write_counts(folder: Path, counts: Sequence[SpeakerCounts]) -> None:
    """Writes folder/counts.npz; `checkpoints.save_chosen` seals it."""
    described = [{"settings": of.settings, "subject": of.subject} for of in counts]
    arrays = {"described": np.array(json.dumps(described))}
    for i, of in enumerate(counts):
        arrays |= {f"speakers_{i}": np.asarray(of.speakers, str), f"sums_{i}": of.sums}
    replace_arrays(folder / FILE, arrays, compressed=True)


def read_counts(folder: Path) -> list[SpeakerCounts]:
    """What `write_counts` has written; [] where there is no such file."""
    path = folder / FILE
    if not path.exists():
        return []
    with np.load(path, allow_pickle=False) as file:
        described = json.loads(str(file["described"]))
        return [
            SpeakerCounts(of["settings"], of["subject"], file[f"speakers_{i}"], file[f"sums_{i}"])
            for i, of in enumerate(described)
        ]
