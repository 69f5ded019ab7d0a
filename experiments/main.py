"""The paper's experiment on any corpus: train, unlearn, attack, and print the table.

    python -m experiments.main --dataset=demo

Every flag may hold a comma list and is then swept; see README.md.
"""

from experiments.start import STOPPED, parse_flags, program  # isort: skip  # before slow imports
from experiments.devices import check_devices  # isort: skip  # before jax
from absl import flags  # isort: skip
from experiments.config import program_flags  # isort: skip

flags.adopt_module_key_flags(program_flags)  # for --help, which lists those of the main module
if program() == "experiments.main":
    import sys  # isort: skip

    program_flags.answer_early(sys.argv)  # before the imports below, which take seconds

import contextlib
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import jax
from absl import app, logging

from experiments.config.parse import PATHS, parse
from experiments.config.recipes import STATELESS, default_recipes, keeps_state
from experiments.config.settings import AUTO, FIELDS, Config, flag_default, flag_name
from experiments.config.sweep import Pack, expand, idle_flags, plan
from experiments.engines.packs import (
    TASKS,
    PackTasks,
    Stages,
    environment_of_tasks,
    in_this_process,
)
from experiments.engines.registry import ENGINES, parse_options
from experiments.engines.tasks import EngineSettings, imported
from experiments.report.finish import finish
from experiments.results import (
    parts,
    provenance,
    resume,
    runs_csv,
    workdirs,
)
from experiments.results.checkpoints import (
    begun_on,
    chosen_fault,
    drop_progress,
    has_progress,
)
from experiments.results.curves import Track, tracked
from experiments.results.fold_files import folds_lost
from experiments.results.writer import Writer
from experiments.run.expected_time import duration, expected_seconds, keep_seconds
from experiments.run.export_h import export
from experiments.run.export_models import export_picked
from experiments.run.load_data import (
    Job,
    Loaded,
    check,
    check_begun,
    choose,
    default_cache_dir,
    read,
    too_few_for_states,
)
from experiments.run.loader import Loader, Messages, first_before_others
from experiments.run.run_pack import run_pack
from experiments.search.candidates import RULES, Candidate, candidates_of, questions
from experiments.search.grid import search
from privrep.files import drop_partial
from privrep.parallel.processes import decision_of_first, is_first, text_of_first
from privrep.program import (
    FAULT,
    INTERRUPTED,
    end_with,
    errors_in_a_line,
)

FLAGS = flags.FLAGS
Say = Callable[[list[str]], None]
IN_CAPTIONS = ("dataset", "modality", "task", "private", "recipe", "lambda_")
NOT_IN_CAPTIONS = ("seed", "data_dir")  # they stand in runs.csv and flags.txt


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        end_with(f"error: what is {argv[1]!r}? Values follow a flag and =: --task=valence")
    warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
    # orbax and tensorflow-datasets narrate every file, and what they raise as well.
    logging.set_verbosity(logging.FATAL)
    with errors_in_a_line():
        _started()


def _started() -> None:
    try:
        _keep_float32()
        _choose_engine()
        _join_processes()
        check_devices()
        experiment()
    except KeyboardInterrupt:
        end_with(STOPPED, INTERRUPTED)
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
        os._exit(FAULT)  # jax would wait for the others, and abort


def _keep_float32() -> None:
    # Else random numbers are drawn in another precision, and the runs are others.
    if jax.config.values["jax_enable_x64"]:
        print("note: JAX_ENABLE_X64 has no effect: all is float32", file=sys.stderr)
        jax.config.update("jax_enable_x64", False)


