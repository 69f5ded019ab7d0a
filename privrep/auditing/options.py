"""The options of an audit (host)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from privrep.auditing.gate import DEFAULT_LIMITS, Limits
from privrep.formats.columns import Naming
from privrep.types import CORRELATION_LIMIT, LIMIT

PERMUTATIONS = 200
SIZE = 64  # values of the h of an utterance that a plan is made for
MARGIN = "10%"  # of the way from chance to certainty: 0.05 of two classes
DUPLICATES = ("stop", "merge", "keep", "drop")
TWO_VALUES = ("stop", "drop", "majority", "keep")
MEASURED_AS = ("auto", "classes", "number")
# Sources joined by +, or an array [N, D] or [N, T, D]: of numpy, jax, torch or pandas, or lists.
Vectors = Any
Columns = Any  # a file, a dict of columns, a pandas.DataFrame or a structured array


@dataclass(frozen=True)
class AuditOptions:
    """What an audit does besides the defaults.

    Attributes:
      speaker: column of the labels: who speaks.
      session: column of the labels, recorded together; looked at if it is there.
      only: {column: values} of the labels; rows that have none of the values are left out.
      duplicates: in DUPLICATES, what to do about equal rows of different speakers; "drop" leaves
        out rows of which the embedding failed, see `duplicates.failed_rows`.
      two_values: in TWO_VALUES, what to do about speakers who have several values of an attribute
        that others have one of, such as a gender, see `two_values.settle_values`.
      aligned: the caller says that the rows of both inputs belong together; else they do where
        they are joined by ids, or where a column is read, see `leakage.alignment`.
      given: columns that may explain the leak, such as emotion; None for `questions.USUAL`.
      lengths: a file with the number of frames of each utterance, where the representations are a
        .npy file with those of all utterances end to end.
      unprotected: representations of the same utterances before a defence, on which an ignorant
        attacker is trained, and to which a de-censoring attacker maps back.
      other, other_labels: representations and labels of another corpus, on which an attacker is
        trained that has no labels of this one.
      attackers: names in `suite.NAMES`, all of which are tested; None for all quick ones, and trees
        on the true labels only.
      permutations: permuted labellings; None for 200, or for 39 with an attacker that is trained
        separately for each of them. Fewer than `permutation_test.least_permutations` are refused.
      deals: of folds; None for 6.
      quick: one deal, 99 permutations and no trees, unless asked for otherwise.
      limit: the leak UAR - chance that must be excluded before the verdict is no_leak_shown.
      correlation_limit: the correlation that must be excluded before, of an attribute that is a
        number; see `types.CORRELATION_LIMIT`.
      measured_as: in MEASURED_AS, whether the attribute is a number or has classes; "auto" decides
        by `formats.numbers.is_quantity`.
      bins: of an attribute that is a number, see `formats.numbers.parse_bins`. With bins the result
        is that of the bins and the correlation is beside it; with "" the reverse, and the bins are
        halves.
      limits: what the audit must keep to pass, see `gate.limits_of`. A limit of the correlation
        refuses an attribute that has classes.
      policy: the file that the limits were read from, to be recorded; None where there is none.
      seed: of folds and permutations.
      naming: what the columns and values of the labels are called, and where speakers are found.
    """

    speaker: str = "speaker"
    session: str = "session"
    only: Mapping[str, Sequence[str]] | None = None
    duplicates: str = "stop"
    two_values: str = "stop"
    aligned: bool = False
    given: Sequence[str] | None = None
    lengths: str | Path | None = None
    unprotected: Vectors | None = None
    other: Vectors | None = None
    other_labels: Columns | None = None
    attackers: Sequence[str] | None = None
    permutations: int | None = None
    deals: int | None = None
    quick: bool = False
    limit: float = LIMIT
    correlation_limit: float = CORRELATION_LIMIT
    measured_as: str = "auto"
    bins: str = ""
    limits: Limits = DEFAULT_LIMITS
    policy: str | Path | None = None
    seed: int = 0
    naming: Naming = Naming()  # noqa: RUF009, immutable

    @property
    def further_inputs(self) -> dict[str, Any]:
        """{role: file or array} of those that are given."""
        inputs = {
            "lengths": self.lengths,
            "unprotected": self.unprotected,
            "other": self.other,
            "other_labels": self.other_labels,
            "speakers": self.naming.speakers,
            "policy": self.policy,
        }
        return {role: source for role, source in inputs.items() if source is not None}

    def lengths_of(self, source: Vectors) -> str | Path | None:
        """`lengths` where `source`, of the same utterances, may be frames end to end as well."""
        is_file = not isinstance(source, np.ndarray) and Path(source).suffix.lower() == ".npy"
        return self.lengths if is_file else None
