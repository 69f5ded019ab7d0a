"""The paper's experiment on any corpus: train, unlearn, attack, and print the table.

    python -m experiments.main --dataset=demo

Every flag may hold a comma list and is then swept; see README.md.
"""

from experiments.start import STOPPED  # isort: skip  # before what takes time to import
from experiments.devices import check_devices  # isort: skip  # before jax

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
from absl import app, flags, logging

from experiments.config.parse import PATHS, parse
from experiments.config.settings import FIELDS, flag_default, flag_name
from experiments.config.sweep import Pack, expand, idle_flags, plan
from experiments.report.main_table import table_text, write_summary
from experiments.report.write_report import write_report
from experiments.results import provenance, resume, runs_csv, tensorboard
from experiments.results.checkpoints import check_data, drop_progress, load_chosen
from experiments.results.presence import Presence
from experiments.run.export_h import EXPORTS, export
from experiments.run.hours import hours_note
from experiments.run.load_data import (
    Job,
    Loaded,
    check,
    check_finished,
    choose,
    inputs_of,
    load,
    preparable,
    prepare_inputs,
    read,
)
from experiments.run.run_pack import run_pack
from experiments.search.candidates import candidates_of, questions
from experiments.search.grid import search
from experiments.search.progress import SEARCHES
from privrep.inputs.cache import Prepared
from privrep.inputs.split_linter import grouped, stop_on_fatal
from privrep.parallel.processes import is_first, wait_for_all
from privrep.program import told_in_a_line
from privrep.types import Utterance

for _field, _spec in FIELDS.items():
    flags.DEFINE_string(flag_name(_field), flag_default(_field), _spec.help)
flags.DEFINE_enum(
    "search",
    "none",
    SEARCHES,
    "grid trains every setting, chooses among them on validation data and measures only the chosen "
    "ones on test speakers; none measures every setting",
)
flags.DEFINE_string(
    "workdir",
    "",
    "folder of the results; out/<dataset> of the present folder if not given",
)
flags.DEFINE_string(
    "cache_dir",
    "",
    "folder of prepared data and compiled programs, which later runs find there",
)
flags.DEFINE_enum(
    "export",
    "none",
    EXPORTS,
    "write h as released, and labels, to representations/ of the workdir, for `privrep audit`: of "
    "each network the test part of its fold, or all parts; with --resume also of finished runs",
)
flags.DEFINE_bool("resume", False, "continue a stopped sweep of the same flags")
flags.DEFINE_string(
    "coordinator",
    "",
    "host:port of the first of several processes that share the runs, the same for all; or auto "
    "under Slurm, Open MPI or on a TPU pod",
)
flags.DEFINE_integer("processes", 1, "number of processes, unless --coordinator=auto")
flags.DEFINE_integer("process", 0, "number of this process, from 0")
FLAGS = flags.FLAGS
IN_CAPTIONS = ("dataset", "modality", "task", "private", "recipe", "lambda_")
NOT_IN_CAPTIONS = ("seed", "data_dir")  # they stand in runs.csv and flags.txt


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        sys.exit(f"error: what is {argv[1]!r}? Values follow a flag and =: --task=valence")
    warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
    # orbax and tensorflow-datasets narrate every file, and what they raise as well.
    logging.set_verbosity(logging.FATAL)
    with told_in_a_line():
        _started()


def _started() -> None:
    try:
        _keep_float32()
        _join_processes()
        check_devices()
        experiment()
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except jax.errors.JaxRuntimeError as error:
        if not FLAGS.coordinator:
            raise
        message = str(error).partition("\n")[0]
        print(
            f"error: {message}\nAnother process has probably ended. End those that are left, and "
            "start all again with --resume, or one alone.",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)  # jax would wait for the others, and abort


def _keep_float32() -> None:
    # Else random numbers are drawn in another precision, and the runs are others.
    if jax.config.values["jax_enable_x64"]:
        print("note: JAX_ENABLE_X64 has no effect: all is float32", file=sys.stderr)
        jax.config.update("jax_enable_x64", False)


