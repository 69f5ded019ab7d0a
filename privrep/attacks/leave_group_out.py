"""Discriminants of an attacker who knows every speaker but a small group (host).

The group of a speaker consists of one speaker of each class, so that those who are left have the
same number of each class whoever is attacked. It depends on the labels and is therefore formed
anew for every labelling. All groups and labellings share one eigendecomposition of the covariance
of h, which depends on no label; what a group changes is the means of the classes, and the sums that
these are made of are additive over speakers.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import scipy.linalg

from privrep.attacks.lda_moments import choose, chunks
from privrep.cores import one_blas_thread, usable_cores

_NUMBERS = 2**24  # in the sums of the attacked speakers for the labellings that are held at a time
_ROUNDING = 1e-9  # of means of features of variance 1


class Victims(NamedTuple):
    """The speakers who are attacked by means of one network.

    Attributes:
      speakers: int[V], in the order in which groups are formed, which must not depend on labels.
      part: int[S] of every speaker, from 0 to K - 1, or -1 if nothing is selected on him. The
        hyper-parameters for a part are selected on the others, and groups lie within a part.
    """

    speakers: np.ndarray
    part: np.ndarray


class Settings(NamedTuple):
    """Hyper-parameters; every combination is a setting, the penalties of the first weight first.

    Attributes:
      penalties: added to the diagonal of the covariance of the features; one float64[m] for each
        feature only if the features are uncorrelated.
      weights: of an utterance of an attacked speaker in the means of the classes; of any other
        speaker 1.
    """

    penalties: Sequence[float | np.ndarray]
    weights: Sequence[float] = (1.0,)


class GroupPredictions(NamedTuple):
    """The predictions of attackers who know everybody but a group, of each of L settings.

    Attributes:
      predictions: int8[L, P, n], for every labelling; 0 for speakers who are not attacked.
      hits: int64[L, K, P, C]; of part k the utterances of the attacked speakers of other parts that
        are predicted rightly, by class, by attackers who know no speaker of part k either.
    """

    predictions: np.ndarray
    hits: np.ndarray


def leave_group_out(
    features: np.ndarray,
    usable: np.ndarray | None,
    labels: np.ndarray,
    speakers: np.ndarray,
    victims: Victims,
    settings: Settings,
) -> GroupPredictions:
    """Predicts each attacked speaker by an attacker who knows all speakers but the one's group.

        score of class c = (x - (m_c + m_0) / 2)' (S + penalty)^-1 (m_c - m_0)

    with S the total covariance of all features, those of the attacked included: the attacker has
    their h, and no label enters S. Between two classes this is the discriminant of `lda.linear`,
    whose covariance within classes gives the same direction. m_c is the weighted mean of class c
    over everybody but the group. The group of the r-th speaker of a class in the order of
    `Victims.speakers`, within the part, is the r-th of each class, as far as the classes go.

    Args:
      features: float32[n, m].
      usable: int[...], the rows that are learned from; None for all.
      labels: int[P, n], classes from 0; the class of a speaker is the most frequent one.
      speakers: int[n], numbered from 0.
      victims: see `Victims`.
      settings: L of them.
    """
    num_parts, num_classes = int(victims.part.max()) + 1, int(labels.max()) + 1
    num_settings = len(settings.penalties) * len(settings.weights)
    predictions = np.zeros((num_settings, *labels.shape), np.int8)
    hits = np.zeros((num_settings, num_parts, len(labels), num_classes), np.int64)
    if not len(victims.speakers):
        return GroupPredictions(predictions, hits)
    usable = np.arange(len(features)) if usable is None else usable
    rows_of = [np.flatnonzero(speakers == s) for s in victims.speakers]
    # Matrices as small as these gain nothing from several BLAS threads, see `lda`.
    with one_blas_thread(), ThreadPoolExecutor(usable_cores()) as pool:
        are_uncorrelated = any(np.ndim(penalty) for penalty in settings.penalties)
        variances, z = _axes(features, usable, are_uncorrelated)
        inverse = np.stack([1 / (variances + penalty) for penalty in settings.penalties])
        scaled = [
            (z[rows] * inverse[:, None]).reshape(-1, z.shape[1]).astype(np.float32)
            for rows in rows_of
        ]
        cells = _SumsOfCells.of(z, usable, labels, speakers)
        size = max(1, _NUMBERS // ((len(rows_of) + num_parts) * num_classes * z.shape[1]))
        for chunk in chunks(np.arange(len(labels)), size):
            y = labels[chunk]
            groups = _groups(y, rows_of, victims.part[victims.speakers], num_classes)
            truth = [y[:, rows] for rows in rows_of]
            for w, weight in enumerate(settings.weights):
                of_weight = slice(w * len(inverse), (w + 1) * len(inverse))
                weighted = cells.weighted(victims.speakers, weight)
                known = _Known.of(weighted, y, victims, groups, num_classes)
                for rows, (predicted, right) in zip(
                    rows_of, _attack_each(pool, known, scaled, inverse, truth)
                ):
                    predictions[of_weight, chunk[:, None], rows] = predicted
                    hits[of_weight, :, chunk[0] : chunk[-1] + 1] += right
    return GroupPredictions(predictions, hits)


class _Sums(NamedTuple):
    """Weights float64[..., P, C] of the utterances of each class of each labelling, and sums of
    their weighted features [..., P, C, m]."""

    weight: np.ndarray
    first: np.ndarray

    def without(self, other: "_Sums") -> "_Sums":
        return _Sums(self.weight - other.weight, self.first - other.first)


class _SumsOfCells(NamedTuple):
    """Sums over utterances whose labels are the same in every labelling.

    If the attribute is constant within speakers, these are all utterances of a speaker.

    Attributes:
      weight: float64[G], of the utterances of each cell together.
      first: float64[G, m], the weighted sum of their features.
      speaker: int[G].
      row: int[G], one of the utterances.
    """

    weight: np.ndarray
    first: np.ndarray
    speaker: np.ndarray
    row: np.ndarray

    @classmethod
    def of(
        cls, z: np.ndarray, usable: np.ndarray, labels: np.ndarray, speakers: np.ndarray
    ) -> "_SumsOfCells":
        rows = usable[np.argsort(speakers[usable], kind="stable")]
        speaker, start, count = np.unique(speakers[rows], return_index=True, return_counts=True)
        if (labels[:, rows] != labels[:, np.repeat(rows[start], count)]).any():
            return cls(np.ones(len(rows)), z[rows], speakers[rows], rows)
        return cls(count.astype(np.float64), np.add.reduceat(z[rows], start), speaker, rows[start])

    def weighted(self, speakers: np.ndarray, weight: float) -> "_SumsOfCells":
        """With this weight of the utterances of some speakers."""
        factor = np.where(np.isin(self.speaker, speakers), weight, 1.0)
        return self._replace(weight=self.weight * factor, first=self.first * factor[:, None])

    def sums(self, labels: np.ndarray, num_classes: int, chosen: np.ndarray | None = None) -> _Sums:
        """Of the cells chosen bool[G]; None for all."""
        kept = slice(None) if chosen is None else np.flatnonzero(chosen)
        y = labels[:, self.row[kept]]
        member = np.stack([y == c for c in range(num_classes)], 1).astype(np.float64)
        first = member.reshape(-1, member.shape[2]) @ self.first[kept]
        return _Sums(member @ self.weight[kept], first.reshape(*member.shape[:2], -1))


class _Known(NamedTuple):
    """What attackers know in some labellings.

    Attributes:
      everybody: of all speakers.
      parts: of the speakers of each part.
      victims: of every attacked speaker, [V + 1, ...], the last one 0.
      part: int[V], of the attacked speakers.
      groups: int[P, V, C], see `_groups`.
    """

    everybody: _Sums
    parts: Sequence[_Sums]
    victims: _Sums
    part: np.ndarray
    groups: np.ndarray

    @classmethod
    def of(
        cls,
        cells: _SumsOfCells,
        labels: np.ndarray,
        victims: Victims,
        groups: np.ndarray,
        num_classes: int,
    ) -> "_Known":
        part_of_cell = victims.part[cells.speaker]
        each = [cells.sums(labels, num_classes, cells.speaker == s) for s in victims.speakers]
        nobody = _Sums(*map(np.zeros_like, each[0]))
        return cls(
            cells.sums(labels, num_classes),
            [
                cells.sums(labels, num_classes, part_of_cell == k)
                for k in range(int(victims.part.max()) + 1)
            ],
            _Sums(*map(np.stack, zip(*each, nobody))),
            victims.part[victims.speakers],
            groups,
        )

    def without_group(self, victim: int) -> _Sums:
        """Of everybody but the victim's group."""
        labelling = np.arange(len(self.groups))[:, None]
        members = (sums[self.groups[:, victim], labelling].sum(1) for sums in self.victims)
        return self.everybody.without(_Sums(*members))


