"""The hours of sound of a corpus beside those of its publication: counts alone hide a cut copy."""

from privrep.datasets import DATASETS
from privrep.inputs.cache import PreparedCorpus

# Relative deviations from the published hours that say nothing: of a whole corpus, of a part.
_SAME, _LIKE = 0.02, 0.2


def hours_note(name: str, prepared: PreparedCorpus, total: int) -> list[str]:
    """A sentence on the hours that were read and published; [] where no sound was decoded.

    Of a part of the corpus, such as the utterances with labels, as many hours are expected as the
    publication's mean length gives.

    Args:
      name: of the data set.
      prepared: its utterances that are used.
      total: number of utterances of the copy.
    """
    if not prepared.seconds_of_audio:
        return []
    hours, count = prepared.seconds_of_audio / 3600, len(prepared.utterances)
    note = f"{name}: {_in_hours(hours)} of sound in {count:,} utterances"
    dataset = DATASETS[name]
    published = dataset.hours_of(total)
    if published is None and dataset.utterances:
        total, published = dataset.utterances, dataset.hours
    if published is None:
        return [note]
    note += f"; {_in_hours(published)} in {total:,} were published"
    expected = published * count / total
    if abs(hours / expected - 1) > (_SAME if count == total else _LIKE):
        note += f", so about {_in_hours(expected)} are expected: is every recording whole?"
    return [note]


def _in_hours(hours: float) -> str:
    return f"{hours:,.2f} h" if hours >= 0.1 else f"{60 * hours:.1f} min"