def _join_processes() -> None:
    # It would keep SIGTERM, by which schedulers and `kill` end a program, to itself.
    jax.config.update("jax_enable_preemption_service", False)
    if FLAGS.coordinator == "auto":
        return jax.distributed.initialize()
    if FLAGS.processes < 1:
        raise ValueError(f"--processes={FLAGS.processes}: there is at least 1")
    if not 0 <= FLAGS.process < FLAGS.processes:
        raise ValueError(
            f"--process={FLAGS.process}: of --processes={FLAGS.processes} it is one of 0 to "
            f"{FLAGS.processes - 1}"
        )
    if FLAGS.coordinator:
        port = FLAGS.coordinator.rpartition(":")[2]
        if not re.fullmatch(r".+:\d{1,5}", FLAGS.coordinator) or not 0 < int(port) < 2**16:
            raise ValueError(
                f"--coordinator={FLAGS.coordinator}: host:port of the first process, the same for "
                "all, such as localhost:12345; or auto"
            )
        jax.distributed.initialize(FLAGS.coordinator, FLAGS.processes, FLAGS.process)
    elif FLAGS.processes > 1:
        raise ValueError(f"--processes={FLAGS.processes} needs --coordinator=host:port")


def experiment() -> None:
    """Runs the sweep that the flags describe."""
    given = {field: str(FLAGS[flag_name(field)].value) for field in FIELDS}
    given |= {field: str(parse(field, given[field])[0]) for field in PATHS}
    _check_utf8(given)
    packs = expand(given)
    candidates = [] if FLAGS.search == "none" else candidates_of(packs)
    if candidates:
        questions(candidates)  # are there any?
    workdir = Path(FLAGS.workdir or f"out/{given['dataset']}").expanduser()
    cache_dir = _prepare_cache()
    text = "".join(f"--{flag_name(field)}={value}\n" for field, value in given.items())
    if candidates:
        text += f"--search={FLAGS.search}\n"
    utterances = _first_before_others("read", lambda: read(packs[0].config, cache_dir))
    say = _Messages().say
    configs = [pack.config for pack in packs]
    say([*([] if candidates else [plan(packs)]), *idle_flags(given, configs)])
    utterances, lines = choose(configs, utterances)
    say(lines)
    # What a check looks at is the same for all architectures of a grid.
    looked_at = ("modality", "task", "private", "folds", "test_set", "fold_seed", "bins")
    distinct = {tuple(getattr(c, name) for name in looked_at): c for c in configs}
    for config in distinct.values():
        say(check(config, utterances))
    if is_first() and not resume.write_flags(workdir, text, FLAGS.resume) and FLAGS.resume:
        say([f"note: --resume: {workdir} holds no results to go on from; it starts anew"])
    wait_for_all("flags")
    presence = Presence(workdir, "flags.txt")
    jobs = _jobs(packs, workdir)
    rows = runs_csv.read_runs(workdir / "runs.csv")
    searched = runs_csv.read_rows(workdir / "search.csv")
    check_finished([*searched, *rows], jobs, utterances)
    load_job = _Loader(utterances, cache_dir, workdir, say)
    wanted = {job.number: list(job.pack.runs) for job in jobs}
    if candidates:
        wanted = search(jobs, candidates, workdir, load_job, say)
    finished = {row["pack"] for row in rows}
    to_do = [i for i in wanted if i not in finished]
    for i in to_do if FLAGS.export == "none" else wanted:
        job, rows = jobs[i], []
        loaded = load_job(job)
        if i in to_do:
            rows = run_pack(job.pack, loaded, job.folder, job.title, wanted[i])
        stamp = provenance.stamp(loaded.hash, loaded.content)
        presence.check()
        if is_first() and rows:
            rows = [{"pack": i} | row | stamp for row in rows]
            runs_csv.append_runs(workdir / "runs.csv", rows)
            drop_progress(job.folder)
        if FLAGS.export != "none":
            to = workdir / "representations" / job.folder.name
            runs = tuple(run for run in job.pack.runs if run in wanted[i])
            export(job.pack._replace(runs=runs), loaded, job.folder, to, FLAGS.export)
            say([f"representations: {to}"])
    in_captions = [
        flag_name(field)
        for field, value in given.items()
        if field in IN_CAPTIONS
        or (value != flag_default(field) and field not in NOT_IN_CAPTIONS)
        or (field == "normalise" and given["acoustic_features"])
    ]
    if is_first():
        _report(workdir, [jobs[i].folder for i in wanted], in_captions)
        presence.check()
        print(f"\nresults: {workdir}")


