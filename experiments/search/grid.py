"""The search: every setting trained and compared on validation data, the test part never looked at.

`<workdir>/search.csv` has a row per setting, seed and fold with what validation says of it; it and
the packs' saved progress are all that a stopped search needs to go on. When it is over,
`chosen.csv` has a row per question and `search.json` says what was trained.
"""

import json
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.config.build import run_table, trained_alike
from experiments.config.settings import Config, flag_name
from experiments.config.sweep import Pack, row_settings
from experiments.results import provenance
from experiments.results import runs_csv as results
from experiments.results.columns import FIRST
from experiments.run.load_data import Loaded
from experiments.run.train_pack import Pace, train_pack
from experiments.rungs import Rungs, kept, most_epochs, spent
from experiments.search.candidates import (
    Score,
    Setting,
    best,
    differing,
    going_on,
    questions,
    score,
)
from experiments.search.progress import left, num_folds, planned
from experiments.search.validation_scores import validated, without_test_labels
from privrep.files import replace_file
from privrep.parallel.processes import gather, is_first

AT_HAND = 8  # packs of which the compiled programs stay in memory; the others' are in --cache_dir


def search(
    packs: Sequence[Pack],
    settings: Sequence[Setting],
    rungs: Rungs,
    workdir: Path,
    folders: Sequence[Path],
    load: Callable[[int], Loaded],
    titles: Sequence[str],
    say: Callable[[list[str]], None],
) -> dict[int, list[Config]]:
    """Trains and compares; what is saved of packs that nobody needs any more is removed.

    Args:
      settings: `choice.settings_of(packs)`.
      folders: where each pack is saved.
      load: number of a pack -> its data.
      titles: of each pack, for its progress bar.

    Returns:
      {pack: the runs to be measured on the test part}: of every question the best setting, and its
      twin at lambda 0. Their networks are trained; their packs' folders are still there.
    """
    asked, folds = questions(settings), num_folds(packs[0].config)
    networks = networks_of(packs, settings)
    count = len(set().union(*networks)) * folds
    most = most_epochs(rungs, settings, asked, networks, folds)
    say(planned(rungs, settings, len(packs), count, most))
    rows = results.read_rows(workdir / "search.csv")
    going, scores, before = {*range(len(settings))}, {}, 0
    paces: list[Pace] = []
    for rung, until in enumerate(rungs.epochs):
        keep = {question: kept(rungs, rung, len(asked[question])) for question in asked}
        contenders = _by_pack(settings, going)
        done = {row["pack"] for row in rows if row["rung"] == until}
        scores = {s: _score(rows, s, until) for i in done for s in contenders[i]}
        ahead = {
            i: len(set().union(*(networks[s] for s in numbers))) * folds * (until - before)
            for i, numbers in contenders.items()
        }
        to_do = [i for i in contenders if i not in done]
        for i in to_do:
            runs = _runs(packs[i], settings, contenders[i])
            title = f"{titles[i]}: {until} epochs" if len(rungs.epochs) > 1 else titles[i]
            new, pace = _compared(packs[i], runs, until, lambda i=i: load(i), folders[i], title)
            new = [{"pack": i, "rung": until} | row for row in new]
            if is_first():
                results.append_rows(workdir / "search.csv", new)
            rows += new
            done.add(i)
            scores |= {s: _score(new, s, until) for s in contenders[i]}
            _forget(folders, settings, going_on(settings, going, scores, keep))
            paces.append(pace._replace(most=ahead[i]))
            if len(paces) % AT_HAND == 0:
                jax.clear_caches()
            rest = [j for j in contenders if j not in done]
            epochs = sum(ahead[j] for j in rest) + sum(most[rung + 1 :])
            say([left(paces, 0 if rung else len(rest), epochs)] * bool(epochs))
        going = _agreed(going_on(settings, going, scores, keep), len(settings))
        _forget(folders, settings, going)
        before = until
    say(_conclude(workdir, settings, asked, going, scores, spent(rows, count)))
    chosen = _by_pack(settings, going)
    return {i: list(_runs(packs[i], settings, numbers)) for i, numbers in chosen.items()}


