"""Grid search: every setting is trained and compared on validation data, never on the test part.

`<workdir>/search.csv` has a row per setting, seed and fold with its validation scores; it and the
packs' saved progress are all that a stopped search needs to go on. When it is over, `chosen.csv`
has a row per question and `search.json` says what was trained and which runs are measured.
"""

import itertools
import json
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.config.build import run_table, trained_alike
from experiments.config.settings import Config, flag_name
from experiments.config.sweep import Pack, num_folds, row_settings
from experiments.results import provenance, runs_csv
from experiments.results.columns import FIRST, Row, emotion_ccc, emotion_uar
from experiments.results.resume import places
from experiments.run.load_data import Job, Loaded
from experiments.run.train_pack import Pace, train_pack
from experiments.search.candidates import (
    RULES,
    Candidate,
    CandidateScore,
    best,
    differing,
    questions,
    score,
    still_needed,
)
from experiments.search.progress import left, planned
from experiments.search.validation_scores import validated, without_test_labels
from privrep.files import replace_file, write_seal
from privrep.parallel.processes import gather, is_first

Wanted = Mapping[int, Mapping[Config, int]]  # {pack: {run: its candidate}}
AT_HAND = 8  # packs of which the compiled programs stay in memory; the others' are in --cache_dir


class ComparedPack(NamedTuple):
    """A pack that was trained and compared.

    Attributes:
      number: of the pack.
      rows: of search.csv, where they are written.
      pace: how fast it was trained; None where another process did it.
    """

    number: int
    rows: list[Row]
    pace: Pace | None


def search(
    jobs: Sequence[Job],
    candidates: Sequence[Candidate],
    workdir: Path,
    compare: Callable[[Wanted], Iterator[ComparedPack]],
    say: Callable[[list[str]], None],
    rules: Sequence[str] = RULES[:1],
) -> dict[int, list[Config]]:
    """Trains and compares; what is saved of packs that are no longer needed is removed.

    Args:
      candidates: `candidates_of` the jobs' packs.
      compare: trains packs and writes their rows of search.csv, in order.
      say: prints lines for the user.
      rules: in RULES, by each of which is chosen.

    Returns:
      {number of a job: the runs to be measured on the test part}: of every question the best
      candidate by each rule, and its twin at lambda 0. Their networks are trained; the folders of
      their packs are still there.
    """
    asked, folds = questions(candidates), num_folds(jobs[0].pack.config)
    max_epochs = max(job.pack.config.max_epochs for job in jobs)
    networks = networks_of([job.pack for job in jobs], candidates)
    count = len(set().union(*networks)) * folds
    say(planned(candidates, len(jobs), count, max_epochs))
    rows = runs_csv.read_rows(workdir / "search.csv")
    contenders = _by_pack(candidates, range(len(candidates)))
    most_epochs = {
        i: len(set().union(*(networks[s] for s in numbers))) * folds * max_epochs
        for i, numbers in contenders.items()
    }
    done = {row["pack"] for row in rows}
    scores = {s: _score(rows, s) for i in contenders if i in done for s in contenders[i]}
    paces: list[Pace] = []
    missing = [i for i in contenders if i not in done]
    for i, new, pace in compare(
        {i: _runs(jobs[i].pack, candidates, contenders[i]) for i in missing}
    ):
        rows += new
        done.add(i)
        scores |= {s: _score(new, s) for s in contenders[i]}
        _forget(jobs, candidates, still_needed(candidates, asked, scores, rules))
        if pace is None:  # another process has trained it
            continue
        paces.append(pace._replace(most=most_epochs[i]))
        if len(paces) % AT_HAND == 0:
            jax.clear_caches()
        rest = [j for j in contenders if j not in done]
        if rest:
            say([left(paces, len(rest), sum(most_epochs[j] for j in rest))])
    needed = _agreed(still_needed(candidates, asked, scores, rules), len(candidates))
    _forget(jobs, candidates, needed)
    say(_conclude(workdir, candidates, needed, scores, rules))
    chosen = _by_pack(candidates, needed)
    measured = {i: _runs(jobs[i].pack, candidates, numbers) for i, numbers in chosen.items()}
    cost = spent(rows, count, max_epochs)
    if is_first():
        _write_outcome(
            workdir, cost, {i: [*map(jobs[i].pack.runs.index, of)] for i, of in measured.items()}
        )
    say(
        [
            f"search: trained {cost['networks']:,} networks in {cost['run_epochs']:,} run-epochs, "
            f"of {cost['run_epochs_limit']:,} had none stopped early"
        ]
    )
    return {i: list(of) for i, of in measured.items()}


def compared(
    job: Job, runs: Mapping[Config, int], load: Callable[[Job], Loaded]
) -> tuple[list[Row], Pace]:
    """Rows of search.csv for `runs` {run: its candidate} of a pack, which is trained."""
    began = time.monotonic()
    loaded = without_test_labels(load(job))
    trained = train_pack(job, loaded)
    stamp = provenance.stamp(loaded.hash, loaded.content)
    rows: list[Row] = [
        {"pack": job.number, "setting": runs[config]} | row | stamp
        for config, row in validated(trained, loaded, runs)
    ]
    overhead = time.monotonic() - began - trained.pace.training
    return rows, trained.pace._replace(compiling=overhead)


