"""Plants faults into the measurement, each of which the tests named with it must notice.

    python -m tests.support.mutants --only=first_k,ties_do_not_count

A mutant is a replacement of one piece of text in one file, see `mutant_table`. For each of them
privrep, experiments and tests are copied to a temporary folder, the replacement is made there, and
the tests run on the copy: the mutant is killed if each of them fails, else it survives. Exit status
1 if one survives, or if the tests do not pass without any.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.mutant_table import MUTANTS, Mutant
from tests.support.paths import ROOT

COPIED = ("privrep", "experiments", "tests")
_PASSED, _FAILED = 0, 1  # exit status of pytest; any other is an error of its own


def mutated(text: str, mutant: Mutant) -> str:
    """The text of the mutant's file with the replacement made.

    Raises:
      ValueError: the text to be replaced does not occur exactly once.
    """
    count = text.count(mutant.old)
    if count != 1:
        raise ValueError(
            f"{mutant.name}: {mutant.file} holds this text {count} times, and not once:\n"
            f"{mutant.old}\n"
            "write the line that now does the same into tests/support/mutant_table.py"
        )
    return text.replace(mutant.old, mutant.new)


def is_killed(mutant: Mutant, whole: Path, folder: Path) -> bool:
    """Whether each test of a mutant fails.

    Args:
      mutant: to be planted.
      whole: a checkout without fault, see `copied`.
      folder: an empty folder for the copy with the fault, which stays empty.

    Raises:
      ValueError: the replacement is not possible.
      RuntimeError: the tests could not run.
    """
    place = copied(whole, folder / mutant.name)
    file = place / mutant.file
    file.write_text(mutated(file.read_text(encoding="utf-8"), mutant), encoding="utf-8")
    outcomes = [failing(place, [test]) for test in mutant.tests]
    shutil.rmtree(place)
    return all(outcomes)


def copied(source: Path, place: Path) -> Path:
    """A copy of what the tests need of the checkout `source`, in the new folder `place`."""
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source / name, place / name, ignore=ignored)
    shutil.copy(source / "setup.cfg", place)
    return place


def failing(place: Path, tests: Sequence[str]) -> str:
    """What pytest writes if one of the tests in the checkout `place` fails; "" if all pass.

    Raises:
      RuntimeError: they could not run.
    """
    environment = {**os.environ, "PYTHONPATH": str(place), "CI": "1"}  # draws are the same
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    output = process.stdout + process.stderr
    if process.returncode not in (_PASSED, _FAILED):
        raise RuntimeError(f"{' '.join(tests)}: pytest ended with {process.returncode}\n{output}")
    return output if process.returncode == _FAILED else ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="comma list of names; without it, all")
    wanted = [name for name in parser.parse_args().only.split(",") if name]
    unknown = [name for name in wanted if name not in MUTANTS]
    if unknown:
        parser.error(f"no mutant is called {', '.join(unknown)}: there are {', '.join(MUTANTS)}")
    mutants, survivors = [MUTANTS[name] for name in wanted or MUTANTS], 0
    with tempfile.TemporaryDirectory() as folder:
        whole = copied(ROOT, Path(folder, "whole"))
        output = failing(whole, sorted({test for mutant in mutants for test in mutant.tests}))
        if output:
            print(f"a test fails without any mutant\n{output}")
            return 1
        for mutant in mutants:
            killed = is_killed(mutant, whole, Path(folder))
            survivors += not killed
            print(f"{'killed' if killed else 'SURVIVES'}  {mutant.name}", flush=True)
    print(f"{len(mutants) - survivors} of {len(mutants)} mutants are killed")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
