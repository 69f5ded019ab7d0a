"""The further questions of an audit: covariates, other attributes, de-censoring (host).

They are answered on at most 10,000 utterances, drawn evenly from the speakers, or from as many
speakers as have 10 utterances each: the number of speakers is what limits the precision, and each
question costs as much as the audit itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from privrep.attacks.lda import linear
from privrep.auditing.options import AuditOptions
from privrep.auditing.read_inputs import AuditInputs
from privrep.formats.columns import kind_of
from privrep.formats.numbers import are_codes, as_numbers, is_quantity
from privrep.formats.tables import ID
from privrep.formats.values import CLASS, NUMBER
from privrep.leakage.attribute_matrix import Attribute, measure_attributes
from privrep.leakage.conditional import ATTACKERS, Explained, explain
from privrep.leakage.decensoring import Decensored, decensor
from privrep.leakage.number_measurement import NumberAttribute, measure_numbers
from privrep.leakage.subsample import MAX_UTTERANCES, draw_evenly
from privrep.statistics.strata import combined, covariate
from privrep.types import SECONDARY, InferenceSettings

CONTENTS = (("script", "transcript"), ("emotion",))  # of each the first column that is present
USUAL = ("emotion", "script", "transcript", "session", "num_frames")  # covariates, if present


class Attributes(NamedTuple):
    """The attribute matrix.

    Attributes:
      rows: the attributes that were attacked, the largest leak over chance first.
      numbers: the attributes that are numbers, the largest correlation first.
      left_out: {column: why it was not attacked}.
      utterances: on which all further questions were answered.
    """

    rows: tuple[Attribute, ...]
    numbers: tuple[NumberAttribute, ...]
    left_out: dict[str, str]
    utterances: int


class Answers(NamedTuple):
    """given: of each covariate; attributes; decensoring: None without unprotected h."""

    given: tuple[Explained, ...]
    attributes: Attributes
    decensoring: Decensored | None


def ask(
    inputs: AuditInputs,
    attribute: str,
    options: AuditOptions,
    strongest: str,
    settings: InferenceSettings,
) -> Answers:
    """Answers the further questions.

    Args:
      inputs: of the audit.
      attribute: column that is audited.
      options: of the audit: the covariates, and the column of speakers.
      strongest: name of the strongest attacker. Covariates are examined with the linear attacker,
        and with the kernel attacker too where the strongest is not linear.
      settings: of the audit; at most 99 permutations are used here.
    """
    columns = inputs.joined.columns
    names = options.given
    if names is None:
        names = [name for name in USUAL if name in columns and name != attribute]
    given = inputs.sample
    rows = draw_evenly(given.speaker, MAX_UTTERANCES, settings.seed, given.labels)
    sample = given.take(rows)
    settings = replace(
        settings,
        permutations=min(settings.permutations, SECONDARY.permutations),
        deals=SECONDARY.deals,
    )
    covariates = [
        covariate(name, [columns[name][i] for i in rows]) for name in dict.fromkeys(names)
    ]
    covariates = [z for z in covariates if z.strata.any()]
    if len(covariates) > 1:
        covariates.append(combined(covariates))
    attackers = {"linear": linear} if strongest == "linear" else ATTACKERS
    explained: tuple[Explained, ...] = ()
    if covariates:
        explained = explain(sample, covariates, attackers=attackers, settings=settings)
    others = {
        name: [cells[i] for i in rows]
        for name, cells in columns.items()
        if name not in (attribute, options.speaker, ID, "num_frames")
    }
    contents = [
        covariate(name, [columns[name][i] for i in rows])
        for names in CONTENTS
        for name in [name for name in names if name in columns][:1]
    ]
    numbers = _numbers(others, sample.speaker, options)
    classes = {name: cells for name, cells in others.items() if name not in numbers}
    attributes, left_out = measure_attributes(sample, classes, settings, contents)
    correlated, no_numbers = measure_numbers(sample, numbers, settings)
    decensored = None
    if inputs.unprotected is not None:
        decensored = decensor(sample, inputs.unprotected[rows], settings)
    matrix = Attributes(attributes, correlated, left_out | no_numbers, len(rows))
    return Answers(explained, matrix, decensored)


def _numbers(
    columns: Mapping[str, Sequence[str | None]], speaker: np.ndarray, options: AuditOptions
) -> dict[str, np.ndarray]:
    """{column: float64[n]} of the columns that are numbers; sessions and scripts are names."""
    numbers = {}
    for name, cells in columns.items():
        if name in (*USUAL, options.session) or kind_of(name) not in (CLASS, NUMBER):
            continue
        values = as_numbers(cells)
        if values is not None and not are_codes(cells) and is_quantity(values, speaker):
            numbers[name] = values
    return numbers