def _compared(
    pack: Pack,
    runs: Mapping[Config, int],
    until: int,
    load: Callable[[], Loaded],
    folder: Path,
    title: str,
) -> tuple[list[dict[str, Any]], Pace]:
    """Rows of search.csv for `runs` {run: its setting} of a pack after epoch `until`."""
    began = time.monotonic()
    loaded = without_test_labels(load())
    trained = train_pack(pack, loaded, folder, title, until, runs)
    stamp = provenance.stamp(loaded.hash, loaded.content)
    rows = [
        {"setting": runs[config]} | row | stamp for config, row in validated(trained, loaded, runs)
    ]
    beside = time.monotonic() - began - trained.pace.training
    return rows, trained.pace._replace(compiling=beside)


def networks_of(packs: Sequence[Pack], settings: Sequence[Setting]) -> list[set[tuple[int, int]]]:
    """Of each setting the networks of one fold that serve it, each a pack and a number in it."""
    of = [trained_alike(run_table(pack.runs, 1)[0])[1] for pack in packs]
    return [{(s.pack, int(of[s.pack][r])) for r in s.runs} for s in settings]


def _by_pack(settings: Sequence[Setting], numbers: Collection[int]) -> dict[int, list[int]]:
    """{pack: the numbers of its settings}, in the order of the sweep."""
    found: dict[int, list[int]] = {}
    for s in sorted(numbers, key=lambda s: (settings[s].pack, s)):
        found.setdefault(settings[s].pack, []).append(s)
    return found


def _runs(pack: Pack, settings: Sequence[Setting], numbers: Sequence[int]) -> dict[Config, int]:
    """{run: its setting} of a pack, in its own order."""
    of_run = {r: s for s in numbers for r in settings[s].runs}
    return {pack.runs[r]: of_run[r] for r in sorted(of_run)}


def _score(rows: Sequence[Mapping], setting: int, until: int) -> Score:
    return score([row for row in rows if row["setting"] == setting and row["rung"] == until])


def _forget(folders: Sequence[Path], settings: Sequence[Setting], going: Collection[int]) -> None:
    """Removes what is saved of packs of which no setting goes on."""
    needed = {settings[s].pack for s in going}
    for i, folder in enumerate(folders):
        if i not in needed and is_first():
            shutil.rmtree(folder, ignore_errors=True)


def _agreed(going: Collection[int], count: int) -> set[int]:
    """What the first process has decided: others may round otherwise."""
    mask = np.isin(np.arange(count), sorted(going))
    return {*np.flatnonzero(gather(mask[None])[0]).tolist()}


def _conclude(
    workdir: Path,
    settings: Sequence[Setting],
    asked: Mapping[tuple, Sequence[int]],
    going: Collection[int],
    scores: Mapping[int, Score],
    cost: Mapping[str, int],
) -> list[str]:
    """Writes chosen.csv and search.json; lines that say what is in them."""
    chosen, said = [], []
    for numbers in asked.values():
        (winner,) = best([s for s in numbers if s in going], scores, 1)
        found, config = scores[winner], settings[winner].config
        row = row_settings(config) | {"seed": None, "setting": winner, "of": len(numbers)}
        row |= {"pack": settings[winner].pack, "twin": settings[winner].twin, "sound": found.sound}
        values = {**found.means, "selection_score": found.value}
        chosen.append(row | {name: round(value, 6) for name, value in values.items()})
        told = [f"{flag_name(n)}={getattr(config, n)}" for n in differing(settings, numbers)]
        place = ", ".join(str(row[name]) for name in (*FIRST, "recipe"))
        emotion = found.means["val_emotion_uar"]
        doubt = "" if found.sound else " (every setting had runs that collapsed or diverged)"
        said.append(
            f"search: {place}: of {len(numbers):,} settings validation chooses "
            f"{' '.join(told) or 'the only one'}: emotion UAR {emotion:.3f}, score "
            f"{found.value:.3f}{doubt}"
        )
    if is_first():
        (workdir / "chosen.csv").unlink(missing_ok=True)
        results.append_rows(workdir / "chosen.csv", chosen)
        replace_file(workdir / "search.json", json.dumps(cost, indent=1) + "\n")
    said.append(
        f"search: trained {cost['run_epochs']:,} run-epochs, {cost['finished']:,} of "
        f"{cost['networks']:,} networks to their end; all would have taken about "
        f"{cost['grid_about']:,} if they stop as early as these, {cost['grid_at_most']:,} at most"
    )
    return said
