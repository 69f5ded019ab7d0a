"""The paper's experiment on any corpus: train, unlearn, attack, and print the table.

    python -m experiments.main --dataset=demo

Every flag may hold a comma list and is then swept; see README.md.
"""

import experiments.devices  # isort: skip  # before jax

import os
import re
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
from absl import app, flags, logging

from experiments.config.parse import PATHS, parse
from experiments.config.settings import FIELDS, Config, flag_default, flag_name
from experiments.config.sweep import Pack, expand, idle_flags, plan
from experiments.report.main_table import table_text, write_summary
from experiments.report.write_report import write_report
from experiments.results import provenance, resume, tensorboard
from experiments.results import runs_csv as results
from experiments.results.checkpoints import check_data, drop_progress, load_chosen
from experiments.run import load_data as corpus
from experiments.run.export_h import EXPORTS, export
from experiments.run.load_data import (
    Loaded,
    check,
    inputs_of,
    load,
    preparable,
    prepare_inputs,
    read,
)
from experiments.run.run_pack import run_pack
from experiments.rungs import Rungs, rungs_of
from experiments.search.candidates import Setting, questions, settings_of
from experiments.search.grid import search
from experiments.search.progress import SEARCHES
from privrep.inputs.cache import Prepared
from privrep.inputs.split_linter import grouped, stop_on_fatal
from privrep.parallel.processes import is_first, wait_for_all
from privrep.types import Utterance

__all__ = ["experiments"]

for _field, _spec in FIELDS.items():
    flags.DEFINE_string(flag_name(_field), flag_default(_field), _spec.metadata["help"])
