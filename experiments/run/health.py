"""Checks that a training ran its planned length and that its adversaries learned."""

from collections.abc import Mapping
from typing import Any

from experiments.config.lambdas import strengths
from experiments.results.columns import Row, adversary_uar
from privrep.training.problem import steps_per_epoch
from privrep.unlearning.defences import RESISTED

LEAD = 0.02  # above chance: the least UAR of an adversary that has learned something


def lagging(settings: Row, scores: Mapping[str, Any], sizes: Mapping[str, int]) -> bool:
    """Whether a resisted adversary stood at chance on the utterances that it was trained on.

    What it did not find was not unlearned, however constant its answers are.

    Args:
      settings: columns of the run.
      scores: train_<attribute>_adversary_uar among them.
      sizes: {attribute: number of classes}.
    """
    if settings["defence"] not in RESISTED:
        return False
    lambdas = dict(zip(str(settings["private"]).split("+"), strengths(settings["lambda"])))
    resisted = [a for a, lambda_ in lambdas.items() if lambda_]
    return any(float(scores[adversary_uar("train", a)]) < 1 / sizes[a] + LEAD for a in resisted)


def lengths(settings: Row, epoch: int, utterances: int) -> Row:
    """The length of training until the end of an epoch.

    Args:
      utterances: of the training part.
    """
    steps = steps_per_epoch(utterances, settings["batch_size"])
    return {"chosen_step": epoch * steps, "chosen_utterances": epoch * utterances}
