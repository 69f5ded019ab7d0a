"""The threats of an audit, from an ignorant attacker to many utterances of a victim (host)."""

from dataclasses import replace
from typing import NamedTuple

from privrep.attacks.suite import QUICK, attacker
from privrep.auditing.read_inputs import AuditInputs
from privrep.leakage.measurement import Measurement
from privrep.leakage.online_code import online_code
from privrep.leakage.threat_ladder import ladder
from privrep.types import SECONDARY, InferenceSettings

_ORDER = ("ignorant", "transferred", "informed", "float16", "int8")


class ThreatResult(NamedTuple):
    """UAR of one attacker under one threat, with bounds for this attacker by itself."""

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

    An informed attacker is what was measured: its numbers are those of the table of attackers.
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
        bounds = informed.uar, informed.lower, informed.upper
        results.append(ThreatResult("informed", name, *bounds))
    results.sort(key=lambda result: _ORDER.index(result.threat))
    for victim in measured.victims:
        threat = utterances(victim.utterances)
        results.append(
            ThreatResult(threat, measured.strongest, victim.uar, victim.lower, victim.upper)
        )
    return tuple(results)


def utterances(count: int) -> str:
    """The name of the threat of `count` utterances of a victim."""
    return f"{count} utterance{'s' if count > 1 else ''}"


def code_length(inputs: AuditInputs, name: str, seed: int) -> OnlineCodeResult:
    """The online code of the attacker called `name`."""
    code = online_code(inputs.sample, attack=attacker(name), seed=seed)
    return OnlineCodeResult(name, *code)
