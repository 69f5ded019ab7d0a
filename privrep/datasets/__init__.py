"""The corpora the project knows: each reads its files into `Utterance` records, nothing else.

A corpus is one module with `read(root)`, `OBTAIN` and a line below. `read` describes what the
release describes: it decodes no audio, drops nothing and splits nothing. What is unknown or hidden
is left out of the record; `wav` is where the file is or should be.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from privrep.datasets import emodb, iemocap, manifest, msp_improv, msp_podcast, muse
from privrep.datasets.demo import corpus as demo
from privrep.types import Utterance


class Dataset(NamedTuple):
    """A corpus.

    Attributes:
      read: root -> its utterances, sorted by id, the ids unique.
      obtain: a sentence on how a person comes by it.
      utterances: how many its publication names; None where that differs with the release.
    """

    read: Callable[[Path], list[Utterance]]
    obtain: str
    utterances: int | None = None


DATASETS: dict[str, Dataset] = {
    "demo": Dataset(demo.read, demo.OBTAIN),
    "emodb": Dataset(emodb.read, emodb.OBTAIN, 535),
    "iemocap": Dataset(iemocap.read, iemocap.OBTAIN, 10_039),
    "manifest": Dataset(manifest.read, manifest.OBTAIN),
    "msp_improv": Dataset(msp_improv.read, msp_improv.OBTAIN, 8_438),
    "msp_podcast": Dataset(msp_podcast.read, msp_podcast.OBTAIN),
    "muse": Dataset(muse.read, muse.OBTAIN),
}