def _choose_engine() -> None:
    parse_options(FLAGS.engine, FLAGS.engine_options)
    if FLAGS.engine == "here":
        return
    if FLAGS.coordinator:
        raise ValueError(
            f"--coordinator={FLAGS.coordinator} --engine={FLAGS.engine}: one process hands out the "
            "packs; several that share a pack are --engine_options=nodes=2,processes=2 of slurm"
        )
    imported(ENGINES[FLAGS.engine].package, FLAGS.engine)
    jax.config.update("jax_platforms", "cpu")  # the devices are the tasks'


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
    given["folds"] = ",".join(parse("folds", given["folds"]))  # a file by its whole path
    _check_utf8(given)
    packs, candidates = _planned(given)
    if FLAGS.export_model and jax.process_count() > 1:
        raise ValueError(
            "--export_model is for one process: of several, export afterwards, with "
            "experiments.export_model"
        )
    cache_dir = _prepare_cache()
    with contextlib.ExitStack() as stack:
        workdir = _choose_workdir(given["dataset"])
        if is_first():
            stack.callback(workdirs.drop_empty, workdir)
        writer = Writer(workdir)
        enter = partial(stack.enter_context, writer)
        # Who writes there is said before a corpus is read.
        first_before_others(lambda: workdir.is_dir() and enter())
        utterances = first_before_others(lambda: read(packs[0].config, cache_dir))
        say = Messages().say
        configs = [pack.config for pack in packs]
        say([*([] if candidates else [plan(packs, FLAGS.engine)]), *idle_flags(given, configs)])
        if not candidates and FLAGS.search_rule != RULES[0]:
            say(["note: --search_rule has no effect without --search=grid"])
        utterances, lines = choose(configs, utterances)
        say(lines)
        # What a check looks at is the same for all architectures of a grid.
        looked_at = ("modality", "task", "private", "folds", "test_set", "fold_seed", "bins")
        distinct = {tuple(getattr(c, name) for name in looked_at): c for c in configs}
        for config in distinct.values():
            say(check(config, utterances))
        few = too_few_for_states([run for pack in packs for run in pack.runs], utterances)
        kept = [*filter(keeps_state, {*default_recipes(True), *default_recipes(False)})]
        if few and kept and given["recipe"] == AUTO:
            say([_without_states(*few, kept)])
            given["recipe"] = STATELESS  # in flags.txt too, which says the plan without the corpus
            packs, candidates = _planned(given)
        text = _flags_text(given, bool(candidates))
        first_before_others(enter)
        say(first_before_others(lambda: _write_flags(workdir, text)))
        captions = _in_captions(given)
        track_of = tracked(stack, FLAGS.track, workdir, captions)
        jobs = _jobs(packs, workdir, track_of, say)
        finished = first_before_others(lambda: _whole(workdir, jobs))
        writer.watch()
        begun = _begun(workdir, jobs)
        unchanged = first_before_others(
            lambda: check_begun(begun, jobs, utterances, workdir, cache_dir)
        )
        load_job = Loader(utterances, cache_dir, writer, say, resume.places(workdir))
        load_job.restore_records(unchanged)
        wanted = {job.number: list(job.pack.runs) for job in jobs}
        stages = _stages(stack, jobs, load_job, given)
        if candidates:
            rules = RULES if FLAGS.search_rule == "both" else (FLAGS.search_rule,)
            wanted = search(jobs, candidates, workdir, stages.compare, say, rules)
        _run_all(jobs, wanted, finished["runs"], load_job, stages)
        lost = decision_of_first(is_first() and folds_lost(workdir))
        described = set() if lost else finished["split_findings"]
        for i in sorted((finished["runs"] | finished["search"]) - described):
            load_job.read(jobs[i])
        if is_first():
            writer.check()
            _restore_tables(workdir)
            finish(workdir, [jobs[i].folder for i in wanted], captions, FLAGS.wide)
            writer.check()
            shutil.rmtree(workdir / TASKS, ignore_errors=True)
            if FLAGS.export_model:
                export_picked(workdir, cache_dir, say)


def _planned(given: Mapping[str, str]) -> tuple[list[Pack], list[Candidate]]:
    """The packs of the sweep, and with --search its candidates."""
    packs = expand(given)
    candidates = [] if FLAGS.search == "none" else candidates_of(packs)
    if candidates:
        questions(candidates)  # are there any?
    return packs, candidates


def _without_states(few: int, of: int, kept: Sequence[str]) -> str:
    return (
        f"note: {few} of {of} speakers have too few utterances for the state of a person, of "
        f"--recipe={','.join(sorted(kept))}: posterior, of a regression or a head of two layers "
        f"strong, takes its place (--recipe={STATELESS})"
    )


