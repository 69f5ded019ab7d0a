"""Emotion and leak when speakers have enrolled few utterances, or none (program).

    python -m experiments.main --dataset=demo --recipe=keep
    python -m experiments.few_enrolled out/demo --pick=recipe=keep

The networks of a finished result directory are measured again, on the utterances that the main job
scored. Of the speakers held out from a network only the first 0, 5, 10 or 20 enrolled utterances
are known: the state is of these, and with --normalise=speaker so are the units of the frames, in
the lines `enrolled`; in the lines `all` these are of all utterances, as in the main job. 0: the
state and the units of the training speakers stand in.
"""

import experiments.start  # isort: skip  # noqa: F401  # before what takes time to import

import argparse
import sys
import warnings
from collections.abc import Sequence

from privrep.messages import printable
from privrep.program import errors_in_a_line, say


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """folder, pick, utterances, cache_dir; --help and wrong arguments end the program."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.few_enrolled",
        description="Measures how emotion and leak move with the number of enrolled utterances.",
    )
    parser.add_argument("folder", metavar="DIR", help="result directory of experiments.main")
    parser.add_argument(
        "--pick",
        default="",
        metavar="WORDS",
        help="settings of the networks, such as recipe=keep,lambda=1,seed=0; among those that are "
        "left validation picks",
    )
    parser.add_argument(
        "--utterances",
        default="0,5,10,20",
        metavar="N,N",
        help="enrolled utterances of each person, not above --enrolment of the job; 0 for none "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--cache_dir",
        default="",
        help="folder of prepared data, if the main job had another than $XDG_CACHE_HOME/privrep, "
        "or ~/.cache/privrep",
    )
    parsed = parser.parse_args(argv)
    words = parsed.utterances.split(",")
    if not all(word.strip().isdecimal() for word in words):
        parser.error(f"--utterances={parsed.utterances}: whole numbers joined by commas expected")
    parsed.utterances = sorted({int(word) for word in words})
    return parsed


def main(argv: Sequence[str] | None = None) -> None:
    """Measures what the command line names and prints a table."""
    parsed = parse(argv)
    warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
    with errors_in_a_line():
        from experiments.run.export_models import setting_of
        from experiments.run.few_enrolled import curve, table
        from experiments.run.finished_job import finished_job, tell

        setting = setting_of(*finished_job(parsed.folder, parsed.pick, parsed.cache_dir))
        points = []
        for point in curve(setting, parsed.utterances):
            points.append(point)
            tell([f"{point.utterances} utterances, units {point.units or 'of nobody'}: measured"])
        attributes = [a for a in setting.config.attributes if a != "speaker"]
        say(printable("\n".join(table(points, attributes))))


if __name__ == "__main__":
    main()