def _check_utf8(given: Mapping[str, str]) -> None:
    for field_, value in given.items():
        if value.encode("utf-8", "replace").decode() != value:
            raise ValueError(
                f"--{flag_name(field_)}={value}: this name is not in UTF-8, and tables could not "
                "hold it: rename the file or folder, or make a link to it"
            )


def _jobs(packs: Sequence[Pack], workdir: Path) -> list[Job]:
    jobs = []
    for i, pack in enumerate(packs):
        config = pack.config
        title = f"[{i + 1}/{len(packs)}] {config.modality} {config.task} {config.private}"
        jobs.append(Job(i, pack, workdir / "checkpoints" / f"{i:03d}", title))
    return jobs


def _prepare_cache() -> Path:
    """Makes the folder of --cache_dir, and has jax keep its compiled programs there."""
    cache_dir = Path(FLAGS.cache_dir or _cache()).expanduser()
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--cache_dir={cache_dir}: cannot be made: {error.strerror}") from error
    if jax.config.values["jax_compilation_cache_dir"] is None:  # else the user has chosen one
        jax.config.update("jax_compilation_cache_dir", str(cache_dir / "compiled"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    return cache_dir


@dataclass
class _Messages:
    """Lines for the user, each printed once."""

    printed: set[str] = field(default_factory=set)

    def say(self, lines: Iterable[str]) -> None:
        """Prints the lines that were not printed before."""
        for line in lines:
            if line not in self.printed and is_first():
                print(line, file=sys.stderr)
            self.printed.add(line)


@dataclass
class _Loader:
    """Reads a pack's data.

    Attributes:
      latest: the prepared inputs of the pack before, which may be those of the next one.
    """

    utterances: list[Utterance]
    cache_dir: Path
    workdir: Path
    say: Callable[[list[str]], None]
    latest: dict[Any, Prepared] = field(default_factory=dict)

    def __call__(self, job: Job) -> Loaded:
        config = job.pack.config
        inputs = inputs_of(config)
        if inputs not in self.latest:
            self.latest.clear()
            usable = preparable(self.utterances)
            self.latest[inputs] = _first_before_others(
                "prepare", partial(prepare_inputs, config, usable, self.cache_dir, True)
            )
        self.say(hours_note(config.dataset, self.latest[inputs], len(self.utterances)))
        loaded = load(config, self.latest[inputs])
        if is_first():
            runs_csv.write_findings(self.workdir, job.number, loaded.findings)
        stop_on_fatal(loaded.findings)
        self.say([*loaded.notes, *grouped(loaded.findings)])
        _first_before_others("check", partial(check_data, job.folder, loaded.hash))
        return loaded


def _first_before_others(what: str, f: Callable[[], Any]) -> Any:
    """f() in every process, in the first one before the others, which find what it has made."""
    if not is_first():
        wait_for_all(what)
    result = f()
    if is_first():
        wait_for_all(what)
    return result


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "privrep"


def _report(workdir: Path, folders: list[Path], settings: list[str]) -> None:
    """Summary, curves and report, from what the result directory holds."""
    rows = runs_csv.read_runs(workdir / "runs.csv")
    per_run = {flag_name(name) for name, f in FIELDS.items() if f.per_run}
    names = dict.fromkeys(
        ["lambda", "recipe", *(s for s in settings if s in per_run), "seed", "fold"]
    )
    curves = {}
    for folder in folders:
        described, history = load_chosen(folder)
        for r, row in enumerate(described):
            scalars = {name: series[:, r].tolist() for name, series in history.items()}
            settings_text = "_".join(f"{name}={row[name]}" for name in names)
            curves[f"{folder.name}_{row['modality']}_{row['task']}/{settings_text}"] = scalars
    summary = write_summary(workdir, rows, settings)
    tensorboard.write_curves(workdir, curves)
    write_report([workdir], workdir / "report")
    print("\n" + table_text(summary))


if __name__ == "__main__":
    app.run(main)
