"""The command line of `python -m experiments.report`, without what takes long to import."""

import argparse
from collections.abc import Sequence

_WHAT = "Makes one report of result directories of experiments.main: tables, figures, one page."


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """folders, output, keep_first; --help and wrong arguments are answered and end the program."""
    parser = argparse.ArgumentParser(prog="python -m experiments.report", description=_WHAT)
    parser.add_argument(
        "folders", nargs="+", metavar="DIR", help="result directory of experiments.main"
    )
    parser.add_argument("--output", default="report", help="folder of the report")
    parser.add_argument(
        "--keep_first",
        action="store_true",
        help="where two directories differ about one run, take the one named first",
    )
    return parser.parse_args(argv)
