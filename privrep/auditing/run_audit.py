"""The audit of any representations: from two files to a verdict, a JSON report and a card."""

import hashlib
import json
import math
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import privrep
from privrep.attacks.suite import QUICK, SEQUENCE, exchanges, suite
from privrep.auditing.card import card
from privrep.auditing.join import Samples
from privrep.auditing.questions import further
from privrep.auditing.read_inputs import Sources, check_output, read_inputs
from privrep.auditing.threats import threats
from privrep.files import replace_file
from privrep.leakage.learning_curve import learning_curve
from privrep.leakage.measurement import Measurement, measure
from privrep.statistics.permutation_test import FREE
from privrep.statistics.verdict import ALPHA, LIMIT, least_exchanges

PERMUTATIONS = 200
_SIZES = tuple(8 * 2**i for i in range(20))  # speakers of the learning curve
_DRAWS = 3  # of speakers, per point that does not take them all
_PACKAGES = ("numpy", "scipy", "scikit-learn", "privrep")
Report = dict[str, Any]


def audit(
    representations: str | Path,
    labels: str | Path,
    attribute: str,
    output: str | Path,
    *,
    speaker: str = "speaker",
    session: str = "session",
    only: Mapping[str, Sequence[str]] | None = None,
    given: Sequence[str] | None = None,
    unprotected: str | Path | None = None,
    other: str | Path | None = None,
    other_labels: str | Path | None = None,
    attackers: Sequence[str] = tuple(QUICK),
    num_permutations: int | None = None,
    limit: float = LIMIT,
    seed: int = 0,
) -> Report:
    """Measures how much of `attribute` the representations tell; writes audit.json and audit.html.

    Args:
      representations: a file of [N, D] or [N, T, D], see `read_vectors`. Of frames, the
        mean and deviation over time are attacked; a column num_frames of the labels says how many
        of the T are no padding.
      labels: a table with the columns `speaker`, `attribute` and perhaps `session` and id, see
        `read_table`.
      output: the folder to write to, made if it is not there.
      only: {column: values} of the labels: rows that have none of the values are left out.
      given: columns that may explain the leak, such as emotion; None for `questions.USUAL`.
      unprotected: representations of the same utterances before a defence, of which an ignorant
        attacker learns, and to which a de-censoring one maps back.
      other, other_labels: representations and labels of another corpus, of which an attacker
        learns who has no labels of this one.
      attackers: names in `suite.NAMES`.
      num_permutations: exchanged labellings; None for 200, or for 39 where one of the attackers has
        to be trained anew for each of them. Fewer than `verdict.least_exchanges` are refused.
      limit, seed: see `measurement.measure`.

    Returns:
      What is in audit.json. "verdict" is "leaks", "no_leak_shown" or "cannot_tell"; scores are
      UARs on speakers the attacker never met; null stands for a number that does not exist.

    Raises:
      FileNotFoundError, ValueError: a file cannot be read or judged, and why.
    """
    if num_permutations is None:
        num_permutations = exchanges(attackers, PERMUTATIONS)
    _check_named("a column of the labels", attribute=attribute, speaker=speaker, session=session)
    _check_named("a folder; the present one is .", output=output)
    files = {"representations": representations, "labels": labels, "unprotected": unprotected}
    _check_named("a file", **files, other=other, other_labels=other_labels)
    _check_numbers(num_permutations, seed)
    # Nothing is measured before all that was asked for has been found to be possible.
    sources = Sources(unprotected, other, other_labels, attribute, speaker, session, only)
    inputs = read_inputs(representations, labels, sources, given)
    samples, h = inputs.samples, inputs.h
    _check_limit(limit, 1 / len(samples.classes))
    frames = samples.h if samples.h.ndim == 3 else None
    chosen = suite(attackers, frames, samples.num_frames)
    check_output(output)
    told = measure(
        h,
        samples.labels,
        samples.speakers,
        sessions=samples.sessions,
        attackers=chosen,
        num_permutations=num_permutations,
        limit=limit,
        seed=seed,
    )
    climbed = threats(inputs, told, seed)
    quick = climbed["strongest_quick"]
    questions = further(
        h,
        inputs.unprotected,
        samples,
        attribute,
        speaker,
        given,
        told.headline,
        num_permutations,
        limit,
        seed,
    )
    arguments = ["privrep", "audit", str(representations), str(labels), f"--attribute={attribute}"]
    arguments += [f"--output={output}", f"--permutations={num_permutations}", f"--limit={limit:g}"]
    arguments += [f"--seed={seed}", f"--speaker={speaker}", f"--session={session}"]
    arguments += [f"--attackers={','.join(attackers)}"]
    arguments += [f"--only={name}={','.join(values)}" for name, values in (only or {}).items()]
    arguments += [] if given is None else [f"--given={','.join(given)}"]
    arguments += [f"--{role}={path}" for role, path in sources.roles.items()]
    report = {
        "verdict": told.verdict.verdict,
        "reason": told.verdict.reason,
        "attribute": attribute,
        **_scores(told),
        "leak_by_speakers": _learning_curve(h, samples, quick, seed),
        **climbed,
        **questions,
        "data": {
            "classes": _per_class(samples.num_speakers, told),
            "utterances": told.num_utterances,
            "speakers": told.num_speakers,
            "shape": list(inputs.shape),
            "notes": inputs.notes + _few(attackers, num_permutations) + _between(told.exchanged),
            "inputs": [
                _input(role, path)
                for role, path in {
                    "representations": representations,
                    "labels": labels,
                    **sources.roles,
                }.items()
            ],
        },
        "test": {
            "alpha": ALPHA,
            "limit": limit,
            "permutations": told.num_permutations,
            "possible_permutations": told.distinct_permutations,
            "exchanged": told.exchanged,
            "folds": told.num_folds,
            "seed": seed,
        },
        "not_tested": _not_tested(attribute, told, frames is not None),
        "versions": {name: metadata.version(name) for name in _PACKAGES[:-1]}
        | {"privrep": privrep.__version__, "python": platform.python_version()},
        "command": shlex.join(arguments),
    }
    report = _finite(report)
    folder = Path(output)
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    replace_file(folder / "audit.json", text)
    replace_file(folder / "audit.html", card(report))
    return report


