"""Attackers of membership identification, which score speakers, and how often they win (host)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from privrep.attacks.scaling import standardised
from privrep.leakage.membership.games import Game, games


class AttackerScores(NamedTuple):
    """The results of A attackers.

    Attributes:
      aucs: float[A, P], under every labelling.
      accuracies: float[A], balanced accuracies under the true labelling.
      wins: float[A, S, S] and counts: float[S, S], see `identify.Identified`.
    """

    aucs: np.ndarray
    accuracies: np.ndarray
    wins: np.ndarray
    counts: np.ndarray


def attackers(
    h: np.ndarray, losses: np.ndarray | None, size: int
) -> dict[str, dict[str, np.ndarray]]:
    """The attackers by what they have, "h" or "labels", and by their names.

    Args:
      h: float[K, S * size, D], `size` utterances of each speaker after another.
      losses: float[K, S * size], or None for no attackers that have labels.
      size: utterances of a speaker.

    Returns:
      {knowledge: {attacker: float[K, S, S], inner products of speakers for an attacker that is
      trained, or float[K, S], scores that need no training}}.
    """
    x = [_with_squares(of_network) for of_network in h]
    by_knowledge = {"h": {"h": np.stack([_products(features, size) for features in x])}}
    if losses is not None:
        loss_columns = map(standardised, np.stack([losses, np.exp(-losses)], -1))
        both = [_products(np.concatenate(pair, 1), size) for pair in zip(x, loss_columns)]
        mean = losses.reshape(len(losses), -1, size).mean(-1)
        spread = np.maximum(mean.std(1, keepdims=True), 1e-12)
        threshold = (mean.mean(1, keepdims=True) - mean) / spread
        by_knowledge["labels"] = {"both": np.stack(both), "loss": threshold}
        if len(losses) > 1:
            other_networks = (threshold.sum(0) - threshold) / (len(losses) - 1)
            by_knowledge["labels"]["reference"] = threshold - other_networks
    return by_knowledge


def _with_squares(h: np.ndarray) -> np.ndarray:
    """h and its squares, standardised: members may differ in their distance from the mean."""
    x = standardised(h)
    return np.concatenate([x, standardised(x * x)], 1)


def _products(x: np.ndarray, size: int) -> np.ndarray:
    """float[S, S]: x' (S + ridge I)^-1 x between the speakers' means of x [S * size, F]."""
    means = x.reshape(-1, size, x.shape[1]).mean(1, dtype=np.float64)
    means -= means.mean(0)
    covariance = means.T @ means / len(means)
    ridge = np.trace(covariance) / len(covariance)
    if ridge < 1e-12:
        return np.zeros((len(means), len(means)))
    return means @ np.linalg.solve(covariance + ridge * np.eye(len(covariance)), means.T)


def play_all(
    attackers: Sequence[np.ndarray], order: np.ndarray, roles: np.ndarray, kind: np.ndarray
) -> AttackerScores:
    """The results of every attacker in the games of every labelling.

    Args:
      attackers: float[K, S, S] or float[K, S] each, see `attackers`.
      order, kind: see `games.games`.
      roles: int[P, K, S] of every labelling, the true one first.
    """
    num = len(attackers)
    wins, counts = np.zeros((num, len(kind), len(kind))), np.zeros((len(kind), len(kind)))
    aucs, accuracies = np.zeros((num, len(roles))), []
    for p, of_labelling in enumerate(roles):
        comparisons = 0
        for game in games(order, of_labelling, kind):
            played = [_play(attacker, game) for attacker in attackers]
            aucs[:, p] += [won.sum() for won, _ in played]
            comparisons += played[0][0].size
            if p == 0:
                pairs = game.tested_members[:, :, None], game.tested_others[:, None, :]
                np.add.at(counts, pairs, 1)
                for of_attacker, (won, _) in zip(wins, played):
                    np.add.at(of_attacker, pairs, won)
                accuracies.append([accuracy for _, accuracy in played])
        aucs[:, p] /= comparisons
    return AttackerScores(aucs, np.mean(accuracies, 0), wins, counts)


def _play(attacker: np.ndarray, game: Game) -> tuple[np.ndarray, float]:
    """Wins float[B, n, n] of tested members over tested others, and the mean balanced accuracy."""
    training = game.training_members, game.training_others
    if attacker.ndim == 3:
        products = attacker[game.k]
        score = products[training[0]].mean(1) - products[training[1]].mean(1)
    else:
        score = np.broadcast_to(attacker[game.k], (len(training[0]), attacker.shape[1]))
    means = [np.take_along_axis(score, side, 1).mean(1) for side in training]
    threshold = sum(means)[:, None] / 2
    members, others = (
        np.take_along_axis(score, side, 1) for side in (game.tested_members, game.tested_others)
    )
    correct = np.sign(members - threshold).mean() - np.sign(others - threshold).mean()
    return (np.sign(members[:, :, None] - others[:, None, :]) + 1) / 2, 0.5 + correct / 4
