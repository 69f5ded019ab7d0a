"""The threats of an audit, from an ignorant attacker to many utterances of a victim (host)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from privrep.attacks.suite import QUICK, attacker
from privrep.auditing.read_inputs import AuditInputs
from privrep.leakage.measurement import Measurement
from privrep.leakage.online_code import online_code
from privrep.leakage.threat_ladder import ladder
from privrep.types import SECONDARY, InferenceSettings

_ORDER = ("ignorant", "transferred", "informed", "float16", "int8")
_INFORMED = ("informed", "float16", "int8")


class ThreatResult(NamedTuple):
    """UAR of one attacker under one threat, with bounds; see `threats`."""

    threat: str
    attacker: str
    uar: float
    lower: float
    upper: float


class OnlineCodeResult(NamedTuple):
    """The online code of one attacker, see `online_code.OnlineCode`."""

    attacker: str
    bits: float
    uniform: float
    prior: float
    compression: float
    speakers: tuple[int, ...]


def strongest_quick(measured: Measurement) -> str:
    """The strongest attacker that is quickly trained; linear if none was in the suite."""
    quick = [result for result in measured.attackers.values() if result.name in QUICK]
    return max(quick, key=lambda result: result.uar).name if quick else "linear"


def threats(
    inputs: AuditInputs, measured: Measurement, name: str, settings: InferenceSettings
) -> tuple[ThreatResult, ...]:
    """The rungs of `threat_ladder.ladder` by the attacker called `name`, and several utterances.

    An informed attacker is what was measured: the strongest has the bounds of the result, another
    one those of the table of attackers. The upper bound
    of an informed attacker is at least the best score of any attacker on one utterance, for rounded
    h too.
    """
    informed = measured.attackers.get(name)
    rungs = ladder(
        inputs.sample,
        attack=attacker(name),
        unprotected=inputs.unprotected,
        other=inputs.other,
        without=() if informed is None else ("informed",),
        settings=replace(settings, permutations=min(settings.permutations, SECONDARY.permutations)),
    )
    results = [ThreatResult(rung.threat, name, rung.uar, rung.lower, rung.upper) for rung in rungs]
    if informed is not None:
        of = measured.verdict if name == measured.strongest else informed
        results.append(ThreatResult("informed", name, of.uar, of.lower, of.upper))
    read = max([measured.verdict.uar, *measured.untested.values()])
    results = [
        r._replace(upper=max(r.upper, read)) if r.threat in _INFORMED else r for r in results
    ]
    results.sort(key=lambda result: _ORDER.index(result.threat))
    names = of_victims([victim.utterances for victim in measured.victims])
    for threat, victim in zip(names, measured.victims):
        bounds = victim.uar, victim.lower, victim.upper
        results.append(ThreatResult(threat, victim.attacker, *bounds))
    return tuple(results)


def of_victims(counts: Sequence[int]) -> list[str]:
    """The names of the threats of several utterances of a victim, the last of which is all.

    >>> of_victims([1, 2, 12])
    ['1 utterance', '2 utterances', 'all of a person (up to 12)']
    """
    names = [utterances(count) for count in counts]
    if counts and counts[-1] > 1:
        names[-1] = f"all of a person (up to {counts[-1]})"
    return names


def utterances(count: int) -> str:
    """The name of the threat of `count` utterances of a victim."""
    return f"{count} utterance{'s' if count > 1 else ''}"


def code_length(inputs: AuditInputs, name: str, seed: int) -> OnlineCodeResult:
    """The online code of the attacker called `name`."""
    code = online_code(inputs.sample, attack=attacker(name), seed=seed)
    return OnlineCodeResult(name, *code)
