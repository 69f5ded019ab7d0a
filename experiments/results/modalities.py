"""Modalities compared: what sound reveals that words do not, of emotion and of who speaks.

The networks are those that validation chooses (`selected.choices`) of one corpus, task and private
attributes: the ordinary ones of two modalities, or two of one recipe. They are tested on the same
speakers, so that the difference is paired over speakers.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.results.questions import Question, by_question
from experiments.results.runs_csv import text_of, written
from experiments.results.selected import choices
from experiments.results.speaker_counts import SpeakerCounts
from experiments.results.summary import Entry, attributes
from privrep.files import replace_file
from privrep.statistics.concordance import ccc, compare_ccc
from privrep.statistics.paired_comparison import compare
from privrep.statistics.uar import uar

FILE = "modalities.csv"
_ORDER = ("multimodal", "acoustic", "lexical")


class Compared(NamedTuple):
    """A row of modalities.csv, see `columns.MODALITY_COLUMNS`."""

    dataset: str
    task: str
    private: str
    network: str
    subject: str
    score: str
    modality_a: str
    modality_b: str
    value_a: float
    value_b: float
    difference: float
    lower: float
    upper: float
    p: float
    speakers: int
    seeds: int


def compared(summary: Sequence[Entry], counts: Sequence[SpeakerCounts]) -> list[Compared]:
    """The modalities of every question pair by pair, the richer one first: multimodal, acoustic.

    Predictions of the seeds that both have are taken together. Speakers whom one of the two did
    not test, as their audio or transcripts are missing, do not count.

    Args:
      counts: of the runs that the summary is of.
    """
    chosen, rows = choices(summary), list[Compared]()
    for question, cells in by_question(chosen).items():
        names = dict.fromkeys(name for cell in cells for name in chosen[cell])
        for name in names:
            networks = {c.modality: chosen[c][name] for c in cells if name in chosen[c]}
            rows += _of_network(question, name, networks, counts)
    return rows


def _of_network(
    question: Question,
    name: str,
    networks: Mapping[str, Entry],
    counts: Sequence[SpeakerCounts],
) -> Iterator[Compared]:
    order = [name for name in _ORDER if name in networks]
    order += sorted({*networks} - {*_ORDER})
    for a, b in itertools.combinations(order, 2):
        for subject in ("emotion", *attributes(networks[a])):
            if subject != "emotion" and (networks[a]["collapsed"] or networks[b]["collapsed"]):
                continue  # an h without information is not private
            of_a, of_b = (_by_seed(networks[m], subject, counts) for m in (a, b))
            seeds = [seed for seed in of_a if seed in of_b]
            if not seeds:
                continue
            lots = [of[seed] for of in (of_a, of_b) for seed in seeds]
            speakers = sorted(set.intersection(*({*lot.speakers.tolist()} for lot in lots)))
            if len(speakers) < 2 or len({lot.sums.shape[1:] for lot in lots}) > 1:
                continue
            sums_a, sums_b = (_sums([of[s] for s in seeds], speakers) for of in (of_a, of_b))
            is_ccc = sums_a.ndim == 2
            change = (compare_ccc if is_ccc else compare)(sums_a, sums_b)
            score = ccc if is_ccc else uar
            values = [float(score(sums.sum(0))) for sums in (sums_a, sums_b)]
            yield Compared(
                *question,
                network=name,
                subject=subject,
                score="CCC" if is_ccc else "UAR",
                modality_a=a,
                modality_b=b,
                value_a=round(values[0], 6),
                value_b=round(values[1], 6),
                difference=round(change.difference, 6),
                lower=round(change.lower, 6),
                upper=round(change.upper, 6),
                p=round(change.p, 6),
                speakers=len(speakers),
                seeds=len(seeds),
            )


def _by_seed(
    entry: Entry, subject: str, counts: Sequence[SpeakerCounts]
) -> dict[object, SpeakerCounts]:
    """{seed: counts} of the runs that an entry is the mean of."""
    return {
        of.settings.get("seed"): of
        for of in counts
        if of.subject == subject
        and all(str(of.settings.get(n)) == str(v) for n, v in entry["settings"].items())
    }


def _sums(lots: Sequence[SpeakerCounts], speakers: Sequence[str]) -> np.ndarray:
    """The sums of these speakers, those of all lots added up."""
    return np.sum([of.sums[np.searchsorted(of.speakers, speakers)] for of in lots], axis=0)


def write_modalities(workdir: Path, rows: Sequence[Compared]) -> None:
    """Writes workdir/modalities.csv; where there are not two modalities there is no such file."""
    path = workdir / FILE
    if not rows:
        path.unlink(missing_ok=True)
        return
    cells = [[written(value, name) for name, value in row._asdict().items()] for row in rows]
    replace_file(path, text_of(Compared._fields, cells))
