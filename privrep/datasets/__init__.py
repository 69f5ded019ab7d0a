"""Readers of corpora: each reads the files of a release into `Utterance` records (host).

To add a corpus, write a module with `read(root)` and `OBTAIN`, and a line in `DATASETS`; the flag
--dataset, its help and the contract tests follow. `read` reports what the release states: it
decodes no audio, drops no utterance and draws no split. Unknown or hidden labels are left out of
the record; `wav` is where the audio file is or should be.
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
      read: reads the utterances under a root folder (or, of a manifest, from a file), sorted by
        unique ids. It raises FileNotFoundError if the corpus is not there, and ValueError, which
        names file and line, if a part of it is missing or does not parse.
      obtain: a sentence on how to obtain the corpus.
      utterances: number according to its publication; None where it differs between releases.
    """

    read: Callable[[Path], list[Utterance]]
    obtain: str
    utterances: int | None = None


# By the name that --dataset takes.
DATASETS: dict[str, Dataset] = {
    "demo": Dataset(demo.read, demo.OBTAIN),
    "emodb": Dataset(emodb.read, emodb.OBTAIN, 535),
    "iemocap": Dataset(iemocap.read, iemocap.OBTAIN, 10_039),
    "manifest": Dataset(manifest.read, manifest.OBTAIN),
    "msp_improv": Dataset(msp_improv.read, msp_improv.OBTAIN, 8_438),
    "msp_podcast": Dataset(msp_podcast.read, msp_podcast.OBTAIN),
    "muse": Dataset(muse.read, muse.OBTAIN),
}
