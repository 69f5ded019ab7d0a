"""Emotion and leak when a speaker has enrolled few utterances, or none.

The networks are those of a finished result directory, as they are. Only the enrolment of
held-out speakers varies: their state, and with --normalise=speaker the units of their frames too,
are estimated from fewer utterances. The smaller enrolments are parts of the greatest, and the
scored utterances are those of the main job in all of them.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments.config import build
from experiments.config.sweep import Pack, has_state, row_settings
from experiments.results.columns import Row
from experiments.run.attack_stage import AttackTarget
from experiments.run.export_models import PickedSetting, load_networks
from experiments.run.load_data import Loaded, load
from experiments.run.pooled_scores import essential
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.inputs.enrolment import draw_enrolment
from privrep.inputs.normalisation import moments_of, normalise_by
from privrep.parallel.run_axis import take
from privrep.types import Data, Ragged, take_rows
from privrep.unlearning.person_release import PERSON_RELEASES
from privrep.unlearning.released_h import represent

ALL, ENROLLED = "all", "enrolled"  # utterances of a person whose frames give the units


class Point(NamedTuple):
    """What the networks reveal of persons who have enrolled so many utterances.

    Attributes:
      utterances: enrolled of each person.
      units: of frames, ALL of the person's utterances or those ENROLLED; "" where they are not the
        person's.
      scores: columns of runs.csv, of emotion and of the private attributes, over all folds.
    """

    utterances: int
    units: str
    scores: Row


def curve(setting: PickedSetting, counts: Sequence[int]) -> Iterator[Point]:
    """Measures the networks of a setting with every number of enrolled utterances.

    0: the state and the units of the training speakers stand in for those of the person.

    Args:
      counts: none greater than --enrolment of the job.

    Yields:
      A point after each measurement; a single one where the number does not matter.

    Raises:
      ValueError: the networks need a state that cannot be of so few utterances, or the job has
        enrolled fewer.
    """
    config = setting.config
    _check(setting, counts)
    loaded = load(config, setting.prepared)
    by_units = config.normalise == "speaker" and loaded.packed.data.corpus.frames is not None
    for units in (ALL, ENROLLED) if by_units else ("",):
        matters = has_state(config) or units == ENROLLED
        for count in counts if matters else [max(counts)]:
            # Nobody who has said nothing has frames to take units from.
            if units != ALL or count:
                yield Point(count, units, _scores(setting, loaded, count, units))


def _check(setting: PickedSetting, counts: Sequence[int]) -> None:
    config, most = setting.config, max(counts)
    if most > config.enrolment:
        raise ValueError(
            f"--utterances={most}: the job has enrolled {config.enrolment} of each person, and "
            f"scored the others: take no more, or run it with --enrolment={most}"
        )
    if has_state(config) and config.release not in PERSON_RELEASES:
        raise ValueError(
            f"{setting.repeat}: its h is relative to the person, and no release stands in for the "
            f"mean of a person who has enrolled few: pick one of {', '.join(PERSON_RELEASES)}"
        )
    if config.state == "running":
        raise ValueError(f"{setting.repeat}: a running state goes on beyond what is enrolled")


def _scores(setting: PickedSetting, loaded: Loaded, count: int, units: str) -> Row:
    config, data = setting.config, loaded.packed.data
    enrolled = _enrolled(loaded, setting, count)
    architecture = build.architecture(Pack(config, (config,)), loaded.packed)
    runs, described = build.run_table([config], len(loaded.split.train))
    raw = _raw_frames(setting, loaded) if units == ENROLLED else None
    trained = load_networks(setting)
    targets = []
    for row, (_, fold) in enumerate(described):
        corpus = data.corpus
        if raw is not None:
            corpus = corpus._replace(frames=_in_units(raw, data, enrolled, fold))
        of_fold = data._replace(corpus=corpus, enrolled=enrolled)
        params = take(trained.params, np.array([trained.places[fold]]))
        h, _, _ = represent(architecture, of_fold, take(runs, np.array([row])), params)
        emotion = {"params": take(params, 0)}, jnp.asarray(h[0])
        targets.append(
            AttackTarget(
                settings=row_settings(config) | {"fold": fold},
                control="",
                run=row,
                h=None,
                labels={},
                pairs=None,
                pooled_h=h[0],
                logits=np.asarray(architecture.net.apply(*emotion, method="emotion")),
            )
        )
    attributes = [a for a in config.attributes if a != SPEAKER]
    return essential(targets, loaded.scored, attributes)[0]


def _enrolled(loaded: Loaded, setting: PickedSetting, count: int) -> np.ndarray:
    """bool[N], the first `count` utterances of the enrolment of each person."""
    data, config = loaded.packed.data, setting.config
    speaker, is_used = np.asarray(data.speaker), np.any(loaded.split, (0, 1))
    if not count:
        return np.zeros(len(speaker), bool)
    moods, uneven = np.asarray(data.folds.task[0]), config.enrolled_moods == "uneven"
    drawn = draw_enrolment(config.fold_seed, np.where(is_used, speaker, -1), moods, count, uneven)
    assert data.enrolled is not None  # by `_check`
    return drawn.is_enrolled & data.enrolled


def _raw_frames(setting: PickedSetting, loaded: Loaded) -> Ragged:
    """The frames of the pack's utterances, in units of nobody."""
    row_of = {u.id: i for i, u in enumerate(setting.prepared.utterances)}
    frames = setting.prepared.frames
    assert frames is not None
    return take_rows(frames, np.array([row_of[u.id] for u in loaded.utterances]))


