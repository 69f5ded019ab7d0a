"""Speaker verification of held-out speakers: how well h distinguishes two unseen speakers (host).

Closed-set identification succeeds where open-set verification fails. Whether h hides the speaker is
therefore measured by the equal error rate over pairs of utterances of the same or of two speakers.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from privrep.attacks.speaker_backends import BACKENDS, unit_vectors, whitened
from privrep.cores import one_blas_thread
from privrep.leakage.pair_kinds import (
    ALL,
    SESSION,
    Drawn,
    Kind,
    PairDesign,
    pair_design,
    permuted_speakers,
)
from privrep.leakage.pair_ranks import rank_pairs, scores_of, standard_error
from privrep.statistics.permutation_test import Permutations
from privrep.statistics.strata import Covariate, combined
from privrep.statistics.total_bound import bound_total
from privrep.statistics.verdict import Scores, Verdict, judge
from privrep.types import SECONDARY, InferenceSettings, renumber

ANY_SESSION = "any session"
_MAX_PAIRS = 50_000  # of one speaker, over all targets
_MIN_PER_SPEAKER = 10  # utterances, whatever the number of pairs
_MAX_PER_TARGET = 1_000  # utterances
_MIN_SPEAKERS = 2  # of a session or content, for its mean


class VerificationTarget(NamedTuple):
    """h float[N, D], and which utterances an attacker is trained and tested on, bool[N] each."""

    h: np.ndarray
    training: np.ndarray
    tested: np.ndarray


class Conditions(NamedTuple):
    """What utterances share besides the speaker: session int[N] or None, and discrete contents of
    N utterances each, such as the script and the emotion."""

    session: np.ndarray | None = None
    contents: Sequence[Covariate] = ()


UNCONDITIONAL = Conditions()


class Verification(NamedTuple):
    """The result of `verify`, in plain values.

    Attributes:
      verdict: of the strongest backend on the strongest kind of pairs, corrected for the choice.
      strongest: such as "plda on pairs within one script".
      kinds: {kind of pairs: the verdict on it, of the strongest backend, corrected for that
        choice}; with sessions also "any session", which may show the session alone.
      left_out: {kind of pairs: why it was not tried}.
    """

    verdict: Verdict
    strongest: str
    kinds: dict[str, Verdict]
    left_out: dict[str, str]


def verify(
    targets: Sequence[VerificationTarget],
    speaker: np.ndarray,
    settings: InferenceSettings = SECONDARY,
    conditions: Conditions = UNCONDITIONAL,
) -> Verification:
    """Scores all pairs of test utterances by every backend, trained on the training speakers.

    A score is 1 - equal error rate over the pairs of all targets; chance is 0.5. The backends are
    those of `speaker_backends`, the kinds of pairs and their permutations those of `pair_kinds`.
    Where pairs have a content in common, its mean over the training utterances is subtracted from h
    (an attacker who knows what is said knows what that does to h). The scores of a target are
    brought to mean 0 and standard deviation 1.

    The test is that of `verdict.judge` over all backends and kinds, by permuted speakers. Standard
    errors are by the jackknife over speakers: all pairs of one are left out at a time.

    So many utterances of each speaker are tested that there are at most 50,000 pairs of one
    speaker, but 10 at least; and whole speakers, of whom at most 1,000 utterances are of a target.

    Args:
      targets: no utterance is tested in two.
      speaker: int[N] from 0 to S - 1.
      settings: of the test; its folds are not used.
      conditions: see `Conditions`.

    Raises:
      ValueError: no target tests two utterances of one speaker and one of another.
    """
    rng = np.random.default_rng(settings.seed)
    drawn = _drawn(targets, speaker, rng)
    session, contents = conditions.session, list(conditions.contents)
    if len(contents) > 1:
        contents.append(combined(contents))
    known = {z.name: z.strata for z in contents}
    tested = [z._replace(strata=renumber(z.strata[drawn.rows])) for z in contents]
    total = pair_design(drawn.target, drawn.speaker)
    if not total.kinds:
        raise ValueError(
            "speakers cannot be verified: it takes two utterances of one and one of another"
        )
    if session is not None:
        known[SESSION] = session
    tested_session = None if session is None else renumber(session[drawn.rows])
    design = pair_design(drawn.target, drawn.speaker, tested_session, tested)
    attacked = _Attacked(targets, drawn, speaker, known)
    with one_blas_thread():
        verdict, strongest, kinds = _tested(attacked, design, settings)
        if session is not None:
            kinds[ANY_SESSION] = _tested(attacked, total, settings)[0]
    return Verification(verdict, strongest, kinds, design.left_out)


class _Attacked(NamedTuple):
    """Targets, what is tested of them, the speaker of all, and {name: int[N]} that may be known."""

    targets: Sequence[VerificationTarget]
    drawn: Drawn
    speaker: np.ndarray
    known: Mapping[str, np.ndarray]


def _tested(
    attacked: _Attacked, design: PairDesign, settings: InferenceSettings
) -> tuple[Verdict, str, dict[str, Verdict]]:
    """The verdict on all kinds together, the strongest backend and kind, and {kind: verdict}."""
    drawn = attacked.drawn
    if not design.kinds:
        ((name, reason),) = design.left_out.items()
        return _untested(f"Speaker verification {name}: the speaker {reason}.", settings), "", {}
    permutations = permuted_speakers(
        drawn.target, drawn.speaker, design.permutation, settings.permutations, settings.seed
    )
    scores, errors, names = [], [], []
    kinds: dict[str, Verdict] = {}
    for kind in design.kinds:
        ranks = {name: rank_pairs(s, kind, drawn) for name, s in _similar(attacked, kind).items()}
        of_kind = scores_of([*ranks.values()], kind, drawn, permutations.labels)
        of_errors = [standard_error(of_backend, drawn.speaker) for of_backend in ranks.values()]
        of_names = [f"{name} on {_words(kind)}" for name in ranks]
        kinds[kind.name] = _verdict(of_kind, of_errors, of_names, permutations, settings)[0]
        scores += [*of_kind]
        errors += of_errors
        names += of_names
    return *_verdict(np.array(scores), errors, names, permutations, settings), kinds


def _verdict(
    scores: np.ndarray,
    errors: Sequence[float],
    names: Sequence[str],
    permutations: Permutations,
    settings: InferenceSettings,
) -> tuple[Verdict, str]:
    """The verdict on scores float[A, P] of attackers called `names`, and the strongest of them."""
    result, judged = judge(
        Scores(scores, np.array(errors)), permutations, 2, settings.limit, settings.alpha
    )
    result = bound_total(result, scores[:, 0], judged)
    strongest = names[int(np.argmax(scores[:, 0]))]
    reason = {
        "leaks": "unseen speakers can be distinguished",
        "no_leak_shown": "it is not shown that unseen speakers can be distinguished, and a score "
        f"above {result.limit:.2f} is excluded",
        "cannot_tell": "a leak is neither shown nor excluded",
    }[result.verdict]
    sentence = (
        f"Speaker verification by {strongest} scores {result.uar:.3f} (1 - equal error rate), "
        f"p = {result.p:.3g}: {reason}."
    )
    return result._replace(reason=sentence), strongest


def _untested(reason: str, settings: InferenceSettings) -> Verdict:
    return Verdict(
        verdict="cannot_tell",
        uar=0.5,
        lower=0.0,
        upper=1.0,
        p=1.0,
        smallest_p=1.0,
        minimum_detectable=float("inf"),
        limit=0.5 + settings.limit,
        reason=reason,
    )


def _words(kind: Kind) -> str:
    return kind.name if kind.name == ALL else f"pairs {kind.name}"


def _similar(attacked: _Attacked, kind: Kind) -> dict[str, list[np.ndarray]]:
    """{backend: similarities float[n_t, n_t] of each target}."""
    similar: dict[str, list[np.ndarray]] = {name: [] for name in BACKENDS}
    for t, (h, training, _) in enumerate(attacked.targets):
        tested = attacked.drawn.rows[attacked.drawn.target == t]
        rows = np.concatenate([np.flatnonzero(training), tested])
        is_training = np.arange(len(rows)) < len(rows) - len(tested)
        x, speaker = np.asarray(h[rows], np.float64), attacked.speaker[rows]
        for name in kind.known:
            x = _without(x, renumber(attacked.known[name][rows]), is_training, speaker)
        x = whitened(x, is_training, speaker, np.arange(len(rows)))
        for name, backend in BACKENDS.items():
            similar[name].append(backend(x, is_training, speaker))
    return similar


def _without(
    x: np.ndarray, stratum: np.ndarray, training: np.ndarray, speaker: np.ndarray
) -> np.ndarray:
    """x float[n, D] without what its stratum int[n] adds to the mean over the training utterances.

    What a stratum adds is learned from the training utterances, or, of a stratum that these do not
    have, from those that are tested: an attacker holds them, and it does not depend on who is who.
    A stratum of one speaker is left as it is, whose mean is also that of the speaker.
    """
    mean, offsets = x[training].mean(0), np.zeros((2, stratum.max() + 1, x.shape[1]))
    can_be_learned = np.zeros((2, len(offsets[0])), bool)
    for offset, can, part in zip(offsets, can_be_learned, (training, ~training)):
        count = np.bincount(stratum[part], minlength=len(offset))
        np.add.at(offset, stratum[part], x[part] - mean)
        offset /= np.maximum(count, 1)[:, None]
        owners = np.unique(np.stack([stratum[part], speaker[part]]), axis=1)[0]
        can |= np.bincount(owners, minlength=len(offset)) >= _MIN_SPEAKERS
    by_training = np.where(can_be_learned[0][:, None], offsets[0], 0)
    by_tested = np.where((can_be_learned[1] & ~can_be_learned[0])[:, None], offsets[1], 0)
    return x - by_training[stratum] - np.where(training[:, None], 0, by_tested[stratum])


def closed_set(
    seed: int, h: np.ndarray, known: np.ndarray, speaker: np.ndarray
) -> tuple[float, float]:
    """Closed-set identification: the accuracy of recognising which known speaker is speaking.

    Half of the utterances of each speaker, at random, are trained on: the prediction is the speaker
    whose mean direction, whitened as in `speaker_backends`, has the highest cosine. Identification
    succeeds more easily than verification, which is the score to report.

    Args:
      seed: of the halves.
      h: float[N, D].
      known: bool[N], the utterances of the known speakers.
      speaker: int[N].

    Returns:
      Mean recall over the speakers with two utterances, and chance, 1 / speakers. (NaN, NaN) if
      there are fewer than two such speakers.
    """
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(known))
    rows = rows[np.argsort(speaker[rows], kind="stable")]
    counts = np.unique(speaker[rows], return_counts=True)[1]
    rows = rows[np.repeat(counts > 1, counts)]
    if (counts > 1).sum() < 2:
        return float("nan"), float("nan")
    names, first, number = np.unique(speaker[rows], return_index=True, return_inverse=True)
    training = (np.arange(len(rows)) - first[number]) % 2 == 0
    with one_blas_thread():
        white = unit_vectors(whitened(h[rows], training, speaker[rows], np.arange(len(rows))))
        means = np.zeros((len(names), h.shape[1]))
        np.add.at(means, number[training], white[training])
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        correct = (white[~training] @ means.T).argmax(1) == number[~training]
    recalls = np.bincount(number[~training], correct) / np.bincount(number[~training])
    return float(recalls.mean()), 1 / len(names)


def _drawn(
    targets: Sequence[VerificationTarget], speaker: np.ndarray, rng: np.random.Generator
) -> Drawn:
    """The utterances that are tested: of whole speakers, as many as the limits allow."""
    num_speakers = len(np.unique(speaker[np.any([t.tested for t in targets], 0)]))
    # S speakers of c utterances make about S c^2 / 2 pairs of one speaker.
    per_speaker = max(_MIN_PER_SPEAKER, int(np.sqrt(2 * _MAX_PAIRS / max(num_speakers, 1))))
    drawn = []
    for attacked in targets:
        rows = rng.permutation(np.flatnonzero(attacked.tested))
        rows = rows[np.argsort(speaker[rows], kind="stable")]
        place = np.arange(len(rows)) - np.searchsorted(speaker[rows], speaker[rows])
        rows = rows[place < per_speaker]
        names, counts = np.unique(speaker[rows], return_counts=True)
        order = rng.permutation(len(names))
        chosen = names[order][np.cumsum(counts[order]) <= _MAX_PER_TARGET]
        drawn.append(rows[np.isin(speaker[rows], chosen)])
    rows = np.concatenate(drawn)
    target = np.repeat(np.arange(len(drawn)), [len(of_target) for of_target in drawn])
    return Drawn(rows, target, speaker[rows].astype(np.int32))
