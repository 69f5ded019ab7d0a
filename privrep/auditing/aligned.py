"""The test of whether the rows of an audit's inputs belong together (host)."""

from collections.abc import Sequence

import numpy as np

from privrep.auditing.options import AuditOptions
from privrep.auditing.questions import USUAL
from privrep.auditing.read_inputs import AuditInputs
from privrep.formats.numbers import MANY, are_codes, as_numbers
from privrep.formats.tables import ID
from privrep.leakage.alignment import BY_CALLER, BY_IDS, Alignment, align, believed


def alignment_of(inputs: AuditInputs, attribute: str, options: AuditOptions) -> Alignment:
    """Why the rows of an audit are taken to belong together; see `alignment.align`."""
    columns = inputs.joined.columns
    first = [attribute, *USUAL, options.session, *(options.given or ())]
    order = dict.fromkeys([*(name for name in first if name in columns), *columns])
    values = {name: _values(columns[name]) for name in order if name not in (options.speaker, ID)}
    tested = align(inputs.sample.h, inputs.sample.speaker, values, options.seed)
    if options.aligned:
        return believed(BY_CALLER, tested)
    return believed(BY_IDS, tested) if inputs.joined.by_id else tested


def _values(cells: Sequence[str | None]) -> np.ndarray:
    """Numbers where there are many different ones, else classes; NaN or -1 of an empty cell."""
    known = {cell for cell in cells if cell}
    numbers = None if len(known) <= MANY or are_codes(known) else as_numbers(cells)
    if numbers is not None:
        return numbers
    code = {cell: i for i, cell in enumerate(sorted(known))}
    return np.array([code.get(cell or "", -1) for cell in cells])
