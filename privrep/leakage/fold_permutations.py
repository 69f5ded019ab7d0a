"""Permuted labels for networks that were trained once per fold (host)."""

from typing import NamedTuple

import numpy as np

from privrep.leakage.fold_sample import KnownRows
from privrep.statistics.design import FREE, permutation_rule, speaker_blocks, tying_speakers
from privrep.statistics.permutation_test import Permutations, permute
from privrep.types import InferenceSettings, renumber


class Statement(NamedTuple):
    """The labellings of one test.

    Attributes:
      permutations: see `permutation_test.Permutations`.
      rows: int[P'], where its labellings stand among all P, the true one first.
    """

    permutations: Permutations
    rows: np.ndarray


class FoldPermutations(NamedTuple):
    """The labellings of all tests, for attackers that are trained for all at once.

    Attributes:
      labels: int32[P, n] of the known rows, row 0 the true ones.
      total: labels are permuted between the speakers who are tested in the same fold.
      beyond_sessions: within sessions of the fold with several classes, and between whole sessions
        of one class of the fold; None where there are no sessions, or none of several speakers.
    """

    labels: np.ndarray
    total: Statement
    beyond_sessions: Statement | None


def permute_in_folds(known: KnownRows, settings: InferenceSettings) -> FoldPermutations:
    """Permutes labels so that every fold keeps the classes that it was balanced for.

    A session of one class whose speakers are tested in several folds changes labels only with one
    that has as many in each of them. Speakers without whom the sessions come apart, such as an
    interviewer who is in all (`design.tying_speakers`), keep theirs beyond sessions.

    Args:
      known: the sample's.
      settings: permutations and seed.
    """
    fold_of, blocks = known.fold_of_speaker, speaker_blocks(known.speaker, known.session)

    def permuted(strata: np.ndarray, units: np.ndarray) -> Permutations:
        return permute(
            known.labels,
            known.speaker,
            strata,
            settings.permutations,
            settings.seed,
            units,
            blocks,
        )

    total = permuted(renumber(fold_of), np.arange(len(fold_of)))
    in_total = Statement(total, np.arange(len(total.labels)))
    rule = _beyond_sessions(known, settings.folds)
    if rule is None:
        return FoldPermutations(total.labels, in_total, None)
    beyond = permuted(*rule)
    more = len(total.labels) + np.arange(len(beyond.labels) - 1)
    return FoldPermutations(
        np.concatenate([total.labels, beyond.labels[1:]]),
        in_total,
        Statement(beyond, np.concatenate([[0], more])),
    )


def _beyond_sessions(known: KnownRows, num_folds: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Strata and units int[S] each; None where nothing distinguishes them from all speakers."""
    if known.session is None:
        return None
    fold_of = known.fold_of_speaker
    tying = tying_speakers(known.speaker, known.session)
    rows = ~np.isin(known.speaker, tying)
    rule = permutation_rule(
        known.labels[rows], renumber(known.speaker[rows]), renumber(known.session[rows]), num_folds
    )
    if rule.permuted_between == FREE:
        return None
    apart = np.setdiff1d(np.arange(len(fold_of)), tying)
    units = np.empty(len(fold_of), int)
    units[apart] = rule.units
    units[tying] = rule.units.max() + 1 + np.arange(len(tying))
    # (session, or 0 where whole sessions are permuted; speakers of the unit in every fold)
    places = np.full((len(fold_of), 2 + fold_of.max() + 1), -1)
    places[apart, 0] = rule.strata
    places[tying, 0] = -1 - np.arange(len(tying))
    held = np.zeros((units.max() + 1, places.shape[1] - 1), int)
    np.add.at(held, (units, 1 + fold_of), 1)
    in_one_fold = (held > 0).sum(1) == 1
    held[in_one_fold] = held[in_one_fold] > 0
    places[:, 1:] = held[units]
    return np.unique(places, axis=0, return_inverse=True)[1].reshape(-1), units