def _in_units(raw: Ragged, data: Data, enrolled: np.ndarray, fold: int) -> Ragged:
    """The corpus's frames, those of persons outside the training part in units of what they enrol.

    Without an enrolment the units are those of all training utterances.

    Raises:
      ValueError: a feature that never varied in what is enrolled does in another utterance.
    """

    def of(i: Any) -> Any:
        return raw.values[raw.start[i] : raw.start[i] + raw.length[i]]

    frames, speaker = data.corpus.frames, np.asarray(data.speaker)
    assert frames is not None
    train = np.asarray(data.folds.split.train[fold])
    values = np.array(frames.values)
    of_training = None
    for number in np.unique(speaker[~train & (speaker >= 0)]):
        if (train & (speaker == number)).any():
            continue
        rows = np.flatnonzero(speaker == number)
        moments = of_training
        if enrolled[rows].any():
            moments = moments_of([of(i) for i in rows if enrolled[i]])
        elif moments is None:
            moments = of_training = moments_of([of(i) for i in np.flatnonzero(train)])
        assert moments is not None
        for i in rows:
            start = frames.start[i]
            values[start : start + frames.length[i]] = normalise_by(of(i), moments)
    if not np.isfinite(values).all():
        raise ValueError(
            "a feature that never varies in the enrolled utterances of a person does in others: "
            "units cannot be estimated from so few; take more --utterances"
        )
    return frames._replace(values=values)


def table(points: Sequence[Point], attributes: Sequence[str]) -> list[str]:
    """Lines of a Markdown table."""
    header = ["enrolled", "units of frames", "emotion", "95 %"]
    for name in attributes:
        header += [f"{name}: seen", "own", "upper bound", "verdict"]
    lines = [header, ["---"] * len(header)]
    lines += [cells(point, attributes) for point in points]
    return [f"| {' | '.join(line)} |" for line in lines]


def cells(point: Point, attributes: Sequence[str]) -> list[str]:
    """The cells of a point in the order of `table`."""
    scores = point.scores
    is_regression = scores.get("emotion_pooled_uar") is None
    emotion = scores.get(f"emotion_pooled_{'ccc' if is_regression else 'uar'}")
    ends = [_number(scores.get(f"emotion_pooled_{end}"), 2) for end in ("lower", "upper")]
    line = [str(point.utterances), point.units, _number(emotion), "-".join(ends)]
    for name in attributes:
        place = f"{name}_pooled"
        figures = (f"{place}_seen_uar", f"{place}_own_uar", f"{place}_upper")
        line += [_number(scores.get(figure)) for figure in figures]
        line.append(str(scores.get(f"{place}_verdict") or "").replace("_", " "))
    return line


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"
