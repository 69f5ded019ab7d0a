"""The representations of networks that were trained once per fold (host)."""

from typing import NamedTuple

import numpy as np

from privrep.types import Split, renumber


class FoldSample(NamedTuple):
    """h of K networks, each of which was trained on other speakers.

    Attributes:
      h: float[K, N, D].
      labels: int[N], classes 0 to C - 1, -1 for unknown, which does not count.
      speakers: [N].
      split: bool[K, N] each.
      session: [N], recordings made together; None where there are none.
    """

    h: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    split: Split
    session: np.ndarray | None = None


class FoldRows(NamedTuple):
    """Which of n utterances are in a fold, and in which part of it.

    Attributes:
      used: int[m] of n.
      part: int32[m]; 0 those that are tested, 1 validation, 2 training.
    """

    used: np.ndarray
    part: np.ndarray

    @classmethod
    def of(cls, split: Split, k: int, rows: np.ndarray) -> "FoldRows":
        """Of fold k; rows int[n] of the N utterances of the split."""
        train, val, test = (part[k][rows] for part in split)
        used = np.flatnonzero(train | val | test)
        return cls(used, np.where(test, 0, np.where(val, 1, 2))[used].astype(np.int32))


def fold_that_tests(split: Split) -> np.ndarray:
    """int[N]: the fold that tests the utterance, -1 for none."""
    return np.where(split.test.any(0), split.test.argmax(0), -1)


class KnownRows(NamedTuple):
    """The utterances with known labels that are in some part of some fold.

    Attributes:
      rows: int[n] of N.
      speaker, labels: int32[n].
      tested_in: int[n], the fold that tests the utterance, -1 for none.
      session: int32[n]; None where there are none.
    """

    rows: np.ndarray
    speaker: np.ndarray
    labels: np.ndarray
    tested_in: np.ndarray
    session: np.ndarray | None

    @classmethod
    def of(cls, sample: FoldSample) -> "KnownRows":
        """Those of a sample.

        >>> part = np.eye(3, dtype=bool)
        >>> split = Split(train=part, val=part[[1, 2, 0]], test=part[[2, 0, 1]])
        >>> sample = FoldSample(np.zeros((3, 3, 1)), np.array([0, -1, 1]), np.arange(3), split)
        >>> KnownRows.of(sample).tested_in.tolist()
        [1, 0]
        """
        split, labels = sample.split, sample.labels
        rows = np.flatnonzero((labels >= 0) & (split.test | split.val | split.train).any(0))
        session = None if sample.session is None else renumber(np.asarray(sample.session)[rows])
        speaker = renumber(np.asarray(sample.speakers)[rows])
        tested_in = fold_that_tests(split)[rows]
        return cls(rows, speaker, labels[rows].astype(np.int32), tested_in, session)

    @property
    def num_classes(self) -> int:
        """C, by the largest label."""
        return int(self.labels.max()) + 1

    @property
    def fold_of_speaker(self) -> np.ndarray:
        """int[S], the fold that tests the speaker, -1 for none."""
        folds = np.full(int(self.speaker.max()) + 1, -1)
        np.maximum.at(folds, self.speaker, self.tested_in)
        return folds