def _flags_text(given: Mapping[str, str], searches: bool) -> str:
    """What flags.txt holds."""
    text = "".join(f"--{flag_name(field)}={value}\n" for field, value in given.items())
    if searches:
        text += f"--search={FLAGS.search}\n"
        if FLAGS.search_rule != RULES[0]:
            text += f"--search_rule={FLAGS.search_rule}\n"
    return text


def _stages(
    stack: contextlib.ExitStack, jobs: Sequence[Job], load_job: Loader, given: Mapping[str, str]
) -> Stages:
    """What is done with packs, by the engine of --engine, which is open until `stack` ends."""
    if FLAGS.engine == "here":
        return in_this_process(jobs, load_job, partial(_run, load_job=load_job))
    options = parse_options(FLAGS.engine, FLAGS.engine_options)
    folder = load_job.writer.workdir.resolve() / TASKS
    settings = EngineSettings(options, environment_of_tasks(options), str(folder / FLAGS.engine))
    engine = stack.enter_context(ENGINES[FLAGS.engine].open(settings))
    return PackTasks(engine, jobs, load_job, given, FLAGS.export).stages


def _run_all(
    jobs: Sequence[Job],
    wanted: Mapping[int, Sequence[Config]],
    finished: set[int],
    load_job: Loader,
    stages: Stages,
) -> None:
    """Runs the packs that are wanted, and says how long those that are left may take."""
    for i in (i for i in wanted if i in finished and FLAGS.export != "none"):
        _export(jobs[i], wanted[i], load_job(jobs[i]), load_job)
    missing = {i: runs for i, runs in wanted.items() if i not in finished}
    left = sum(map(len, missing.values()))
    if FLAGS.engine == "here":  # others carry packs out side by side, on machines of their own
        load_job.say(_expected(jobs, missing, load_job))
    began, done = time.monotonic(), 0
    for i in stages.measure(missing):
        done += len(missing[i])
        if done < left:
            seconds = (time.monotonic() - began) / done * (left - done)
            load_job.say([f"{done:,} of {left:,} settings done, about {duration(seconds)} to go"])


def _expected(
    jobs: Sequence[Job], missing: Mapping[int, Sequence[Config]], load_job: Loader
) -> list[str]:
    """A line on how long the packs that are not finished will take, as far as that is known."""
    packs = [(jobs[i].pack.config, len(runs)) for i, runs in missing.items()]
    if not packs:
        return []
    seconds = expected_seconds(load_job.cache_dir, packs, len(load_job.utterances))
    if seconds is None:
        return [
            "time: not known before the first epochs of a pack; this machine has not run all of "
            "these packs yet"
        ]
    return [f"time: about {duration(seconds)}, which these packs took on this machine before"]


def _run(job: Job, runs: Sequence[Config], load_job: Loader) -> None:
    """Trains, attacks and saves the runs of a pack that are wanted, and exports their h."""
    loaded, writer = load_job(job), load_job.writer
    began, goes_on = time.monotonic(), has_progress(job.folder)
    rows = run_pack(job, loaded, runs)
    seconds = (time.monotonic() - began) / len(runs)
    stamp = provenance.stamp(loaded.hash, loaded.content)
    writer.check()
    if is_first():
        writer.write("runs", job.number, [{"pack": job.number} | row | stamp for row in rows])
        drop_progress(job.folder)
        if not goes_on:  # else a part of it was trained before
            keep_seconds(load_job.cache_dir, job.pack.config, len(load_job.utterances), seconds)
    if FLAGS.export != "none":
        _export(job, runs, loaded, load_job)


def _export(job: Job, runs: Sequence[Config], loaded: Loaded, load_job: Loader) -> None:
    to = load_job.writer.workdir / "representations" / job.folder.name
    exported = tuple(run for run in job.pack.runs if run in runs)
    export(job.pack._replace(runs=exported), loaded, job.folder, to, FLAGS.export)
    load_job.say([f"representations: {to}"])


def _choose_workdir(dataset: str) -> Path:
    """The directory of the results, which the first process names and sends to the others."""
    names: list[str] = []

    def choose() -> None:
        if is_first():
            chosen = workdirs.chosen(FLAGS.workdir, FLAGS.name, dataset, FLAGS.resume)
            names.append(str(chosen))

    first_before_others(choose)
    return Path(text_of_first("".join(names)))


