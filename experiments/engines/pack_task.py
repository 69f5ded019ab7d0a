"""A pack as a task: a process of its own reads the data, trains and measures it, and publishes.

The process shares the folders of the results, the cache and the corpus with the driver, which has
prepared the data before. It writes nothing but its attempt's folder.
"""

import experiments.devices  # isort: skip  # noqa: F401  # before jax

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.config.sweep import Pack, expand
from experiments.engines.attempts import Attempt, attempted, publish
from experiments.results import parts, provenance
from experiments.results.checkpoints import begin
from experiments.results.columns import Row
from experiments.results.curves import Described, LogEpoch
from experiments.results.resume import places
from experiments.run.export_h import export
from experiments.run.load_data import Job, Loaded, choose, load, preparable, prepare_inputs, read
from experiments.run.run_pack import run_pack
from experiments.search.grid import compared
from privrep.parallel.processes import is_first, text_of_first, wait_for_all

MEASURE, COMPARE = "runs", "search"  # stages, by the table that holds their rows
CHECKPOINT, REPRESENTATIONS, TABLE = "checkpoint", "representations", "table"
ATTACK_SCORES = "attack_scores.json"


class PackPlan(NamedTuple):
    """All that a process must know to carry out a stage of a pack.

    Attributes:
      given: {field of Config: text}, from which the sweep is expanded.
      number: of the pack.
      stage: MEASURE or COMPARE.
      runs: [number of a run of the pack, number of its candidate or 0] of those that are wanted.
      place: folder of the attempts.
      workdir, cache_dir: of the job.
      data_hash: of the pack's data, as the driver has read them.
      export: value of --export.
    """

    given: Mapping[str, str]
    number: int
    stage: str
    runs: Sequence[Sequence[int]]
    place: str
    workdir: str
    cache_dir: str
    data_hash: str
    export: str


def perform(plan: Mapping[str, Any]) -> None:
    """Carries out a stage of a pack, see `PackPlan`, and publishes it unless it comes too late.

    It goes on from what an earlier attempt has saved. Of several processes that share the pack
    (`jax.distributed`) all call this.

    Raises:
      ValueError: the data that this machine reads are not the driver's.
    """
    task = PackPlan(**plan)
    if coordinator := os.environ.get("PRIVREP_COORDINATOR"):
        count, process = (int(os.environ[f"PRIVREP_PROCESS{end}"]) for end in ("ES", ""))
        jax.config.update("jax_enable_preemption_service", False)
        jax.distributed.initialize(coordinator, count, process)
    if not is_first():
        _perform(task, None)
        return
    with attempted(Path(task.place)) as attempt:
        if attempt is None:
            text_of_first("")
            return
        _perform(task, attempt)


def _perform(task: PackPlan, attempt: Attempt | None) -> None:
    """In the first process with its attempt, in others with None."""
    if attempt is not None:
        _go_on(attempt, Path(task.workdir, "checkpoints", f"{task.number:03d}"))
    folder = Path(text_of_first("" if attempt is None else str(attempt.folder)))
    if folder == Path():  # nothing is left to do
        return
    packs = expand(task.given)
    pack = packs[task.number]
    scores: list[dict[str, Any]] = []
    title = f"pack {task.number:03d}"
    job = Job(
        task.number, pack, folder / CHECKPOINT, title, track_attack=partial(_keep, scores, pack)
    )
    loaded = _load(task, [p.config for p in packs], job)
    if attempt is not None:
        begin(job.folder, loaded.hash)
    wait_for_all("begin")
    runs = {pack.runs[run]: candidate for run, candidate in task.runs}
    if task.stage == COMPARE:
        rows, _ = compared(job, runs, lambda job: loaded)
    else:
        stamp = provenance.stamp(loaded.hash, loaded.content)
        rows = [{"pack": job.number} | row | stamp for row in run_pack(job, loaded, [*runs])]
        if task.export != "none":
            exported = pack._replace(runs=tuple(runs))
            export(exported, loaded, job.folder, folder / REPRESENTATIONS, task.export)
    if attempt is not None:
        (folder / ATTACK_SCORES).write_text(json.dumps(scores), encoding="utf-8")
        _publish(task, attempt, rows)
    wait_for_all("published")


def _keep(scores: list[dict[str, Any]], pack: Pack, described: Described) -> LogEpoch:
    """Adds the scores of an attack to a list: the driver hands them to trackers."""
    networks = [[pack.runs.index(run), fold] for run, fold in described]

    def log(number: int, scalars: Mapping[str, np.ndarray]) -> None:
        values = {name: [float(value) for value in of] for name, of in scalars.items()}
        scores.append({"number": number, "networks": networks, "scalars": values})

    return log


def _go_on(attempt: Attempt, measured_before: Path) -> None:
    """Copies what the latest attempt before has saved, or what the result directory holds."""
    sources = [*(folder / CHECKPOINT for folder in attempt.before), measured_before]
    source = next((folder for folder in sources if folder.is_dir()), None)
    if source is not None:
        # It may be written to meanwhile: what is torn is noticed by its checksums.
        with contextlib.suppress(shutil.Error, FileNotFoundError):
            shutil.copytree(source, attempt.folder / CHECKPOINT)


def _load(task: PackPlan, configs: Sequence[Any], job: Job) -> Loaded:
    config, cache_dir = job.pack.config, Path(task.cache_dir)
    utterances, _ = choose(configs, read(configs[0], cache_dir))
    prepared = prepare_inputs(config, preparable(utterances), cache_dir, False)
    loaded = load(config, prepared)._replace(places=places(Path(task.workdir)))
    if loaded.hash != task.data_hash:
        raise ValueError(
            f"{config.dataset}: what {socket.gethostname()} reads is not what the first process "
            "has read: all machines must share the folder of the corpus, --cache_dir and --workdir"
        )
    return loaded


def _publish(task: PackPlan, attempt: Attempt, rows: Sequence[Row]) -> None:
    table = attempt.folder / TABLE
    table.mkdir()
    parts.write_part(table, task.stage, task.number, rows)
    publish(attempt, {"data_hash": task.data_hash, "export": task.export})
