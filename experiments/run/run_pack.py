"""One pack of runs from first epoch to rows: trained together, attacked, saved."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config import build, sweep
from experiments.config.settings import Config
from experiments.results import checkpoints
from experiments.results.columns import Row, chance
from experiments.results.curves import LogEpoch
from experiments.results.h_map import Labelling, write_maps
from experiments.results.speaker_counts import write_counts
from experiments.run.attack_progress import attack_progress
from experiments.run.attack_stage import AttackTarget, attack_targets
from experiments.run.controls import TrainedRuns, guesses, least_protected, make_targets
from experiments.run.kept_counts import kept_counts
from experiments.run.load_data import Job, Loaded
from experiments.run.membership_scores import membership
from experiments.run.pooled_scores import pooled
from experiments.run.rating_scores import rating_scores
from experiments.run.reading_scores import reading_scores
from experiments.run.speaker_changes import Counted
from experiments.run.task_scores import task_scores
from experiments.run.train_pack import Trained, train_pack
from experiments.run.validation_scores import validation_scores
from privrep.attacks.trained.dense import ATTACKERS
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.cores import one_blas_thread
from privrep.parallel.processes import is_first
from privrep.parallel.run_axis import collect, share, take
from privrep.training.fit import start_all
from privrep.unlearning.releases import Learned
from privrep.unlearning.training_problem import network_problem


def run_pack(job: Job, loaded: Loaded, configs: Sequence[Config] | None = None) -> list[Row]:
    """Trains and attacks runs of a pack on every fold, going on from what its folder holds.

    Args:
      configs: those of the pack's runs that are wanted; None for all.

    Returns:
      One row per run and control: its settings, `fold`, `control`, and its scores.
    """
    pack, folder = job.pack, job.folder
    trained = train_pack(job, loaded)
    wanted = pack.runs if configs is None else configs
    index = np.array([i for i, (config, _) in enumerate(trained.described) if config in wanted])
    runs = _trained_runs(pack, trained, index, loaded.places)
    log = job.track_attack([trained.described[i] for i in index])
    with one_blas_thread():  # whatever follows training computes on small matrices
        rows, learned = _measured(pack.config, runs, loaded.scored, job, log)
    history = {n: series[:, trained.learner_of[index]] for n, series in trained.history.items()}
    learned = take(learned, slice(len(index)))
    checkpoints.save_chosen(folder, runs.fits.best, runs.settings, history, learned)
    return rows


def _trained_runs(
    pack: sweep.Pack, trained: Trained, index: np.ndarray, places: Mapping[str, str]
) -> TrainedRuns:
    """The rows `index` of the pack's runs, and the parameters that their networks began with."""
    learner_of = trained.learner_of[index]
    learners, place = np.unique(learner_of, return_inverse=True)
    starting = share(take(trained.runs, trained.learners[learners]))
    settings = build.fit_settings(pack.config)
    starts = start_all(network_problem, trained.architecture, settings, trained.data, starting)
    described = [trained.described[i] for i in index]
    return TrainedRuns(
        trained.architecture,
        trained.data,
        take(trained.runs, index),
        [sweep.row_settings(config) | dict(places) | {"fold": fold} for config, fold in described],
        take(trained.fits, learner_of),
        take(collect(starts.params), place),
    )


