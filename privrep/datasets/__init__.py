"""Readers of corpora: each reads the files of a release into `Utterance` records (host).

To add a corpus, write a module with `read(root)` and `OBTAIN`, and a line in `DATASETS`; the flag
--dataset, its help and the contract tests follow. `read` reports what the release states: it
decodes no audio, drops no utterance and draws no split. Unknown or hidden labels are left out of
the record; `wav` is where the audio file is or should be.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from privrep.datasets import (
    audformat,
    crema_d,
    emodb,
    iemocap,
    kaldi,
    manifest,
    msp_improv,
    msp_podcast,
    muse,
    ravdess,
)
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
      hours: of sound according to its publication; None where that is not known.
      releases: {number of utterances: hours} of other whole copies.
    """

    read: Callable[[Path], list[Utterance]]
    obtain: str
    utterances: int | None = None
    hours: float | None = None
    releases: Mapping[int, float | None] = MappingProxyType({})

    def is_whole(self, utterances: int) -> bool | None:
        """Whether a copy has as many utterances as a whole one; None where that is not known."""
        if self.utterances is None and utterances not in self.releases:
            return None
        return utterances == self.utterances or utterances in self.releases

    def hours_of(self, utterances: int) -> float | None:
        """The published hours of a copy with so many utterances; None where they are not known."""
        return self.hours if utterances == self.utterances else self.releases.get(utterances)


# By the name that --dataset takes.
DATASETS: dict[str, Dataset] = {
    "audformat": Dataset(audformat.read, audformat.OBTAIN),
    "crema_d": Dataset(crema_d.read, crema_d.OBTAIN, 7_442),
    "demo": Dataset(demo.read, demo.OBTAIN),
    "emodb": Dataset(emodb.read, emodb.OBTAIN, 535, 24.8 / 60),
    "iemocap": Dataset(iemocap.read, iemocap.OBTAIN, 10_039),
    "kaldi": Dataset(kaldi.read, kaldi.OBTAIN),
    "manifest": Dataset(manifest.read, manifest.OBTAIN),
    # The paper says 8,438 turns; full copies were counted to have 8,385.
    "msp_improv": Dataset(msp_improv.read, msp_improv.OBTAIN, 8_438, releases={8_385: None}),
    "msp_podcast": Dataset(msp_podcast.read, msp_podcast.OBTAIN, releases=msp_podcast.RELEASES),
    "muse": Dataset(muse.read, muse.OBTAIN),
    "ravdess": Dataset(ravdess.read, ravdess.OBTAIN, 1_440, 5_332 / 3600),
}
