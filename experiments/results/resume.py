"""Checks of --resume: flags.txt is compared with the flags of the run that continues."""

import shlex
from pathlib import Path

from experiments.config.parse import PATHS
from experiments.config.settings import flag_name
from experiments.results import parts
from privrep.files import fault, replace_file, write_seal

# Where results lie and whether they are continued is no part of what was computed.
_NOT_COMPARED = ("workdir", "name", "resume", "noresume")
# Nor is where the data lie: their content is compared, see `corpus_record`.
_PLACES = tuple(flag_name(name) for name in PATHS)


def write_flags(workdir: Path, text: str, resume: bool) -> bool:
    """Writes workdir/flags.txt, or makes sure that this program continues what stands there.

    Args:
      workdir: made if it does not exist. Results have begun where it holds runs.csv or checkpoints.
      text: one flag a line, "--name=value"; lines with # and --workdir, --name, --resume are not
        compared, and of the places of data only whether there are any.
      resume: continue if the flags are the same (flags.txt stays as it is).

    Returns:
      Whether there are results that this program continues.

    Raises:
      ValueError: results are there, and of other flags (the message shows the lines that differ),
        of unknown flags, or of the same without `resume`.
    """
    make_workdir(workdir)
    path = workdir / "flags.txt"
    begun = any((workdir / name).exists() for name in ("runs.csv", "checkpoints"))
    begun = begun or any(parts.has_parts(workdir, table) for table in ("runs", "search"))
    if begun and not path.exists():
        raise ValueError(
            f"{workdir} holds results but no flags.txt that says how they were made: choose "
            "another --workdir"
        )
    if not begun:  # whatever flags stand there, nothing came of them but findings about folds
        parts.remove_table(workdir, "split_findings")
        replace_file(path, text)
        write_seal(_seal(workdir), [path])
        return False
    recorded, now = _flags(_text(path)), _flags(text)
    differing = _differing(recorded, now)
    if differing:
        lines = [
            f"  there: {_line(recorded, name)}\n  now:   {_line(now, name)}" for name in differing
        ]
        changed = fault(_seal(workdir)) if _seal(workdir).exists() else None
        doubt = f"\n{changed}: if the lines of now are right, put them there." if changed else ""
        raise ValueError(
            f"{workdir} holds results of other flags:\n"
            + "\n".join(lines)
            + f"\nChoose another --workdir, or give the same flags and --resume.{doubt}"
        )
    if not resume:
        raise ValueError(
            f"{workdir} holds results of the same flags: continue them with --resume, or choose "
            "another --workdir"
        )
    return True


def has_flags(workdir: Path, text: str) -> bool:
    """Whether workdir/flags.txt says the same as `text`, see `write_flags`."""
    path = workdir / "flags.txt"
    return path.exists() and not _differing(_flags(_text(path)), _flags(text))


def make_workdir(workdir: Path) -> None:
    """Makes the folder if it does not exist.

    Raises:
      ValueError: it cannot be made.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--workdir={workdir}: cannot be made: {error.strerror}") from error


def read_flags(workdir: Path) -> dict[str, str] | None:
    """{flag: value} of flags.txt; None where there is none.

    Raises:
      ValueError: it is not as it was written.
    """
    path = workdir / "flags.txt"
    if not path.exists():
        return None
    changed = fault(_seal(workdir)) if _seal(workdir).exists() else None
    if changed:
        raise ValueError(
            f"{changed}: run experiments.main with the flags that made {workdir}, and --resume; it "
            "shows the lines that differ"
        )
    return _flags(_text(path))


def resume_command(workdir: Path) -> str:
    """The command that goes on with what this directory's flags.txt plans."""
    flagfile, place = (shlex.quote(str(path)) for path in (workdir / "flags.txt", workdir))
    return f"python -m experiments.main --flagfile={flagfile} --workdir={place} --resume"


def places(workdir: Path) -> dict[str, str]:
    """{flag: where the data lay when this directory was begun}, as its rows name it."""
    flags = _flags(_text(workdir / "flags.txt"))
    return {name: flags[name] for name in _PLACES if name in flags}


def reseal(workdir: Path) -> None:
    """Seals flags.txt, which says what it said, after a comment was put there or a line moved."""
    if fault(_seal(workdir), "flags.txt"):
        write_seal(_seal(workdir), [workdir / "flags.txt"])


def _seal(workdir: Path) -> Path:
    return workdir / "flags.sha256"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _differing(recorded: dict[str, str], now: dict[str, str]) -> list[str]:
    """Names of the flags that do not say the same."""
    return [
        name
        for name in sorted({*recorded, *now})
        if _compared(recorded, name) != _compared(now, name)
    ]


def _flags(text: str) -> dict[str, str]:
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("-")]
    pairs = [line.lstrip("-").partition("=")[::2] for line in lines]
    return {name: value for name, value in pairs if name not in _NOT_COMPARED}


def _compared(flags: dict[str, str], name: str) -> str | bool | None:
    return bool(flags.get(name)) if name in _PLACES else flags.get(name)


def _line(flags: dict[str, str], name: str) -> str:
    return f"--{name}={flags[name]}" if name in flags else f"no --{name}"
