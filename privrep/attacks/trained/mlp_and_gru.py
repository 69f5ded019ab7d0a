"""Attackers that are networks (MLP, GRU) as `Attack` functions, retrained for every permutation."""

import jax
import numpy as np

from privrep.attacks.lda_moments import choose, temperature
from privrep.attacks.protocol import Attack, Attacked, training_sample
from privrep.attacks.scaling import standardised
from privrep.attacks.trained.dense import ATTACK_SETTINGS, Dense
from privrep.attacks.trained.retrained_networks import PermutedLabels, Recurrent, learn
from privrep.training.problem import FitSettings

GRID = (Dense(2, 32), Dense(4, 64))  # corners of the paper's grid
WIDTH = 32  # of the GRU
MAX_SAMPLED = 2048  # utterances used for training and validation
_BLOCK = 64
_GRU_SETTINGS = ATTACK_SETTINGS._replace(max_epochs=30, patience=6)


def mlp(
    seed: int,
    h: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
    num_classes: int,
    only: int | None = None,
) -> Attacked:
    """Dense networks with two layers of 32 units and four of 64: corners of the paper's grid.

    All labellings, folds and sizes are one stack of one program. Epoch and size are chosen by the
    UAR on the validation fold, which is the one after the test fold. At most 2048 utterances, drawn
    at random in equal numbers from all speakers, are used for training and validation; all are
    predicted.

    Arguments and result as in `lda.linear`.
    """
    names = [f"mlp_{size.depth}x{size.width}" for size in GRID]
    data = _permuted_labels(seed, standardised(h).astype(np.float32), None, labels, speakers, folds)
    return _attacked(GRID, names, ATTACK_SETTINGS, data, seed, num_classes, only)


def sequence(frames: np.ndarray, num_frames: np.ndarray | None) -> Attack:
    """An attacker on sequences of frames: a GRU of 32 units and the mean of its states.

    It is trained as `mlp` is. Frames from num_frames on are not used.

    Args:
      frames: float[N, T, D], in the order of the utterances that are measured.
      num_frames: int[N], at least 1, or None if every utterance has T frames.

    Returns:
      An `Attack` that reads these frames; its argument h is ignored except for the number of
      rows.
    """
    length = np.full(len(frames), frames.shape[1]) if num_frames is None else num_frames
    inside = np.arange(frames.shape[1])[None] < np.asarray(length)[:, None]
    x = np.zeros(frames.shape, np.float32)
    x[inside] = standardised(frames[inside])

    def attack(
        seed: int,
        h: np.ndarray,
        labels: np.ndarray,
        speakers: np.ndarray,
        folds: np.ndarray,
        num_classes: int,
        only: int | None = None,
    ) -> Attacked:
        if len(h) != len(x):
            raise ValueError(f"frames of {len(x)} utterances, and {len(h)} rows of h")
        data = _permuted_labels(seed, x, np.asarray(length, np.int32), labels, speakers, folds)
        network = Recurrent(WIDTH)
        return _attacked(network, ["GRU"], _GRU_SETTINGS, data, seed, num_classes, only)

    return attack


def _permuted_labels(
    seed: int,
    h: np.ndarray,
    num_frames: np.ndarray | None,
    labels: np.ndarray,
    speakers: np.ndarray,
    folds: np.ndarray,
) -> PermutedLabels:
    sampled = training_sample(seed, speakers, MAX_SAMPLED)
    return PermutedLabels(
        h=h,
        num_frames=num_frames,
        labels=labels.astype(np.int32),
        folds=folds.astype(np.int32),
        sampled=sampled,
        sampled_blocks=_blocks(np.where(sampled, folds, -1)),
        blocks=_blocks(folds),
    )


def _blocks(folds: np.ndarray) -> np.ndarray:
    """int32[K, n, b]: the rows of each fold, -1 for padding; rows of fold -1 are left out."""
    of_fold = [np.flatnonzero(folds == fold) for fold in range(folds.max() + 1)]
    longest = max(map(len, of_fold))
    blocks = np.full((len(of_fold), longest + -longest % _BLOCK), -1, np.int32)
    for row, rows in zip(blocks, of_fold):
        row[: len(rows)] = rows
    return blocks.reshape(len(of_fold), -1, _BLOCK)


def _attacked(
    sizes: tuple[Dense, ...] | Recurrent,
    names: list[str],
    settings: FitSettings,
    data: PermutedLabels,
    seed: int,
    num_classes: int,
    only: int | None,
) -> Attacked:
    """Trains and evaluates the networks; `names` are those of the sizes."""
    num_folds = len(data.blocks)
    test_folds = tuple(range(num_folds)) if only is None else (only,)
    results = learn(sizes, settings, data, jax.random.key(seed), test_folds, num_classes)
    best = np.nan_to_num(results["score"], nan=-1.0, neginf=-1.0).argmax(0)
    predictions = np.full(data.labels.shape, -1, np.int16)
    log_likelihoods = np.full((data.labels.shape[1], num_classes), np.nan, np.float32)
    chosen = [""] * num_folds
    labellings = np.arange(len(data.labels))
    for i, fold in enumerate(test_folds):
        size, val_fold = best[i], (fold + 1) % num_folds
        rows, is_row = _rows(data.blocks[fold])
        predictions[:, rows] = choose(
            _against_first(results["test"][size, i, labellings][:, is_row])
        )
        # Of the true labels: likelihoods, scaled on the validation fold.
        val_rows, is_val_row = _rows(data.sampled_blocks[val_fold])
        logits = _against_first(results["val"][size[0], i, 0][is_val_row])
        train = data.sampled & (data.folds != fold) & (data.folds != val_fold)
        prior = np.bincount(data.labels[0, train], minlength=num_classes).astype(float)
        strength = temperature(logits, data.labels[0, val_rows], prior)
        test_logits = _against_first(results["test"][size[0], i, 0][is_row])
        log_likelihoods[rows, 0] = 0
        log_likelihoods[rows, 1:] = strength * test_logits
        chosen[fold] = names[size[0]]
    return Attacked(predictions, log_likelihoods, tuple(chosen))


def _rows(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows in the blocks, int[m], and their places in the flattened blocks, bool[n * b]."""
    flat = blocks.reshape(-1)
    return flat[flat >= 0], flat >= 0


def _against_first(logits: np.ndarray) -> np.ndarray:
    """Logits minus that of the first class, without the first class. [..., C] -> [..., C - 1]."""
    return logits[..., 1:] - logits[..., :1]
