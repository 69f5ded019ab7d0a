"""The targets of an attack: the runs of a pack, and the controls that they are compared with."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.config.lambdas import strengths
from experiments.results.columns import (
    PROTECTION,
    Row,
    attacker_uar,
    emotion_ccc,
    emotion_uar,
    privacy,
)
from experiments.run.attack_stage import AttackTarget
from experiments.run.health import lagging, lengths
from experiments.run.load_data import Loaded
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.attacks.trained.pair_verification import Pairs
from privrep.attacks.verification_pairs import verification_pairs
from privrep.inputs.labels import private_labels
from privrep.networks.emotion_net import EmotionNet
from privrep.parallel.run_axis import Run, collect, join, take
from privrep.training.problem import DIVERGED, Fit
from privrep.training.streaming import on_devices
from privrep.types import Corpus, Data, Ragged, Split, renumber
from privrep.unlearning.objective import Architecture
from privrep.unlearning.released_h import represent
from privrep.unlearning.releases import NAMES, Learned

PyTree = Any
MOST_PAIRS = 20_000


class TrainedRuns(NamedTuple):
    """Trained networks of a pack that are to be attacked, a row [R, ...] for each run on each fold.

    Attributes:
      settings: of each row the columns of runs.csv that say how it was made, with its fold.
      fits: see `Fit`; `fits.best` are the chosen parameters.
      untrained: the parameters with which each network began.
    """

    architecture: Architecture
    data: Data
    runs: Run
    settings: Sequence[Row]
    fits: Fit
    untrained: PyTree


def make_targets(trained: TrainedRuns, loaded: Loaded) -> tuple[list[AttackTarget], Learned]:
    """The targets that a pack offers: its runs, then the controls.

    Controls stand for every protection: they are made once for all runs that differ in it alone,
    from the least protected one. They are, in this order: the `untrained` network, without a
    release; the `decision` of the trained one, its recognised emotion alone; its h with `shuffled`
    labels; and `raw`, the features that the network is given.

    Returns:
      The targets, and what the releases have learned: rows [R, ...] of the runs, then of controls.
    """
    settings, net = trained.settings, trained.architecture.net
    index = least_protected(settings)
    stack, params = _with_controls(trained, np.array(index))
    h, columns, learned = represent(trained.architecture, trained.data, stack, params)
    scores = {name: np.asarray(values).tolist() for name, values in columns.items()}
    params = collect(params)
    shuffled = _shuffled_labels(loaded, {settings[run]["seed"] for run in index})
    true_pairs, shuffled_pairs_ = _pairs(loaded) if SPEAKER in net.private else (None, None)
    raw = raw_features(loaded.packed.data.corpus)
    shown = None if raw is None else principal(raw, h.shape[2])

    def target(run: int, control: str, **more: Any) -> AttackTarget:
        row, fold = settings[run], settings[run]["fold"]
        codes, pairs = loaded.packed.data.folds.private, true_pairs
        if control == "shuffled":
            codes, pairs = shuffled[row["seed"]], shuffled_pairs_
        if control:
            row = row | dict.fromkeys(PROTECTION) | {"control_lambda": row["lambda"]}
        labels = {a: of_fold[fold] for a, of_fold in codes.items()}
        pairs = None if pairs is None else take(pairs, fold)
        return AttackTarget(row, control, run, labels=labels, pairs=pairs, **more)

    networks = [(run, "") for run in range(len(settings))]
    networks += [(run, control) for control in ("untrained", "decision") for run in index]
    targets = []
    for i, (run, control) in enumerate(networks):
        row = {name: values[i] for name, values in scores.items()}
        if control:  # an untrained network has nothing to collapse from
            del row["collapsed"]
        else:
            row["lagging"] = lagging(settings[run], row, loaded.packed.num_private)
            row["best_epoch"] = int(trained.fits.best_epoch[run])
            train = on_devices(trained.data).folds.split.train[settings[run]["fold"]]
            utterances = np.asarray(train).sum()
            row |= lengths(settings[run], row["best_epoch"], int(utterances))
            row["diverged"] = bool(trained.fits.status[run] == DIVERGED)
        logits = np.asarray(_logits(net, take(params, i), h[i]))
        more = {"h": h[i], "pooled_h": h[i], "logits": logits, "scores": row}
        targets.append(target(run, control, **more))
    targets += [target(run, "shuffled", h=h[run]) for run in index]
    targets += [target(run, "raw", h=shown, pooled_h=raw) for run in index]
    return targets, learned


def least_protected(settings: Sequence[Row]) -> list[int]:
    """The rows from which controls are made: of those that differ in protection alone, the first
    with the least lambda."""
    first: dict[tuple, int] = {}
    for i in sorted(range(len(settings)), key=lambda i: strengths(settings[i]["lambda"])):
        key = tuple(v for n, v in settings[i].items() if n not in PROTECTION)
        first.setdefault(key, i)
    return sorted(first.values())


def shuffled_pairs(pairs: np.ndarray, same: np.ndarray, seed: int) -> np.ndarray:
    """`same` permuted among the pairs of each fold: bool[K, P].

    Args:
      pairs, same: int32[K, P, 2], bool[K, P], as `verification_pairs` returns them.
    """
    rng = np.random.default_rng(seed)
    result = np.zeros_like(same)
    for k, real in enumerate(pairs[..., 0] >= 0):
        result[k, real] = rng.permutation(same[k, real])
    return result


def shuffled_over_speakers(
    labels: np.ndarray, speakers: np.ndarray, split: Split, seed: int
) -> np.ndarray:
    """Permutes labels in every part of every fold: an attacker recovers them by chance only.

    Where a speaker has one value (gender, accent), the values are permuted between the speakers of
    a part; where values vary within a speaker, between the utterances of a part. The values that
    occur in a part stay the same.

    Args:
      labels: int32[K, N], -1 unknown.
      speakers: int32[N].
      split: bool[K, N] each.

    Returns:
      int32[K, N].
    """
    rng = np.random.default_rng(seed)
    result = np.full_like(labels, -1)
    for k in range(len(labels)):
        of_speaker = all(
            len(np.unique(labels[k][(speakers == s) & (labels[k] >= 0)])) <= 1
            for s in np.unique(speakers)
        )
        units = speakers if of_speaker else np.arange(len(speakers))
        for part in split:
            rows = np.flatnonzero(part[k] & (labels[k] >= 0))
            names, first, member = np.unique(units[rows], return_index=True, return_inverse=True)
            values = labels[k][rows[first]]
            result[k][rows] = rng.permutation(values)[member] if len(names) else values
    return result


def raw_features(corpus: Corpus) -> np.ndarray | None:
    """Mean and deviation over time of the frames, mean of fixed word vectors, side by side.

    Returns:
      float32[N, 2 F + E], with what of the two there is; None where words alone are given and
      their vectors are learned in the network.
    """
    parts, (frames, words, vectors) = [], corpus
    if frames is not None:
        parts.append(_each(frames, lambda rows: np.concatenate([rows.mean(0), rows.std(0)])))
    if words is not None and vectors is not None:
        parts.append(_each(words, lambda rows: vectors[rows].mean(0)))
    elif words is not None and words.values.ndim == 2:
        parts.append(_each(words, lambda rows: rows.mean(0)))
    return np.concatenate(parts, 1).astype(np.float32) if parts else None


def _each(sequences: Ragged, f: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """f of every sequence, in the order in which they lie in the file; of an empty one, 0."""
    values = {}
    for i in np.argsort(sequences.start, kind="stable"):
        start, length = int(sequences.start[i]), int(sequences.length[i])
        if length:
            values[int(i)] = f(sequences.values[start : start + length])
    empty = np.zeros_like(next(iter(values.values())))
    return np.stack([values.get(i, empty) for i in range(len(sequences.length))])


def principal(x: np.ndarray, size: int) -> np.ndarray:
    """float32[N, size]: x and columns of 0, or the `size` first principal components of x.

    Attackers of h and of raw features are then one program, with as many columns.
    """
    if x.shape[1] <= size:
        return np.pad(x, ((0, 0), (0, size - x.shape[1])))
    deviation = x.std(0)
    scaled = (x - x.mean(0)) / np.where(deviation > 1e-6, deviation, np.inf)
    _, vectors = np.linalg.eigh(scaled.T @ scaled)
    return (scaled @ vectors[:, ::-1][:, :size]).astype(np.float32)


def _with_controls(trained: TrainedRuns, index: np.ndarray) -> tuple[Run, PyTree]:
    """Rows of the runs, of the untrained networks and of the decisions, and their parameters."""
    controls = released(take(trained.runs, index), "none")
    stack = join(trained.runs, controls, released(controls, "decision"))
    untrained = take(trained.untrained, index)
    return stack, join(trained.fits.best, untrained, take(trained.fits.best, index))


def released(runs: Run, release: str) -> Run:
    """The runs with another release, of strength 1."""
    number = np.full(len(runs.fold), NAMES.index(release), np.int32)
    strength = {a: np.ones(len(number), np.float32) for a in runs.release_lambda}
    return runs._replace(release=number, release_lambda=strength)


@partial(jax.jit, static_argnums=0)
def _logits(net: EmotionNet, params: PyTree, h: jax.Array) -> Any:
    """float[N, C]: of the emotion that is recognised from the released h [N, D]; C = 1 of a
    regression, whose prediction it is."""
    return net.apply({"params": params}, h, method="emotion")


def _shuffled_labels(loaded: Loaded, seeds: Iterable[int]) -> dict[int, dict[str, np.ndarray]]:
    """{seed: {attribute: int32[K, N]}}, see `shuffled_over_speakers`."""
    folds = loaded.packed.data.folds
    speakers, _ = private_labels(loaded.utterances, SPEAKER)
    return {
        seed: {
            a: shuffled_over_speakers(codes, speakers, folds.split, seed)
            for a, codes in folds.private.items()
        }
        for seed in seeds
    }


def _pairs(loaded: Loaded) -> tuple[Pairs, Pairs]:
    """Pairs of the test utterances of each fold, rows [K, ...]; and the same, `same` shuffled."""
    speakers, _ = private_labels(loaded.utterances, SPEAKER)
    sessions = [u.session for u in loaded.utterances if u.session is not None]
    session = renumber(sessions) if len(sessions) == len(speakers) else None
    pairs, same = verification_pairs(speakers, loaded.split, MOST_PAIRS, seed=0, session=session)
    return Pairs(pairs, same), Pairs(pairs, shuffled_pairs(pairs, same, seed=0))


def guesses(loaded: Loaded, targets: Sequence[AttackTarget]) -> list[Row]:
    """Rows of the two guesses that look at nothing: any class, and the training part's majority.

    Args:
      targets: those whose settings the rows have, one for each row of a guess.
    """
    folds = loaded.packed.data.folds
    rows = []
    for control in ("chance", "majority"):
        for target in targets:
            k = target.fold
            if loaded.packed.ratings is None:
                classes = len(loaded.packed.task_names)
                uar = _guess_uar(folds.task[k], folds.split, k, classes, control)
                guess = {emotion_uar("test"): uar}
            else:  # a constant, as the mean rating, has no concordance with any
                guess = {emotion_ccc("test"): 0.0}
            row = target.settings | {"control": control} | guess
            for a, size in loaded.packed.num_private.items():
                # "Different speakers", always, is wrong half the time, as any answer is.
                uar = 0.5
                if a != SPEAKER:
                    uar = _guess_uar(folds.private[a][k], folds.split, k, size, control)
                row |= {attacker_uar("test", a): uar, privacy(a): 1 - uar}
            rows.append(row)
    return rows


def _guess_uar(
    labels: np.ndarray, split: Split, fold: int, num_classes: int, control: str
) -> float:
    if control == "chance":
        return 1 / num_classes
    train = labels[split.train[fold] & (labels >= 0)]
    test = labels[split.test[fold] & (labels >= 0)]
    majority = np.bincount(train).argmax()
    return float(np.mean([c == majority for c in np.unique(test)]))