def _attack_each(
    pool: Executor,
    known: _Known,
    scaled: Sequence[np.ndarray],
    inverse: np.ndarray,
    truth: Sequence[np.ndarray],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of every victim predictions int16[L, P, rows], and hits [L, K, P, C] (`GroupPredictions`).

    Args:
      scaled: of every victim the rows times `inverse`, float32[L * rows, m].
      inverse: float64[L, m], 1 / (variance + penalty).
      truth: int[P, rows] of every victim.
    """
    num_labellings, num_classes = known.everybody.weight.shape

    def attack(victim: int) -> tuple[np.ndarray, np.ndarray]:
        rows, y = scaled[victim], truth[victim]
        others = known.without_group(victim)
        hits = np.zeros((len(inverse), len(known.parts), num_labellings, num_classes), np.int64)
        for k, part in enumerate(known.parts):
            if k != known.part[victim]:
                correct = _predict(rows, inverse, others.without(part)) == y
                for c in range(num_classes):
                    hits[:, k, :, c] = (correct & (y == c)).sum(-1)
        return _predict(rows, inverse, others), hits

    return list(pool.map(attack, range(len(scaled))))


def _predict(scaled: np.ndarray, inverse: np.ndarray, known: _Sums) -> np.ndarray:
    """int16[L, P, rows]: the classes predicted with each penalty, see `_attack_each`."""
    is_known = known.weight > 0.5
    means = known.first / np.where(is_known, known.weight, 1)[..., None]
    apart, middle = means[:, 1:] - means[:, :1], (means[:, 1:] + means[:, :1]) / 2
    # Equal means differ by the rounding of what was subtracted, which depends on labels.
    apart[(np.abs(apart) < _ROUNDING) | ~(is_known[:, 1:] & is_known[:, :1])[..., None]] = 0
    # A class of which nobody is known is never predicted.
    never = 1e9 * (is_known[:, 1:].astype(np.float64) - is_known[:, :1])
    offsets = never - ((apart * middle) @ inverse.T).transpose(2, 0, 1)  # [L, P, C - 1]
    scores = scaled @ apart.reshape(-1, apart.shape[-1]).T.astype(np.float32)
    scores = scores.reshape(len(inverse), -1, *apart.shape[:2]) + offsets[:, None]
    predicted = choose(scores.reshape(-1, *scores.shape[2:])).reshape(scores.shape[:3])
    return predicted.swapaxes(1, 2)


def _axes(
    features: np.ndarray, usable: np.ndarray, are_uncorrelated: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Variances float64[m] of uncorrelated axes, and features along them float64[n, m]."""
    mean = features[usable].mean(0, dtype=np.float64)
    if are_uncorrelated:
        return features[usable].var(0, dtype=np.float64), features - mean
    covariance = np.zeros((len(mean), len(mean)))
    for rows in chunks(usable):
        x = features[rows] - mean
        covariance += x.T @ x
    variances, axes = scipy.linalg.eigh(covariance / len(usable), check_finite=False)
    return np.maximum(variances, 0), (features - mean) @ axes


def _groups(
    labels: np.ndarray, rows_of: Sequence[np.ndarray], part: np.ndarray, num_classes: int
) -> np.ndarray:
    """int[P, V, C]: the victims in the group of each victim, V for a class that has run out."""
    num_victims = len(rows_of)
    often = [[(labels[:, rows] == c).sum(1) for c in range(num_classes)] for rows in rows_of]
    class_of = np.array(often).argmax(1).T  # [P, V]
    groups = np.full((len(labels), num_victims, num_classes), num_victims)
    for k in np.unique(part):
        inside = np.flatnonzero(part == k)
        for labelling, classes in enumerate(class_of[:, inside]):
            of_class = [inside[classes == c] for c in range(num_classes)]
            for rank in range(max(map(len, of_class))):
                group = [of[rank] if rank < len(of) else num_victims for of in of_class]
                groups[labelling, [v for v in group if v < num_victims]] = group
    return groups