def networks_of(
    packs: Sequence[Pack], candidates: Sequence[Candidate]
) -> list[set[tuple[int, int]]]:
    """The networks of one fold that serve each candidate, each a pack and a number in it."""
    network_of = [trained_alike(run_table(pack.runs, 1)[0])[1] for pack in packs]
    return [{(c.pack, int(network_of[c.pack][r])) for r in c.runs} for c in candidates]


def _by_pack(candidates: Sequence[Candidate], numbers: Iterable[int]) -> dict[int, list[int]]:
    """{pack: the numbers of its candidates}, in the order of the sweep."""
    numbers_of: dict[int, list[int]] = {}
    for s in sorted(numbers, key=lambda s: (candidates[s].pack, s)):
        numbers_of.setdefault(candidates[s].pack, []).append(s)
    return numbers_of


def _runs(pack: Pack, candidates: Sequence[Candidate], numbers: Sequence[int]) -> dict[Config, int]:
    """{run: its candidate} of a pack, in the pack's order."""
    candidate_of = {r: s for s in numbers for r in candidates[s].runs}
    return {pack.runs[r]: candidate_of[r] for r in sorted(candidate_of)}


def _score(rows: Sequence[Row], number: int) -> CandidateScore:
    return score([row for row in rows if row["setting"] == number])


def _forget(jobs: Sequence[Job], candidates: Sequence[Candidate], needed: Collection[int]) -> None:
    """Removes what is saved of packs of which no candidate is needed."""
    packs = {candidates[s].pack for s in needed}
    for job in jobs:
        if job.number not in packs and is_first():
            shutil.rmtree(job.folder, ignore_errors=True)


def _agreed(needed: Collection[int], count: int) -> set[int]:
    """The decision of the first process: others may round otherwise."""
    mask = np.isin(np.arange(count), sorted(needed))
    return {*np.flatnonzero(gather(mask[None])[0]).tolist()}


def _conclude(
    workdir: Path,
    candidates: Sequence[Candidate],
    needed: Collection[int],
    scores: Mapping[int, CandidateScore],
    rules: Sequence[str],
) -> list[str]:
    """Writes chosen.csv; a line on what was chosen for every question, by each rule."""
    chosen: list[Row] = []
    lines = []
    for rule, numbers in itertools.product(rules, questions(candidates).values()):
        winner = best([s for s in numbers if s in needed], scores, rule)
        winning, candidate = scores[winner], candidates[winner]
        row: Row = row_settings(candidate.config) | places(workdir)
        row |= {"seed": None, "setting": winner}
        row |= {"of": len(numbers), "pack": candidate.pack, "twin": candidate.twin}
        row |= {"sound": winning.sound, "rule": rule}
        values = {
            **winning.means,
            "selection_score": winning.value,
            "leak_aware_score": winning.within_leak,
        }
        chosen.append(row | {name: round(value, 6) for name, value in values.items()})
        names = differing(candidates, numbers)
        settings = " ".join(f"{flag_name(n)}={row[flag_name(n)]}" for n in names)
        place = ", ".join(str(row[name]) for name in (*FIRST, "recipe"))
        doubt = (
            ""
            if winning.sound
            else " (every setting had runs that collapsed, diverged or had a lagging adversary)"
        )
        lines.append(
            f"search: {place}: of {len(numbers):,} settings validation chooses{_by(rule, rules)} "
            f"{settings or 'the only one'}: emotion {_emotion(winning.means)}, "
            f"score {winning.by(rule):.3f}{doubt}"
        )
    if is_first():
        (workdir / "chosen.csv").unlink(missing_ok=True)
        runs_csv.append_rows(workdir / "chosen.csv", chosen)
    return lines


def _by(rule: str, rules: Sequence[str]) -> str:
    return "" if (*rules,) == RULES[:1] else f" by the {rule.replace('_', '-')} rule"


def _emotion(means: Mapping[str, float]) -> str:
    """The score of emotion on validation speakers, with its name."""
    name, column = "UAR", emotion_uar("val")
    if column not in means:
        name, column = "CCC", emotion_ccc("val")
    return f"{name} {means[column]:.3f}"


def spent(rows: Iterable[Row], networks: int, max_epochs: int) -> dict[str, int]:
    """The run-epochs of a finished search.

    Args:
      rows: of search.csv; `network` numbers the trained networks of a pack, which candidates that
        differ only in what follows training share.
      networks: of all candidates and folds.

    Returns:
      run_epochs: trained. networks. run_epochs_limit: had no network stopped early.
    """
    epochs: dict[tuple[Any, Any], int] = {}
    for row in rows:
        epochs[row["pack"], row["network"]] = int(row["epochs"])
    return {
        "run_epochs": sum(epochs.values()),
        "networks": networks,
        "run_epochs_limit": networks * max_epochs,
    }


def _write_outcome(
    workdir: Path, cost: Mapping[str, int], measured: Mapping[int, Sequence[int]]
) -> None:
    """Writes search.json: `cost`, and of each pack the numbers of the runs that are measured."""
    path = workdir / "search.json"
    outcome = dict(cost) | {"measured": dict(measured)}
    replace_file(path, json.dumps(outcome, indent=1) + "\n")
    write_seal(workdir / "search.sha256", [path])
