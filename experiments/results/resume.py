"""Checks of --resume: flags.txt is compared with the flags of the run that continues."""

from pathlib import Path

from privrep.files import replace_file

# Where results lie and whether they are continued is no part of what was computed.
_NOT_COMPARED = ("workdir", "resume", "noresume")


def write_flags(workdir: Path, text: str, resume: bool) -> bool:
    """Writes workdir/flags.txt, or makes sure that this program continues what stands there.

    Args:
      workdir: made if it does not exist. Results have begun where it holds runs.csv or checkpoints.
      text: one flag a line, "--name=value"; lines with # and --workdir, --resume are not compared.
      resume: continue if the flags are the same (flags.txt stays as it is).

    Returns:
      Whether there are results that this program continues.

    Raises:
      ValueError: results are there, and of other flags (the message shows the lines that differ),
        of unknown flags, or of the same without `resume`.
    """
    path = workdir / "flags.txt"
    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--workdir={workdir}: cannot be made: {error.strerror}") from error
    begun = (workdir / "runs.csv").exists() or (workdir / "checkpoints").exists()
    if begun and not path.exists():
        raise ValueError(
            f"{workdir} holds results but no flags.txt that says how they were made: choose "
            "another --workdir"
        )
    if not begun:  # whatever flags stand there, nothing came of them
        replace_file(path, text)
        return False
    there, now = _flags(path.read_text(encoding="utf-8")), _flags(text)
    differing = [name for name in sorted({*there, *now}) if there.get(name) != now.get(name)]
    if differing:
        lines = [
            f"  there: {there.get(name, f'no --{name}')}\n  now:   {now.get(name, f'no --{name}')}"
            for name in differing
        ]
        raise ValueError(
            f"{workdir} holds results of other flags:\n"
            + "\n".join(lines)
            + "\nChoose another --workdir, or give the same flags and --resume."
        )
    if not resume:
        raise ValueError(
            f"{workdir} holds results of the same flags: continue them with --resume, or choose "
            "another --workdir"
        )
    return True


def _flags(text: str) -> dict[str, str]:
    """{name: line}"""
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("-")]
    flags = {line.lstrip("-").split("=")[0]: line for line in lines}
    return {name: line for name, line in flags.items() if name not in _NOT_COMPARED}
