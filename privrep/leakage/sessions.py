"""The leak beyond what sessions reveal: rooms, days, devices (host)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from privrep.attacks.suite import Suite
from privrep.leakage.deals import attack_deals
from privrep.statistics.design import (
    BOTH,
    FREE,
    WHOLE,
    WITHIN,
    PermutationRule,
    permutation_rule,
    speaker_blocks,
    tying_speakers,
)
from privrep.statistics.permutation_test import permute
from privrep.statistics.verdict import Verdict, judge
from privrep.types import InferenceSettings, Sample, renumber

CONFOUNDED = (
    "Every class was recorded in sessions of its own, too few of them to separate a class from "
    "its sessions: a leak beyond sessions cannot be measured. Sessions of speakers of "
    "several classes, or more sessions of each class, are needed."
)
_NOT_SUBTRACTED = {
    FREE: "",
    WITHIN: " What a part of a session shares, such as a room of a site, is not subtracted.",
    WHOLE: " What several sessions share, such as a site of several rooms, is not subtracted.",
}
_NOT_SUBTRACTED[BOTH] = _NOT_SUBTRACTED[WHOLE]


class BeyondSessions(NamedTuple):
    """What h reveals beyond the session of an utterance.

    Attributes:
      verdict: its uar is chance plus what the strongest attacker reads above the mean of labels
        that were permuted within sessions, or between sessions as wholes; None where sessions
        cannot be separated from the attribute, see `note`.
      permuted_between: between whom labels were permuted, see `design.Design`.
      left_out: speakers int each, in the order of `numpy.unique`, without whom the sessions come
        apart; see `design.tying_speakers`.
      note: a sentence on what was done.
    """

    verdict: Verdict | None
    permuted_between: str
    left_out: tuple[int, ...]
    note: str


def beyond_sessions(
    sample: Sample, suite: Suite, deals: Sequence[int], settings: InferenceSettings
) -> BeyondSessions | None:
    """The measurement with what sessions reveal subtracted; None without sessions.

    Labels are permuted within sessions of several classes, sessions of one class as wholes. All
    speakers of a session share a fold where possible, so that an attacker never knows the room.

    Args:
      sample: none of its labels unknown.
      suite: the untested attackers are left out.
      deals: seeds of the deals of folds.
      settings: of the test.
    """
    if sample.session is None:
        return None
    tying = tying_speakers(sample.speaker, sample.session)
    names = tuple(tying.tolist())
    apart = sample.take(~np.isin(sample.speaker, tying)) if len(tying) else sample
    left_out = ""
    if names:
        left_out = (
            f"{len(names)} speakers are in so many sessions that they tie them into one; they were "
            "left out here. "
        )
    rule = permutation_rule(apart.labels, apart.speaker, apart.session, settings.folds)
    reason = _why_not(apart, sample.num_classes, rule)
    if reason:
        return BeyondSessions(None, rule.permuted_between, names, left_out + reason)
    permutations = permute(
        apart.labels,
        apart.speaker,
        rule.strata,
        settings.permutations,
        settings.seed,
        rule.units,
        speaker_blocks(apart.speaker, apart.session),
    )
    if permutations.only_rename:
        return BeyondSessions(None, rule.permuted_between, names, left_out + CONFOUNDED)
    suite = suite._replace(untested={})
    dealt = attack_deals(apart, permutations, rule.fold_group, suite, deals, settings.folds)
    chance = 1 / apart.num_classes
    verdict, _ = judge(
        dealt.one_utterance.beyond(chance),
        permutations,
        apart.num_classes,
        settings.limit,
        settings.alpha,
        evidence="one utterance beyond what sessions reveal",
        scarce="sessions",
    )
    note = (
        f"{left_out}Labels were permuted between {rule.permuted_between}."
        f"{_NOT_SUBTRACTED[rule.permuted_between]}"
    )
    return BeyondSessions(verdict, rule.permuted_between, names, note)


def _why_not(apart: Sample, num_classes: int, rule: PermutationRule) -> str:
    """Why a leak beyond sessions cannot be measured, in a sentence; empty if it can."""
    of_class = np.unique(np.stack([apart.speaker, apart.labels]), axis=1)[1]
    if np.bincount(of_class, minlength=num_classes).min() < 2:
        return "A class has fewer than two of these speakers: too few to measure beyond sessions."
    if len(np.unique(renumber(apart.session))) == 1:
        return "All utterances are of one session: the verdict in total holds."
    one_stratum = len(np.unique(rule.strata)) == 1
    one_by_one = len(np.unique(rule.units)) == apart.num_speakers
    if one_stratum and one_by_one and not rule.strata.any():
        return "Every session is of one speaker: the verdict in total holds."
    if one_stratum and (one_by_one or len(np.unique(rule.units)) == 1):
        return (
            "Shared speakers tie the sessions into one: no leak beyond sessions can be measured "
            "unless they are left out."
        )
    return ""
