"""Audits of small worlds through the console script."""

import csv
import json

import numpy as np

from privrep.cli import main
from privrep.leakage.worlds import WORLDS

FEW = ("--permutations=60", "--seed=3", "--deals=1")


def write(folder, world, num_speakers, names=("female", "male"), utterances=12):
    """h.npy and labels.csv of a world, in `folder`."""
    sample = WORLDS[world].draw(0, num_speakers, utterances, 8)
    np.save(folder / "h.npy", sample.h)
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["speaker", "gender", "session"])
        for speaker, gender, session in zip(sample.speaker, sample.gender, sample.session):
            lines.writerow([f"s{speaker}", names[gender], session])
    return sample


def run(folder, *flags, output="out"):
    """The exit status of `privrep audit`, on the files of `write`; 0 where no limit is given."""
    if not any(flag.startswith(("--fail", "--policy")) for flag in flags):
        flags = ("--fail-on=none", *flags)
    arguments = ["audit", str(folder / "h.npy"), str(folder / "labels.csv")]
    return main([*arguments, "--attribute=gender", f"--output={folder / output}", *FEW, *flags])


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def report_of(folder, output="out"):
    text = (folder / output / "audit.json").read_text("utf-8")
    return json.loads(text, parse_constant=refuse)
