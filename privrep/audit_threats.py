"""The threats of an audit: the ladder from an ignorant attacker to many utterances of a victim."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from privrep.measurement import Measurement
from privrep.online_code import online_code
from privrep.representations import Representations, Table, read_representations, read_table
from privrep.samples import Samples, bring_together
from privrep.suite import QUICK
from privrep.threats import Corpus, ladder

Report = dict[str, Any]
_ORDER = ("ignorant", "transferred", "informed", "float16", "int8")


class Sources(NamedTuple):
    """Files of which attackers may learn besides those that are audited, and columns.

    Attributes:
      unprotected: representations of the same utterances before the defence, or None.
      other, other_labels: representations and labels of another corpus, or None.
      attribute, speaker, session: columns of both tables of labels.
    """

    unprotected: str | Path | None
    other: str | Path | None
    other_labels: str | Path | None
    attribute: str
    speaker: str
    session: str

    @property
    def roles(self) -> dict[str, str | Path]:
        """{role: file} of those that are given."""
        files = {n: getattr(self, n) for n in ("unprotected", "other", "other_labels")}
        return {name: path for name, path in files.items() if path is not None}


def threats(
    sources: Sources,
    samples: Samples,
    h: np.ndarray,
    unprotected: np.ndarray | None,
    scale: np.ndarray,
    told: Measurement,
    seed: int,
) -> Report:
    """What `threats`, `online_code` and `strongest_quick` of an audit say.

    Args:
      samples: what is audited.
      h: float[N, D], pooled and divided by `scale` float[D].
      unprotected: float[N, D], see `bare`.
      told: its measurement.

    Raises:
      FileNotFoundError, ValueError: a source cannot be read, or does not fit.
    """
    # Of the attackers that can be trained many times over; linear if none was in the suite.
    there = [name for name in told.attackers if name in QUICK]
    name = max(there, key=lambda one: told.attackers[one].uar, default="linear")
    rungs = ladder(
        h,
        samples.labels,
        samples.speakers,
        sessions=samples.sessions,
        attack=QUICK[name],
        unprotected=unprotected,
        other=_other(sources, samples.classes, scale),
        seed=seed,
    )
    found = [one._asdict() | {"attacker": name} for one in rungs]
    found.sort(key=lambda one: _ORDER.index(one["threat"]))
    found += [
        {"threat": f"{v.k} utterances", "attacker": told.headline}
        | {n: getattr(v, n) for n in ("uar", "lower", "upper")}
        for v in told.victims
    ]
    code = online_code(h, samples.labels, samples.speakers, attack=QUICK[name], seed=seed)
    return {
        "threats": found,
        "strongest_quick": name,
        "online_code": code._asdict() | {"attacker": name},
    }


def pooled(samples: Samples) -> tuple[np.ndarray, list[str]]:
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


def bare(
    sources: Sources, read: Representations, table: Table, scale: np.ndarray
) -> np.ndarray | None:
    """The audited utterances before the defence, pooled and divided by `scale`, or None.

    Raises:
      FileNotFoundError, ValueError: the file cannot be read, or is not of the same utterances.
    """
    path = sources.unprotected
    if path is None:
        return None
    found = read_representations(path)
    if found.h.shape != read.h.shape or (found.ids is None) != (read.ids is None):
        raise ValueError(
            f"{path}: shape {list(found.h.shape)}{_with_ids(found)} beside {list(read.h.shape)}"
            f"{_with_ids(read)}: unprotected representations are of the same utterances, by the "
            "same kind of file"
        )
    if found.ids is not None and read.ids is not None:
        place = {one: i for i, one in enumerate(found.ids)}
        absent = [one for one in read.ids if one not in place]
        if absent:
            raise ValueError(f"{path}: has no row of utterance {absent[0]!r}")
        found = Representations(found.h[[place[one] for one in read.ids]], read.ids)
    columns = sources.attribute, sources.speaker, sources.session
    return pooled(bring_together(found, table, *columns))[0] / scale


def _with_ids(read: Representations) -> str:
    return " without ids" if read.ids is None else " with ids"


def _other(sources: Sources, classes: tuple[str, ...], scale: np.ndarray) -> Corpus | None:
    if sources.other is None and sources.other_labels is None:
        return None
    if sources.other is None or sources.other_labels is None:
        raise ValueError("another corpus takes both its representations and its labels")
    there = bring_together(
        read_representations(sources.other),
        read_table(sources.other_labels),
        sources.attribute,
        sources.speaker,
        sources.session,
    )
    number = {name: i for i, name in enumerate(classes)}
    ours = np.array([number.get(name, -1) for name in there.classes])
    if (ours >= 0).sum() < 2:
        raise ValueError(
            f"{sources.other_labels}: {sources.attribute} is {', '.join(there.classes)} there and "
            f"{', '.join(classes)} here: two common values are needed to learn from it"
        )
    h, _ = pooled(there)
    if h.shape[1:] != scale.shape:
        raise ValueError(
            f"{sources.other}: {h.shape[1]} columns where the audited representations have "
            f"{len(scale)}: they must be made by the same encoder"
        )
    return Corpus(h / scale, ours[there.labels], there.speakers)