def _between(exchanged: str) -> list[str]:
    return [] if exchanged == FREE else [f"Labels were exchanged between {exchanged}."]


def _check_named(what: str, **given: str | Path | None) -> None:
    for name, value in given.items():
        if value is not None and not str(value).strip():
            flag = name if name in ("representations", "labels") else f"--{name}="
            raise ValueError(f"{flag} is empty: it names {what}")


def _check_numbers(num_permutations: int, seed: int) -> None:
    least = least_exchanges()
    if num_permutations < least:
        raise ValueError(
            f"--permutations={num_permutations}: {least} is the least, as with fewer p cannot be "
            f"{ALPHA:g}, whatever the leak; {PERMUTATIONS} are usual"
        )
    if seed < 0:
        raise ValueError(f"--seed={seed}: 0 is the least")


def _check_limit(limit: float, chance: float) -> None:
    if not 0 < limit < 1 - chance:
        raise ValueError(
            f"--limit={limit:g}: a leak over chance, which is {chance:.3g} here: over 0 and under "
            f"{1 - chance:.3g}, such as {LIMIT:g}"
        )


def _scores(told: Measurement) -> Report:
    verdict = told.verdict
    return {
        "chance": told.chance,
        "uar": verdict.uar,
        "lower_bound": verdict.lower,
        "upper_bound": verdict.upper,
        "limit": verdict.limit,
        "p": verdict.p,
        "smallest_p": verdict.smallest_p,
        "minimum_detectable": verdict.detectable,
        "strongest": told.headline,
        "attackers": [
            {"name": name, **{k: v for k, v in one._asdict().items()}}
            for name, one in told.attackers.items()
        ],
        "victims": [one._asdict() for one in told.victims],
    }


def _per_class(num_speakers: Mapping[str, int], told: Measurement) -> list[Report]:
    counts = zip(num_speakers.items(), told.utterances_per_class)
    return [{"name": c, "utterances": int(n), "speakers": s} for (c, s), n in counts]


def _learning_curve(h: np.ndarray, samples: Samples, name: str, seed: int) -> list[Report]:
    """The attacker's UAR where it knows fewer speakers, mean over draws of speakers."""
    points = learning_curve(
        h,
        samples.labels,
        samples.speakers,
        sessions=samples.sessions,
        attack=QUICK[name],
        sizes=_SIZES,
        repetitions=_DRAWS,
        seed=seed,
    )
    return [{"speakers": round(p.known, 1), "uar": p.uar, "deviation": p.deviation} for p in points]


def _few(attackers: Sequence[str], num_permutations: int) -> list[str]:
    slow = [name for name in attackers if name not in QUICK]
    return [
        f"{num_permutations} exchanged labellings, for each of which {' and '.join(slow)} had to "
        "be trained anew: more of them (--permutations) make p and bounds finer."
    ] * bool(slow)


def _not_tested(attribute: str, told: Measurement, frames: bool) -> list[str]:
    return [
        f"Attackers other than {', '.join(told.attackers)}. A stronger one may find more.",
        f"Attributes other than {attribute} by more than a linear attacker, and those that the "
        "table of labels does not name: age, accent, health and whatever else h may hold.",
        *(["What the order of the frames tells."] * (frames and SEQUENCE not in told.attackers)),
        "Whatever these representations were made from.",
        "An attacker who knows more than h and labelled speakers: the network itself, transcripts, "
        "other recordings of the victim.",
        "Whether the people in this corpus were in the training set of the encoder.",
        "People and recordings unlike those in this corpus.",
        "Whether the labels are right.",
    ]


def _input(role: str, path: str | Path) -> Report:
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"role": role, "name": Path(path).name, "sha256": digest}


def _finite(value: Any) -> Any:
    """Plain values of JSON, None for a number that does not exist."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
