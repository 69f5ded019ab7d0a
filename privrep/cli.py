"""The console script `privrep`: flags, exit status and terminal output around the library.

Flags are parsed before the library is imported, so that help and misspelt flags take no time.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from privrep import __version__
from privrep.commands.arguments import failed
from privrep.commands.audit import add_audit
from privrep.commands.compare_and_plan import add_compare, add_plan
from privrep.commands.models import add_models
from privrep.messages import nearest
from privrep.program import say

if TYPE_CHECKING:
    pass

MISJUDGED = 1  # exit status of the self-test; those of an audit stand in `gate`


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a subcommand; returns the exit status."""
    parser, commands = _parser()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in commands:
        words = _spelt(words, commands[words[0]])
    parsed = parser.parse_args(words)
    try:
        return parsed.run(parsed)
    except Exception as error:
        return failed(error)[0]


def _spelt(arguments: Sequence[str], command: argparse.ArgumentParser) -> list[str]:
    """The arguments, their flags with hyphens and underscores as the command declares them.

    An unknown flag ends the program here: argparse would first report what is missing instead.
    """
    flags = [*re.findall(r"--[\w-]+", command.format_usage()), "--help"]
    declared = {flag.replace("-", "_"): flag for flag in flags}
    spelt: list[str] = []
    for i, argument in enumerate(arguments):
        name, *value = argument.split("=", 1)
        plain = name.replace("-", "_")
        if name == "--":
            return [*spelt, *arguments[i:]]
        if name.startswith("--") and plain in declared:
            argument = "=".join([declared[plain], *value])
        elif name.startswith("--") and not any(flag.startswith(plain) for flag in declared):
            command.error(f"there is no flag {name}{nearest(name, flags)}")
        spelt.append(argument)
    return spelt


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and those of its commands by name."""
    parser = argparse.ArgumentParser(prog="privrep", description="Privacy of representations.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    audit = add_audit(commands)
    compare = add_compare(commands)
    plan = add_plan(commands)
    of_models = add_models(commands)

    selftest = commands.add_parser(
        "selftest",
        help="does the measurement detect known leaks, and nothing else?",
        description="Measures worlds whose leak is known. Exit status 1 if one is misjudged.",
    )
    selftest.add_argument("--seed", type=int, default=0, help="of the worlds (%(default)s)")
    selftest.add_argument(
        "--full", action="store_true", help="with the deals and permutations of an audit"
    )
    selftest.set_defaults(run=_selftest)
    return parser, {
        "audit": audit,
        "compare": compare,
        "plan": plan,
        **of_models,
        "selftest": selftest,
    }


def _selftest(parsed: argparse.Namespace) -> int:
    from privrep.leakage.selftest import FULL, QUICK, selftest

    return 0 if selftest(parsed.seed, say, FULL if parsed.full else QUICK) else MISJUDGED


if __name__ == "__main__":
    sys.exit(main())
