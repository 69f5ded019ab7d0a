"""The threats of an audit: the ladder from an ignorant attacker to many utterances of a victim."""

from typing import Any

from privrep.attacks.suite import QUICK
from privrep.auditing.read_inputs import Inputs
from privrep.leakage.measurement import Measurement
from privrep.leakage.online_code import online_code
from privrep.leakage.threat_ladder import ladder

Report = dict[str, Any]
_ORDER = ("ignorant", "transferred", "informed", "float16", "int8")


def threats(inputs: Inputs, told: Measurement, seed: int) -> Report:
    """What `threats`, `online_code` and `strongest_quick` of an audit say.

    Args:
      told: the measurement of `inputs`.
    """
    samples = inputs.samples
    # Of the attackers that can be trained many times over; linear if none was in the suite.
    there = [name for name in told.attackers if name in QUICK]
    name = max(there, key=lambda one: told.attackers[one].uar, default="linear")
    rungs = ladder(
        inputs.h,
        samples.labels,
        samples.speakers,
        sessions=samples.sessions,
        attack=QUICK[name],
        unprotected=inputs.unprotected,
        other=inputs.other,
        seed=seed,
    )
    found = [one._asdict() | {"attacker": name} for one in rungs]
    found.sort(key=lambda one: _ORDER.index(one["threat"]))
    found += [
        {"threat": f"{v.k} utterance{'s' * (v.k > 1)}", "attacker": told.headline}
        | {n: getattr(v, n) for n in ("uar", "lower", "upper")}
        for v in told.victims
    ]
    code = online_code(inputs.h, samples.labels, samples.speakers, attack=QUICK[name], seed=seed)
    return {
        "threats": found,
        "strongest_quick": name,
        "online_code": code._asdict() | {"attacker": name},
    }
