"""Attackers that are networks, in the form of the measurement: trained anew for every labelling."""

import jax
import numpy as np

from privrep.attacks.lda_moments import choose, temperature
from privrep.attacks.protocol import Attack, Attacked, places, standardised
from privrep.attacks.trained.dense import ATTACK_SETTINGS, Dense
from privrep.attacks.trained.retrained_networks import Exchanged, Recurrent, learn

GRID = (Dense(2, 32), Dense(4, 64))  # corners of the paper's grid
WIDTH = 32  # of the GRU
TEACHERS = 2048  # utterances to learn from, at most
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
    """Dense networks, two layers of 32 and four of 64: corners of the paper's grid.

    All labellings, folds and sizes are one stack of one program. Epoch and size are chosen by the
    UAR on validation speakers, the fold behind the tested one. They learn from up to 2048
    utterances, evenly of all speakers, drawn at random, and guess all.

    Arguments and result as in `lda.linear`.
    """
    names = [f"mlp_{size.depth}x{size.width}" for size in GRID]
    data = _exchanged(seed, standardised(h), None, labels, speakers, folds)
    return _attacked(GRID, names, ATTACK_SETTINGS, data, seed, num_classes, only)


def sequence(frames: np.ndarray, num_frames: np.ndarray | None) -> Attack:
    """The attacker that reads frames in their order: a GRU of 32 units, the mean of its states.

    Trained as `mlp`. What lies behind an utterance's num_frames is never looked at.

    Args:
      frames: float[N, T, D], of the utterances that are measured, in their order.
      num_frames: int[N], at least 1, or None where all T count.

    Returns:
      An `Attack`, which does not look at the h it is given but for its number of rows.
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
        data = _exchanged(seed, x, np.asarray(length, np.int32), labels, speakers, folds)
        network = Recurrent(WIDTH)
        return _attacked(network, ["GRU"], _GRU_SETTINGS, data, seed, num_classes, only)

    return attack


def _exchanged(seed, h, num_frames, labels, speakers, folds) -> Exchanged:
    place = places(np.random.default_rng(seed), speakers)
    taught = place < max(TEACHERS // (speakers.max() + 1), 1)
    return Exchanged(
        h=h,
        num_frames=num_frames,
        labels=labels.astype(np.int32),
        folds=folds.astype(np.int32),
        taught=taught,
        known=_blocks(np.where(taught, folds, -1)),
        blocks=_blocks(folds),
    )


def _blocks(folds: np.ndarray) -> np.ndarray:
    """int32[K, n, b]: the rows of each fold, -1 padding; rows of fold -1 are in none."""
    of_fold = [np.flatnonzero(folds == fold) for fold in range(folds.max() + 1)]
    longest = max(map(len, of_fold))
    found = np.full((len(of_fold), longest + -longest % _BLOCK), -1, np.int32)
    for row, rows in zip(found, of_fold):
        row[: len(rows)] = rows
    return found.reshape(len(of_fold), -1, _BLOCK)


def _attacked(sizes, names, settings, data, seed, num_classes, only) -> Attacked:
    num_folds = len(data.blocks)
    asked = tuple(range(num_folds)) if only is None else (only,)
    found = learn(sizes, settings, data, jax.random.key(seed), asked, num_classes)
    best = np.nan_to_num(found["score"], nan=-1.0, neginf=-1.0).argmax(0)
    predictions = np.full(data.labels.shape, -1, np.int16)
    log_likelihoods = np.full((data.labels.shape[1], num_classes), np.nan, np.float32)
    chosen = [""] * num_folds
    every = np.arange(len(data.labels))
    for i, fold in enumerate(asked):
        size, held = best[i], (fold + 1) % num_folds
        rows, there = _rows(data.blocks[fold])
        guessed = choose(_against_first(found["test"][size, i, every][:, there]))
        predictions[:, rows] = guessed
        seen, known = _rows(data.known[held])
        logits = _against_first(found["val"][size[0], i, 0][known])
        learned = data.taught & (data.folds != fold) & (data.folds != held)
        prior = np.bincount(data.labels[0, learned], minlength=num_classes).astype(float)
        strength = temperature(logits, data.labels[0, seen], prior)
        log_likelihoods[rows, 0] = 0
        log_likelihoods[rows, 1:] = strength * _against_first(found["test"][size[0], i, 0][there])
        chosen[fold] = names[size[0]]
    return Attacked(predictions, log_likelihoods, tuple(chosen))


def _rows(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows in the blocks, and where they stand."""
    flat = blocks.reshape(-1)
    return flat[flat >= 0], flat >= 0


def _against_first(logits: np.ndarray) -> np.ndarray:
    return logits[..., 1:] - logits[..., :1]