def _write_flags(workdir: Path, text: str) -> list[str]:
    """Writes flags.txt, see `resume.write_flags`; a line on results that are not there."""
    if not is_first():
        return []
    is_chosen = not (FLAGS.workdir or FLAGS.name)
    try:
        goes_on = resume.write_flags(workdir, text, FLAGS.resume)
    except ValueError as error:
        if not (is_chosen and FLAGS.resume):
            raise
        agreeing = workdirs.same_flags(workdir.parent, text)
        places = "".join(f"\n  --workdir={path}" for path in agreeing) or " none"
        raise ValueError(f"{error}\nDirectories of the present flags:{places}") from error
    if not FLAGS.workdir:
        workdirs.point_latest(workdir)
    if goes_on or not FLAGS.resume:
        return []
    return [f"note: --resume: {workdir} holds no results to go on from; it starts anew"]


def _whole(workdir: Path, jobs: Sequence[Job]) -> dict[str, set[int]]:
    """{table: the packs of which all is as it was written}; of others nothing is left, and it is
    said that they are made anew. The first process does this before the others look."""
    if is_first():
        if FLAGS.resume:
            resume.reseal(workdir)
        folders = [job.folder for job in jobs]
        drop_partial([workdir, *(workdir / name for name in ("rows", "data")), *folders])
        for folder in folders:
            begun_on(folder)  # removes one of which that is not known
    finished = {table: parts.finished(workdir, table) for table in parts.TABLES}
    if is_first():
        for i in sorted(finished["runs"]):
            problem = chosen_fault(jobs[i].folder)
            if problem:
                warnings.warn(f"{problem}: pack {i:03d} is made anew", stacklevel=2)
                parts.remove_part(workdir, "runs", i)
                shutil.rmtree(jobs[i].folder, ignore_errors=True)
                finished["runs"].remove(i)
        _restore_tables(workdir)
    return finished


def _restore_tables(workdir: Path) -> None:
    for table in parts.TABLES:
        parts.restore(workdir, table)


def _begun(workdir: Path, jobs: Sequence[Job]) -> dict[int, set[str]]:
    """{pack that has begun: the hashes of the data that it was made from}."""
    hashes: dict[int, set[str]] = {}
    rows = runs_csv.read_runs(workdir / "runs.csv")
    for row in (*rows, *runs_csv.read_rows(workdir / "search.csv")):
        hashes.setdefault(row["pack"], set()).add(str(row["prepared_hash"]))
    for job in jobs:
        before = begun_on(job.folder)
        if before is not None:
            hashes.setdefault(job.number, set()).add(before)
    return hashes


def _check_utf8(given: Mapping[str, str]) -> None:
    for field_, value in given.items():
        if value.encode("utf-8", "replace").decode() != value:
            raise ValueError(
                f"--{flag_name(field_)}={value}: this name is not in UTF-8, and tables could not "
                "hold it: rename the file or folder, or make a link to it"
            )


def _in_captions(given: Mapping[str, str]) -> list[str]:
    """The settings that tables name."""
    return [
        flag_name(field)
        for field, value in given.items()
        if field in IN_CAPTIONS
        or (value != flag_default(field) and field not in NOT_IN_CAPTIONS)
        or (field == "normalise" and given["acoustic_features"])
    ]


def _jobs(
    packs: Sequence[Pack], workdir: Path, track_of: Callable[[Path, str], Track], say: Say
) -> list[Job]:
    jobs = []
    for i, pack in enumerate(packs):
        config = pack.config
        title = f"[{i + 1}/{len(packs)}] {config.modality} {config.task} {config.private}"
        folder = workdir / "checkpoints" / f"{i:03d}"
        tracks = track_of(folder, ""), track_of(folder, "/attack")
        jobs.append(Job(i, pack, folder, title, *tracks, say))
    return jobs


def _prepare_cache() -> Path:
    """Makes the folder of --cache_dir, and has jax keep its compiled programs there."""
    cache_dir = Path(FLAGS.cache_dir or default_cache_dir()).expanduser()
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--cache_dir={cache_dir}: cannot be made: {error.strerror}") from error
    if jax.config.values["jax_compilation_cache_dir"] is None:  # else the user has chosen one
        jax.config.update("jax_compilation_cache_dir", str(cache_dir / "compiled"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    return cache_dir


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
