"""The beginning of every program of this folder. Import before all that takes time to import."""

import sys
from collections.abc import Callable, Sequence

from privrep.program import begin, end_faults, end_with

STOPPED = "stopped; go on with the same flags and --resume"
_LINES = {
    "experiments.main": STOPPED,
    "experiments.opt_out": "stopped",
    "experiments.export_model": "stopped; the models are written anew by the same command",
    "experiments.report.__main__": "stopped; the report is made anew by the same command",
    "experiments.report.write_report": "stopped; the report is made anew by the same command",
}


def program() -> str:
    """The module that `python -m` runs; "" in a test, or where a program is imported."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return "" if spec is None else spec.name


def parse_flags(
    argv: Sequence[str], unknown: Callable[[str], str] = "there is no --{}".format
) -> list[str]:
    """Parses the flags of a program that uses absl, whose own parser ends with status 1.

    Args:
      argv: of the program.
      unknown: what to say of a flag that does not exist.

    Returns what is no flag, the program's name first. --help is answered and ends with 0; flags
    that do not exist or do not parse end the program with WRONG.
    """
    from absl import app, flags  # which takes time

    app.define_help_flags()
    try:
        return flags.FLAGS(list(argv))
    except flags.UnrecognizedFlagError as error:
        end_with(f"error: {unknown(error.flagname)}")
    except flags.Error as error:
        end_with(f"error: {error}\n--help and --helpfull list the flags.")
    except SystemExit:  # it has answered --help
        raise SystemExit(0) from None


if program() in _LINES:
    begin(_LINES[program()])
elif program().startswith("experiments."):
    end_faults()
