"""The audit of any representations: from two files to a verdict, a JSON report and a card."""

import hashlib
import json
import math
import platform
import shlex
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import privrep
from privrep.card import card
from privrep.closed_form import ATTACKS
from privrep.files import replace_file
from privrep.further import aligned, further
from privrep.measurement import Measurement, measure
from privrep.permutations import speaker_labels
from privrep.representations import read_representations, read_table
from privrep.samples import Samples, bring_together
from privrep.verdicts import ALPHA, LIMIT

PERMUTATIONS = 200
_FEWEST = 8  # speakers of the shortest point of the learning curve
_DRAWS = 3  # of speakers, per point that does not take them all
_EACH = 2  # speakers of each class
_PACKAGES = ("numpy", "scipy", "privrep")
Report = dict[str, Any]


def audit(
    representations: str | Path,
    labels: str | Path,
    attribute: str,
    output: str | Path,
    *,
    speaker: str = "speaker",
    session: str = "session",
    given: Sequence[str] | None = None,
    unprotected: str | Path | None = None,
    num_permutations: int = PERMUTATIONS,
    limit: float = LIMIT,
    seed: int = 0,
) -> Report:
    """Measures how much of `attribute` the representations tell; writes audit.json and audit.html.

    Args:
      representations: a file of [N, D] or [N, T, D], see `read_representations`. Of frames, the
        mean and deviation over time are attacked; a column num_frames of the labels says how many
        of the T are no padding.
      labels: a table with the columns `speaker`, `attribute` and perhaps `session` and id, see
        `read_table`.
      output: the folder to write to, made if it is not there.
      given: columns that may explain the leak, such as emotion; None for `further.USUAL`.
      unprotected: a file of the same utterances [N, E] without protection, for the de-censoring
        attack.
      num_permutations, limit, seed: see `measurement.measure`.

    Returns:
      What is in audit.json. "verdict" is "leaks", "no_leak_shown" or "cannot_tell"; scores are
      UARs on speakers the attacker never met; null stands for a number that does not exist.

    Raises:
      FileNotFoundError, ValueError: a file cannot be read or judged, and why.
    """
    table = read_table(labels)
    read = read_representations(representations)
    samples = bring_together(read, table, attribute, speaker, session)
    h, pooled = _pooled(samples)
    # The unit of h is its maker's affair; squares of 1e-30 or 1e30 would leave float32.
    largest = np.abs(h).max(0)
    h = h / np.where(largest > 0, largest, 1)
    told = measure(
        h,
        samples.labels,
        samples.speakers,
        sessions=samples.sessions,
        num_permutations=num_permutations,
        limit=limit,
        seed=seed,
    )
    other = None
    if unprotected is not None:
        other = aligned(read_representations(unprotected), read, samples.kept)
    questions = further(
        h, other, samples, attribute, speaker, given, told.headline, num_permutations, limit, seed
    )
    arguments = ["privrep", "audit", str(representations), str(labels), f"--attribute={attribute}"]
    arguments += [f"--output={output}", f"--permutations={num_permutations}", f"--limit={limit:g}"]
    arguments += [f"--seed={seed}", f"--speaker={speaker}", f"--session={session}"]
    arguments += [] if given is None else [f"--given={','.join(given)}"]
    arguments += [] if unprotected is None else [f"--unprotected={unprotected}"]
    inputs = {"representations": representations, "labels": labels, "unprotected": unprotected}
    report = {
        "verdict": told.verdict.verdict,
        "reason": told.verdict.reason,
        "attribute": attribute,
        **_scores(told),
        "leak_by_speakers": _learning_curve(h, samples, told, seed),
        **questions,
        "data": {
            "classes": _per_class(samples.classes, told),
            "utterances": told.num_utterances,
            "speakers": told.num_speakers,
            "shape": list(read.h.shape),
            "notes": samples.notes + pooled,
            "inputs": [_input(role, path) for role, path in inputs.items() if path is not None],
        },
        "test": {
            "alpha": ALPHA,
            "limit": limit,
            "permutations": told.num_permutations,
            "possible_permutations": told.distinct_permutations,
            "within_sessions": told.paired,
            "folds": told.num_folds,
            "seed": seed,
        },
        "not_tested": _not_tested(attribute, told, read.h.ndim == 3),
        "versions": {name: metadata.version(name) for name in _PACKAGES[:-1]}
        | {"privrep": privrep.__version__, "python": platform.python_version()},
        "command": shlex.join(arguments),
    }
    report = _finite(report)
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    replace_file(folder / "audit.json", text)
    replace_file(folder / "audit.html", card(report))
    return report


def _pooled(samples: Samples) -> tuple[np.ndarray, list[str]]:
    """[N, D] as it is, [N, T, D] as mean and deviation over the frames that are no padding."""
    h = samples.h
    if h.ndim == 2:
        return h, []
    length = h.shape[1] if samples.num_frames is None else samples.num_frames[:, None, None]
    inside = np.arange(h.shape[1])[None, :, None] < length
    return np.concatenate([h.mean(1, where=inside), h.std(1, where=inside)], 1), [
        f"Frames [N, {h.shape[1]}, {h.shape[2]}] were pooled to mean and deviation over time"
        + ("." if samples.num_frames is not None else ", all of them, padding too if there is any.")
    ]


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


def _per_class(classes: tuple[str, ...], told: Measurement) -> list[Report]:
    counts = zip(classes, told.utterances_per_class, told.speakers_per_class)
    return [{"name": c, "utterances": int(n), "speakers": int(s)} for c, n, s in counts]


def _learning_curve(h: np.ndarray, samples: Samples, told: Measurement, seed: int) -> list[Report]:
    """The strongest attacker's UAR where fewer speakers are known, mean over draws of speakers."""
    labels, speakers = samples.labels, samples.speakers
    usual = speaker_labels(labels, speakers)
    rng, points, count = np.random.default_rng(seed), [], _FEWEST
    while count < told.num_speakers:
        found = []
        for _ in range(_DRAWS):
            drawn = rng.permutation(told.num_speakers)[:count]
            chosen = np.isin(speakers, drawn)
            per_class = np.bincount(usual[drawn], minlength=len(samples.classes))
            if per_class.min() < _EACH or len(np.unique(labels[chosen])) < len(samples.classes):
                continue  # too few of a class to learn it from one and find it in another
            part = measure(
                h[chosen],
                labels[chosen],
                speakers[chosen],
                attackers={told.headline: ATTACKS[told.headline]},
                num_permutations=1,
                seed=seed,
            )
            found.append(part.verdict.uar)
        if found:
            points.append({"speakers": count, "uar": float(np.mean(found)), "draws": len(found)})
        count *= 2
    return [*points, {"speakers": told.num_speakers, "uar": told.verdict.uar, "draws": 1}]


def _not_tested(attribute: str, told: Measurement, frames: bool) -> list[str]:
    return [
        f"Attackers other than {', '.join(told.attackers)}. A stronger one may find more.",
        f"Attributes other than {attribute} by more than a linear attacker, and those that the "
        "table of labels does not name: age, accent, health and whatever else h may hold.",
        "What the order of the frames tells."
        if frames
        else "The frames, or whatever these representations were made from.",
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
