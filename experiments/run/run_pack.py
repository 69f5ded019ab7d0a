"""One pack of runs from first epoch to rows: trained together, attacked, saved."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from experiments.config import build, sweep
from experiments.config.lambdas import strengths
from experiments.config.settings import Config
from experiments.results import checkpoints
from experiments.results.columns import PROTECTION
from experiments.results.h_map import write_maps
from experiments.run.controls import principal, raw_features, shuffled_over_speakers, shuffled_pairs
from experiments.run.load_data import Loaded
from experiments.run.membership_scores import membership
from experiments.run.pooled_scores import pooled
from experiments.run.train_pack import train_pack
from privrep.attacks.trained.fresh_attackers import SPEAKER, attack_all, threats_of
from privrep.attacks.trained.pair_verification import Pairs
from privrep.attacks.verification_pairs import verification_pairs
from privrep.inputs.labels import private_labels
from privrep.networks.emotion_net import EmotionNet
from privrep.parallel.processes import is_first
from privrep.parallel.run_axis import Run, collect, join, share, take
from privrep.training.fit import start_all
from privrep.training.problem import DIVERGED, Fit
from privrep.types import Data
from privrep.unlearning.objective import Architecture
from privrep.unlearning.released_h import represent
from privrep.unlearning.releases import RELEASES, Learned
from privrep.unlearning.training_problem import network_problem

PyTree = Any
MOST_PAIRS = 20_000
Row = dict[str, Any]


def run_pack(
    pack: sweep.Pack,
    loaded: Loaded,
    folder: Path,
    title: str,
    configs: Sequence[Config] | None = None,
) -> list[Row]:
    """Trains and attacks runs of a pack on every fold, going on from what `folder` holds.

    Args:
      configs: those of the pack's runs that are wanted; None for all.

    Returns:
      One row per run and control: its settings, `fold`, `control`, and its scores.
    """
    configs = pack.runs if configs is None else configs
    trained = train_pack(pack, loaded, folder, title, configs=configs)
    architecture, data = trained.architecture, trained.data
    rows = np.array([i for i, (config, _) in enumerate(trained.described) if config in configs])
    runs, of = take(trained.runs, rows), trained.of[rows]
    fits = take(trained.fits, of)
    history = {name: series[:, of] for name, series in trained.history.items()}
    said = [sweep.row_settings(c) | {"fold": f} for c, f in (trained.described[i] for i in rows)]
    wanted, of = np.unique(of, return_inverse=True)
    starting = share(take(trained.runs, trained.learners[wanted]))
    settings = build.fit_settings(pack.config)
    starts = start_all(network_problem, architecture, settings, data, starting)
    untrained = take(collect(starts.params), of)
    rows, learned = _measured(
        pack.config, architecture, data, loaded, runs, fits, untrained, said, folder, title
    )
    checkpoints.save_chosen(folder, fits.best, said, history, take(learned, slice(len(said))))
    return rows


def _measured(
    config: Config,
    architecture: Architecture,
    data: Data,
    loaded: Loaded,
    runs: Run,
    fits: Fit,
    untrained: PyTree,
    said: Sequence[Row],
    folder: Path,
    title: str,
) -> tuple[list[Row], Learned]:
    """Rows of the runs and of the controls, and what the releases of both have learned.

    A map of h of some goes to the folder.
    """
    net, folds = architecture.net, loaded.packed.data.folds
    # Controls stand for every protection: they are made once for all that differ in it alone.
    first: dict[tuple, int] = {}
    for i in sorted(range(len(said)), key=lambda i: strengths(said[i]["lambda"])):
        first.setdefault(tuple(v for n, v in said[i].items() if n not in PROTECTION), i)
    index = np.array(sorted(first.values()))
    controls = _released(take(runs, index), "none")
    decisions = _released(controls, "decision")
    untrained = take(untrained, index)

    # All in one stack: the runs, their untrained twins, what they decide, attackers on shuffled
    # labels, and on what the networks are given.
    kinds = [""] * len(said)
    kinds += [kind for kind in ("untrained", "decision", "shuffled", "raw") for _ in index]
    unprotected = [
        said[i] | dict.fromkeys(PROTECTION) | {"control_lambda": said[i]["lambda"]} for i in index
    ]
    described = [*said, *(unprotected * 4)]
    total = 2 + len(net.private)
    bar = tqdm(total=total, desc=f"{title}: attack", unit="stage", disable=not is_first())
    stack = join(runs, controls, decisions)
    chosen = join(fits.best, untrained, take(fits.best, index))
    h, scores, learned = represent(architecture, data, stack, chosen)
    _write_maps(folder, said, h, loaded)
    raw = raw_features(loaded.packed.data.corpus)
    bar.update()
    speakers, _ = private_labels(loaded.utterances, SPEAKER)
    shuffled = {
        seed: {
            a: shuffled_over_speakers(codes, speakers, folds.split, seed)
            for a, codes in folds.private.items()
        }
        for seed in {said[i]["seed"] for i in index}
    }
    for attribute, size in net.private.items():
        labels = [shuffled[said[i]["seed"]][attribute][said[i]["fold"]] for i in index]
        deaf = threats_of(folds, controls, h[index], attribute)._replace(labels=np.stack(labels))
        threats = join(threats_of(folds, stack, h, attribute), deaf)
        if raw is not None:
            given = np.broadcast_to(principal(raw, h.shape[2]), (len(index), *h.shape[1:]))
            threats = join(threats, threats_of(folds, controls, given, attribute))
        pairs = None
        if attribute == SPEAKER:
            true = Pairs(*verification_pairs(speakers, loaded.split, MOST_PAIRS, seed=0))
            false = Pairs(true.pairs, shuffled_pairs(*true, seed=0))
            pairs = join(take(true, stack.fold), take(false, controls.fold))
            pairs = pairs if raw is None else join(pairs, take(true, controls.fold))
        scores |= attack_all(attribute, threats, size, config.attacker_names, pairs, speakers)
        bar.update()
    every = [*h, *[None] * len(index), *[raw] * len(index)]
    params = collect(chosen)
    logits = [np.asarray(_logits(net, take(params, i), one)) for i, one in enumerate(h)]
    told = every, list(zip(described, kinds)), loaded, list(net.private)
    scores |= pooled(*told, [one.argmax(-1) for one in logits])
    if config.membership == "on":
        scores |= membership(*told, logits)
    bar.update()
    bar.close()
    # An untrained network has nothing to collapse from: a control is a control.
    scores["collapsed"] = scores["collapsed"][: len(said)]
    scores |= {"best_epoch": fits.best_epoch, "diverged": fits.status == DIVERGED}
    rows = _rows(described, scores, kinds)
    rows += _guesses(loaded, described[-len(index) :], net.private)
    chances = {"emotion_chance": 1 / net.num_classes}
    chances |= {f"{a}_chance": chance_of(a, size) for a, size in net.private.items()}
    sizes = {"num_utterances": len(speakers), "num_speakers": len(np.unique(speakers))}
    return [row | chances | sizes for row in rows], learned


def _write_maps(folder: Path, said: Sequence[Row], h: np.ndarray, loaded: Loaded) -> None:
    packed, split = loaded.packed, loaded.split
    attribute = next((a for a in packed.private_names if a != SPEAKER), None)
    if attribute is None or not is_first():
        return
    folds, names = packed.data.folds, packed.private_names[attribute]
    private = attribute, folds.private[attribute][0], names
    write_maps(folder, said, h, split, (folds.task, packed.task_names), private)


@partial(jax.jit, static_argnums=0)
def _logits(net: EmotionNet, params, h: jax.Array) -> jax.Array:
    """float[N, C]: of the emotion that is recognised from the released h [N, D]."""
    return net.apply({"params": params}, h, method="emotion")


def _released(runs: Run, release: str) -> Run:
    """The runs with another release, of strength 1."""
    number = np.full(len(runs.fold), tuple(RELEASES).index(release), np.int32)
    strength = {a: np.ones(len(number), np.float32) for a in runs.release_lambda}
    return runs._replace(release=number, release_lambda=strength)


def chance_of(attribute: str, size: int) -> float:
    """What guessing the attribute scores."""
    return 0.5 if attribute == SPEAKER else 1 / size  # verification answers yes or no


def _rows(described: Sequence[Row], scores: Mapping[str, Any], kinds: Sequence[str]) -> list[Row]:
    """A row per run: a score that has fewer values than there are rows is of the first ones."""
    columns = {
        name: values if isinstance(values, list) else np.asarray(values).tolist()
        for name, values in sorted(scores.items())
    }
    rows = []
    for i, (row, control) in enumerate(zip(described, kinds)):
        found = {name: values[i] for name, values in columns.items() if i < len(values)}
        written = {name: rounded(value) for name, value in found.items()}
        rows.append(row | {"control": control} | written)
    return rows


def rounded(value: Any) -> Any:
    """A score as it stands in a table."""
    return round(value, 6) if isinstance(value, float) else value


def _guesses(loaded: Loaded, said: Sequence[Row], sizes: Mapping[str, int]) -> list[Row]:
    """Rows of the two guesses that look at nothing: any class, and the training part's majority."""
    folds = loaded.packed.data.folds
    rows = []
    for control in ("chance", "majority"):
        for row in said:
            k, scores = row["fold"], {}
            found = _guess(folds.task[k], folds, k, len(loaded.packed.task_names), control)
            scores["test_emotion_uar"] = found
            for a, size in sizes.items():
                # "Different speakers", always, is wrong half the time, as any answer is.
                same = a == SPEAKER
                found = 0.5 if same else _guess(folds.private[a][k], folds, k, size, control)
                scores |= {f"test_{a}_attacker_uar": found, f"test_{a}_privacy": 1 - found}
            rows.append(row | {"control": control} | scores)
    return rows


def _guess(labels: np.ndarray, folds, fold: int, num_classes: int, control: str) -> float:
    if control == "chance":
        return 1 / num_classes
    train = labels[folds.split.train[fold] & (labels >= 0)]
    test = labels[folds.split.test[fold] & (labels >= 0)]
    majority = np.bincount(train).argmax()
    return float(np.mean([c == majority for c in np.unique(test)]))
