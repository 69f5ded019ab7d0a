"""The attackers of membership identification, who score speakers, and how often they win (host)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from privrep.attacks.protocol import standardised
from privrep.leakage.membership.games import Game, games


class Tried(NamedTuple):
    """Of A attackers: float[A, P], [A], [A, S, S], and [S, S], as in `Identified`."""

    aucs: np.ndarray
    accuracies: np.ndarray
    wins: np.ndarray
    counts: np.ndarray


def attackers(
    h: np.ndarray, losses: np.ndarray | None, each: int
) -> dict[str, dict[str, np.ndarray]]:
    """{known: {attacker: what it goes by}}: float[K, S, S], inner products of speakers as an
    attacker who learns takes them, or float[K, S], scores that need no learning."""
    x = [_with_squares(one) for one in h]
    found = {"h": {"h": np.stack([_products(one, each) for one in x])}}
    if losses is not None:
        told = map(standardised, np.stack([losses, np.exp(-losses)], -1))
        both = [_products(np.concatenate(pair, 1), each) for pair in zip(x, told)]
        mean = losses.reshape(len(losses), -1, each).mean(-1)
        spread = np.maximum(mean.std(1, keepdims=True), 1e-12)
        threshold = (mean.mean(1, keepdims=True) - mean) / spread
        found["labels"] = {"both": np.stack(both), "loss": threshold}
        if len(losses) > 1:
            elsewhere = (threshold.sum(0) - threshold) / (len(losses) - 1)
            found["labels"]["reference"] = threshold - elsewhere
    return found


def _with_squares(h: np.ndarray) -> np.ndarray:
    """Members may lie further out rather than elsewhere."""
    x = standardised(h)
    return np.concatenate([x, standardised(x * x)], 1)


def _products(x: np.ndarray, each: int) -> np.ndarray:
    """float[S, S]: x' (S + ridge I)^-1 x between the speakers' means of x [S * each, F]."""
    means = x.reshape(-1, each, x.shape[1]).mean(1, dtype=np.float64)
    means -= means.mean(0)
    covariance = means.T @ means / len(means)
    ridge = np.trace(covariance) / len(covariance)
    if ridge < 1e-12:
        return np.zeros((len(means), len(means)))
    return means @ np.linalg.solve(covariance + ridge * np.eye(len(covariance)), means.T)


def tried(
    attackers: Sequence[np.ndarray], order: np.ndarray, placed: np.ndarray, alike: np.ndarray
) -> Tried:
    """Every attacker in the games of every labelling int[P, K, S]."""
    num = len(attackers)
    wins, counts = np.zeros((num, len(alike), len(alike))), np.zeros((len(alike), len(alike)))
    aucs, accuracies = np.zeros((num, len(placed))), []
    for p, roles in enumerate(placed):
        comparisons = 0
        for game in games(order, roles, alike):
            played = [_play(known, game) for known in attackers]
            aucs[:, p] += [won.sum() for won, _ in played]
            comparisons += played[0][0].size
            if p == 0:
                pairs = game.met_members[:, :, None], game.met_others[:, None, :]
                np.add.at(counts, pairs, 1)
                for own, (won, _) in zip(wins, played):
                    np.add.at(own, pairs, won)
                accuracies.append([right for _, right in played])
        aucs[:, p] /= comparisons
    return Tried(aucs, np.mean(accuracies, 0), wins, counts)


def _play(known: np.ndarray, game: Game) -> tuple[np.ndarray, float]:
    """Wins float[B, n, n] of members met over others met, and the mean balanced accuracy."""
    learned = game.known_members, game.known_others
    if known.ndim == 3:
        products = known[game.k]
        score = products[learned[0]].mean(1) - products[learned[1]].mean(1)
    else:
        score = np.broadcast_to(known[game.k], (len(learned[0]), known.shape[1]))
    middle = sum(np.take_along_axis(score, who, 1).mean(1) for who in learned)[:, None] / 2
    members, others = (
        np.take_along_axis(score, who, 1) for who in (game.met_members, game.met_others)
    )
    right = np.sign(members - middle).mean() - np.sign(others - middle).mean()
    return (np.sign(members[:, :, None] - others[:, None, :]) + 1) / 2, 0.5 + right / 4