flags.DEFINE_enum(
    "search",
    "none",
    SEARCHES,
    "choose settings on validation data and measure the chosen alone: grid trains every setting to "
    "its end, halving the better ones",
)
flags.DEFINE_string(
    "rungs", "4,8,16", "of --search=halving: the epochs behind which settings are dropped"
)
flags.DEFINE_integer("eta", 3, "of --search=halving: one setting of so many goes on")
flags.DEFINE_string(
    "workdir", "", "where the results go; out/<dataset> of the present folder if not given"
)
flags.DEFINE_string(
    "cache_dir", "", "where prepared data and compiled programs are kept between runs"
)
flags.DEFINE_enum(
    "export",
    "none",
    EXPORTS,
    "write h as released, and labels, to representations/ of the workdir, for privrep audit: of "
    "each network the test part of its fold, or all parts; with --resume of finished runs too",
)
flags.DEFINE_bool("resume", False, "go on where a stopped sweep of the same flags is")
flags.DEFINE_string(
    "coordinator",
    "",
    "to share the runs among several processes: host:port of the first, the same for all; or auto, "
    "under Slurm, Open MPI or on a TPU pod",
)
flags.DEFINE_integer("processes", 1, "how many processes there are, unless --coordinator=auto")
flags.DEFINE_integer("process", 0, "which of them this is, counted from 0")
FLAGS = flags.FLAGS
TOLD_ALWAYS = ("dataset", "modality", "task", "private", "recipe", "lambda_")  # in captions
TOLD_ELSEWHERE = ("seed", "data_dir")  # in runs.csv and flags.txt


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        sys.exit(f"error: what is {argv[1]!r}? Values stand behind a flag: --task=valence")
    warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
    logging.set_verbosity(logging.WARNING)  # orbax and tensorflow-datasets narrate every file
    try:
        _join_processes()
        experiment()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; go on with the same flags and --resume")
    except jax.errors.JaxRuntimeError as error:
        if not FLAGS.coordinator:
            raise
        said = str(error).partition("\n")[0]
        print(
            f"error: {said}\nAnother process has probably ended. End those that are left, and "
            "start all again with --resume, or one alone.",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)  # jax would wait for the others, and abort


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
    given = {field: FLAGS[flag_name(field)].value for field in FIELDS}
    given |= {field: parse(field, given[field])[0] for field in PATHS}
    packs = expand(given)
    settings, rungs, of_search = _searched(packs)
    workdir = Path(FLAGS.workdir or f"out/{given['dataset']}").expanduser()
    cache_dir = Path(FLAGS.cache_dir or _cache()).expanduser()
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--cache_dir={cache_dir}: cannot be made: {error.strerror}") from error
    if jax.config.jax_compilation_cache_dir is None:  # else the user has chosen one
        jax.config.update("jax_compilation_cache_dir", str(cache_dir / "compiled"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    text = "".join(f"--{flag_name(field)}={value}\n" for field, value in given.items())
    text += "".join(f"--{name}={value}\n" for name, value in of_search.items())
    utterances = _first_before_others("read", lambda: read(packs[0].config, cache_dir))
    said: dict[str, None] = {}
    configs = [pack.config for pack in packs]
    _say([plan(packs)] * (rungs is None) + idle_flags(given, configs), said)
    # What a check looks at is the same for all architectures of a grid.
    distinct = {(c.modality, c.task, c.private, c.folds, c.fold_seed, c.bins): c for c in configs}
    for config in distinct.values():
        _say(check(config, utterances), said)
    if is_first() and not resume.write_flags(workdir, text, FLAGS.resume) and FLAGS.resume:
        _say([f"note: --resume: {workdir} holds no results to go on from; it starts anew"], said)
    wait_for_all("flags")
    rows = results.read_rows(workdir / "runs.csv")
    finished = {row["pack"] for row in rows}
    folders = [workdir / "checkpoints" / f"{i:03d}" for i in range(len(packs))]
    searched = results.read_rows(workdir / "search.csv")
    corpus.check_finished([*searched, *rows], configs, folders, utterances)
    titles = [
        f"[{i + 1}/{len(packs)}] {config.modality} {config.task} {config.private}"
        for i, config in enumerate(configs)
    ]
    say = partial(_say, said=said)
    latest: dict[tuple, Prepared] = {}

    def load_pack(i: int) -> Loaded:
        return _load_pack(i, configs[i], folders[i], utterances, cache_dir, workdir, latest, say)

    wanted = {i: list(pack.runs) for i, pack in enumerate(packs)}
    if rungs is not None:
        wanted = search(packs, settings, rungs, workdir, folders, load_pack, titles, say)
    to_do = [i for i in wanted if i not in finished]
    for i in to_do if FLAGS.export == "none" else wanted:
        loaded, rows = load_pack(i), []
        if i in to_do:
            rows = run_pack(packs[i], loaded, folders[i], titles[i], wanted[i])
        stamp = provenance.stamp(loaded.hash, loaded.content)
        if is_first() and rows:
            results.append_rows(workdir / "runs.csv", [{"pack": i} | row | stamp for row in rows])
            drop_progress(folders[i])
        if FLAGS.export != "none":
            to = workdir / "representations" / folders[i].name
            runs = tuple(run for run in packs[i].runs if run in wanted[i])
            export(packs[i]._replace(runs=runs), loaded, folders[i], to, FLAGS.export)
            say([f"representations: {to}"])
    told = [
        flag_name(field)
        for field, value in given.items()
        if field in TOLD_ALWAYS or (value != flag_default(field) and field not in TOLD_ELSEWHERE)
    ]
    if is_first():
        _report(workdir, [folders[i] for i in wanted], told)
        print(f"\nresults: {workdir}")


def _searched(packs: list[Pack]) -> tuple[list[Setting], Rungs | None, dict[str, Any]]:
    """What is searched, in what rungs (None: nothing is), and the flags that say so."""
    of_halving = {name: FLAGS[name].value for name in ("rungs", "eta")}
    idle = [name for name, value in of_halving.items() if value != FLAGS[name].default]
    if FLAGS.search != "halving" and idle:
        raise ValueError(f"--{idle[0]} is for --search=halving; here --search={FLAGS.search}")
    if FLAGS.search == "none":
        return [], None, {}
    settings = settings_of(packs)
    questions(settings)  # are there any?
    longest = max(pack.config.max_epochs for pack in packs)
    rungs = rungs_of(FLAGS.search, FLAGS.rungs, FLAGS.eta, longest)
    return settings, rungs, {"search": FLAGS.search} | (of_halving if rungs.epochs[1:] else {})


def _load_pack(
    i: int,
    config: Config,
    folder: Path,
    utterances: list[Utterance],
    cache_dir: Path,
    workdir: Path,
    latest: dict[tuple, Prepared],
    say: Callable[[list[str]], None],
) -> Loaded:
    """A pack's data; `latest` holds the prepared inputs of the one before, which may be its own."""
    inputs = inputs_of(config)
    if inputs not in latest:
        latest.clear()
        latest[inputs] = _first_before_others(
            "prepare", partial(prepare_inputs, config, preparable(utterances), cache_dir, True)
        )
    loaded = load(config, latest[inputs])
    if is_first():
        results.write_findings(workdir, i, loaded.findings)
    stop_on_fatal(loaded.findings)
    say([*loaded.notes, *grouped(loaded.findings)])
    _first_before_others("check", partial(check_data, folder, loaded.hash))
    return loaded


def _first_before_others(what: str, f: Callable[[], Any]) -> Any:
    """f() in every process, in the first one before the others, which find what it has made."""
    if not is_first():
        wait_for_all(what)
    found = f()
    if is_first():
        wait_for_all(what)
    return found


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "privrep"


def _say(lines: list[str], said: dict[str, None]) -> None:
    """Prints the lines that were not printed before."""
    for line in lines:
        if line not in said and is_first():
            print(line, file=sys.stderr)
        said[line] = None


def _report(workdir: Path, folders: list[Path], settings: list[str]) -> None:
    """Summary, curves and report, from what the result directory holds."""
    rows = results.read_rows(workdir / "runs.csv")
    per_run = {flag_name(name) for name, f in FIELDS.items() if f.metadata["per_run"]}
    names = dict.fromkeys(
        ["lambda", "recipe", *(s for s in settings if s in per_run), "seed", "fold"]
    )
    named = {}
    for folder in folders:
        described, history = load_chosen(folder)
        for r, row in enumerate(described):
            scalars = {name: series[:, r].tolist() for name, series in history.items()}
            said = "_".join(f"{name}={row[name]}" for name in names)
            named[f"{folder.name}_{row['modality']}_{row['task']}/{said}"] = scalars
    summary = write_summary(workdir, rows, settings)
    tensorboard.write_curves(workdir, named)
    write_report([workdir], workdir / "report")
    print("\n" + table_text(summary))


if __name__ == "__main__":
    app.run(main)
