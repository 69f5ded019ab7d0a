"""What an audit asks beside "does it leak": what explains it, what else, what undoes it (host).

These questions are asked of at most 10,000 utterances, drawn evenly from the speakers: it is the
speakers that there are few of, and each question costs as much as the audit's own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from privrep.attacks.lda import linear
from privrep.auditing.join import Samples
from privrep.formats.tables import ID
from privrep.leakage.attribute_matrix import measure_attributes
from privrep.leakage.conditional import ATTACKERS, explain
from privrep.leakage.decensoring import decensor
from privrep.leakage.subsample import MOST, draw_evenly
from privrep.messages import nearest
from privrep.statistics.strata import covariate, together

PERMUTATIONS = 99
USUAL = ("emotion", "script", "transcript", "session", "num_frames")  # covariates, if there


def further(
    h: np.ndarray,
    unprotected: np.ndarray | None,
    samples: Samples,
    attribute: str,
    speaker: str,
    given: Sequence[str] | None,
    headline: str,
    num_permutations: int,
    limit: float,
    seed: int,
) -> dict[str, Any]:
    """The keys `given`, `attributes` and `decensoring` of audit.json.

    Args:
      h: float[N, D], as attacked.
      unprotected: float[N, E], the same utterances without protection, or None.
      samples: whose they are, and the columns of their table.
      attribute, speaker: columns.
      given: columns of covariates; None for those of `USUAL` that are there and vary.
      headline: the attacker that found most. What explains a leak is asked of the linear attacker,
        and of the kernel too where the strongest is not linear.
      num_permutations, limit, seed: see `measurement.measure`; at most 99 here.

    Raises:
      ValueError: see `check_given`.
    """
    columns = samples.columns
    check_given(given, columns, attribute)
    names = [n for n in USUAL if n in columns and n != attribute] if given is None else given
    rows = draw_evenly(samples.speakers, MOST, seed)
    h, labels = h[rows], samples.labels[rows]
    speakers = np.unique(samples.speakers[rows], return_inverse=True)[1].astype(np.int32)
    sessions = None if samples.sessions is None else samples.sessions[rows]
    count = min(num_permutations, PERMUTATIONS)
    tested = {"sessions": sessions, "num_permutations": count, "limit": limit, "seed": seed}
    covariates = [
        covariate(name, [columns[name][i] for i in rows]) for name in dict.fromkeys(names)
    ]
    covariates = [one for one in covariates if one.strata.any()]
    if len(covariates) > 1:
        covariates.append(together(covariates))
    attackers = {"linear": linear} if headline == "linear" else ATTACKERS
    explained = ()
    if covariates:
        explained = explain(h, labels, speakers, covariates, attackers=attackers, **tested)
    others = {
        name: [cells[i] for i in rows]
        for name, cells in columns.items()
        if name not in (attribute, speaker, ID, "num_frames")
    }
    attributes, left_out = measure_attributes(h, speakers, others, **tested)
    found: dict[str, Any] = {
        "given": [_plain(one) for one in explained],
        "attributes": {
            "found": [_plain(one) for one in attributes],
            "left_out": left_out,
            "utterances": len(rows),
        },
        "decensoring": None,
    }
    if unprotected is not None:
        undone = decensor(h, unprotected[rows], labels, speakers, **tested)
        found["decensoring"] = _plain(undone)
    return found


def check_given(
    given: Sequence[str] | None, columns: Mapping[str, Sequence[str | None]], attribute: str
) -> None:
    """Makes sure that `given` are covariates.

    Raises:
      ValueError: one is not there, is the attribute itself, or is the same everywhere.
    """
    for name in given or ():
        if name not in columns or name == attribute:
            usable = [n for n in columns if n not in (attribute, ID)]
            raise ValueError(
                f"--given={name}: a covariate is a column of the labels other than {attribute}. "
                f"There are: {', '.join(usable)}{nearest(name, usable)}"
            )
        if len(set(columns[name])) < 2:
            raise ValueError(
                f"--given={name}: it is the same in every row, and can explain nothing"
            )


def _plain(value: Any) -> Any:
    """NamedTuples as dicts."""
    if hasattr(value, "_asdict"):
        return {name: _plain(one) for name, one in value._asdict().items()}
    return value
