"""Selection of the utterances that a corpus's official split can be used with (host)."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from privrep.messages import first, nearest
from privrep.types import Utterance

_PARTS = {"train": "training", "val": "validation", "test": "test"}


def in_official_split(
    utterances: Sequence[Utterance], test_sets: Sequence[str] = ()
) -> tuple[np.ndarray, list[str]]:
    """The utterances of an official split whose parts share no speaker.

    Corpora that grow over the years come to have a speaker in two parts. What is tested stays as it
    was published: of a speaker in the test part the utterances elsewhere are left out, and of one
    in the validation part those for training. Where that leaves a part empty, the split is not one
    by speaker, and nothing is left out.

    Args:
      utterances: N of them.
      test_sets: names of the corpus's test sets, such as "Test2", of which the test part consists;
        () is all of them.

    Returns:
      int[n], which remain; and a sentence on each selection.

    Raises:
      ValueError: there is no such test set, or no utterance in it.
    """
    notes = []
    rows = list(range(len(utterances)))
    names = sorted({u.test_set for u in utterances if u.test_set})
    counts = Counter(u.test_set for u in utterances)
    if test_sets:
        _check(test_sets, names)
        rows = [i for i in rows if _is_wanted(utterances[i], test_sets)]
        others = len(utterances) - len(rows)
        notes.append(
            f"test part: {' and '.join(test_sets)}; {others:,} utterances of others are left out"
        )
    elif len(names) > 1:
        sets = " and ".join(f"{name} ({counts[name]:,} utterances)" for name in names)
        notes.append(f"test part: {sets}; --test_set={names[0]} takes one alone")
    kept, left_out = rows, []
    for part, later in (("train", ("val", "test")), ("val", ("test",))):
        tested = {utterances[i].speaker for i in rows if utterances[i].split in later} - {None}
        in_part = [i for i in kept if utterances[i].split == part]
        shared = [i for i in in_part if utterances[i].speaker in tested]
        if shared and len(shared) == len(in_part):
            return np.array(rows, np.int64), notes
        if shared:
            left_out.append(_shared(part, later, [utterances[i].speaker or "" for i in shared]))
            kept = sorted(set(kept) - set(shared))
    return np.array(kept, np.int64), notes + left_out


def _shared(part: str, later: Sequence[str], speaker: Sequence[str]) -> str:
    """A sentence on utterances of `part` that are left out, by the speaker of each."""
    speakers = sorted(set(speaker))
    return (
        f"official split: {len(speakers)} speakers of the {_PARTS[part]} part are in the "
        f"{' or '.join(_PARTS[name] for name in later)} part too ({first(speakers)}); their "
        f"{len(speaker):,} utterances for {_PARTS[part]} are left out"
    )


def _is_wanted(utterance: Utterance, test_sets: Sequence[str]) -> bool:
    return utterance.split != "test" or utterance.test_set in test_sets


def _check(test_sets: Sequence[str], names: Sequence[str]) -> None:
    for name in test_sets:
        if name not in names:
            raise ValueError(
                f"--test_set: no test set {name!r} with labels; this corpus has "
                f"{', '.join(names) or 'a single one'}{nearest(name, names)}"
            )