def _measured(
    config: Config, trained: TrainedRuns, loaded: Loaded, job: Job, log: LogEpoch
) -> tuple[list[Row], Learned]:
    """Rows of the runs and of the controls, and what the releases of both have learned.

    Maps of h of some runs go to the folder of the job.
    """
    private = list(loaded.packed.num_private)
    kept: dict[str, list[Counted]] = {}
    with attack_progress(job.title, _steps(config, trained), trained.settings, log) as progress:
        progress.stage("computing h")
        targets, learned = make_targets(trained, loaded)
        _write_maps(job.folder, targets, loaded)
        scores: list[list[Row]] = [[dict(target.scores) for target in targets]]
        for attribute in private:
            names, shown = config.attacker_names, progress.fresh(attribute)
            scores.append(attack_targets(targets, trained.runs, loaded, attribute, names, shown))
        scores.append(
            pooled(
                targets,
                loaded,
                private,
                kept,
                lambda attribute, of: progress.network(attribute, of.settings, of.control),
            )
        )
        progress.stage("tasks read from h")
        scores_of_task = task_scores if loaded.packed.ratings is None else rating_scores
        scores.append(scores_of_task(targets, loaded, private))
        scores.append(reading_scores(targets, loaded, config))
        if config.validation_scores == "on":
            scores.append(validation_scores(targets, loaded.of_validation, private, config))
        if config.membership == "on":
            progress.stage("membership")
            scores.append(membership(targets, loaded, private))
    if is_first():
        write_counts(job.folder, kept_counts(targets, loaded, kept))
    rows = _described(targets, scores)
    rows += guesses(loaded, [target for target in targets if target.control == "raw"])
    shared = _shared_columns(loaded)
    return [row | shared for row in rows], learned


def _steps(config: Config, trained: TrainedRuns) -> int:
    """The number of steps of `_measured`, of which the longest are the permutation tests."""
    settings, private = trained.settings, config.attributes
    per_network = len({row["fold"] for row in settings})
    networks = len(settings) // per_network
    # Those of `make_targets`: untrained, decision, raw; shuffled h is not judged over all speakers.
    judged = networks + 3 * len(least_protected(settings)) // per_network
    dense = [name for name in config.attacker_names if name in ATTACKERS]
    fresh = len(config.attacker_names) - max(len(dense) - 1, 0)  # the dense ones are one step
    of_attributes = sum(1 if a == SPEAKER else fresh + judged for a in private)
    return 2 + of_attributes + (config.membership == "on")


def _write_maps(folder: Path, targets: Sequence[AttackTarget], loaded: Loaded) -> None:
    packed = loaded.packed
    attribute = next((a for a in packed.private_names if a != SPEAKER), None)
    if attribute is None or not is_first():
        return
    folds = packed.data.folds
    task = Labelling("emotion", folds.task, packed.task_names)
    private = Labelling(attribute, folds.private[attribute], packed.private_names[attribute])
    runs = [(t.settings, t.h) for t in targets if not t.control and t.h is not None]
    write_maps(folder, runs, loaded.split, task, private)


def _described(targets: Sequence[AttackTarget], scores: Sequence[Sequence[Row]]) -> list[Row]:
    """A row per target: its settings, control and scores, columns of scores in order of name.

    Args:
      scores: lists with the scores of every target.
    """
    scores_of = [{k: v for row in rows for k, v in row.items()} for rows in zip(*scores)]
    names = sorted({name for row in scores_of for name in row})
    return [
        target.settings
        | {"control": target.control}
        | {name: rounded(row.get(name)) for name in names}
        for target, row in zip(targets, scores_of)
    ]


def _shared_columns(loaded: Loaded) -> Row:
    """Columns that are the same for all rows of a pack: chance levels and sizes."""
    packed, utterances = loaded.packed, loaded.utterances
    chances = {chance("emotion"): emotion_chance(packed.num_outputs)}
    chances |= {chance(a): chance_of(a, size) for a, size in packed.num_private.items()}
    speakers = {u.speaker for u in utterances}
    return chances | {"num_utterances": len(utterances), "num_speakers": len(speakers)}


def emotion_chance(num_outputs: int) -> float:
    """The score of emotion at chance level: UAR of C classes, CCC of a regression (one output)."""
    return 1 / num_outputs if num_outputs > 1 else 0.0


def chance_of(attribute: str, size: int) -> float:
    """The score of the attribute at chance level."""
    return 0.5 if attribute == SPEAKER else 1 / size  # verification answers yes or no


def rounded(value: Any) -> Any:
    """A score as it stands in a table."""
    return round(value, 6) if isinstance(value, float) else value
