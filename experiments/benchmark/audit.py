"""`privrep audit` of a large corpus of made-up people, from two files to the card, once."""

import tempfile
from pathlib import Path

import numpy as np

from experiments.benchmark.rounds import run_whole
from experiments.benchmark.rows import Row
from experiments.benchmark.work import Size
from privrep.leakage.worlds import WORLDS

WORLD = "emotion_tied"  # one that has a covariate to explain the leak


def measure_audit(size: Size) -> list[Row]:
    """The usual suite and exchanges, with all further questions that the labels allow."""
    with tempfile.TemporaryDirectory() as folder:
        h, labels = Path(folder, "h.npy"), Path(folder, "labels.csv")
        write_world(h, labels, *size.audit)
        program = ["-m", "privrep", "audit", str(h), str(labels), "--attribute=gender"]
        seconds, peak = run_whole([*program, f"--output={folder}/out"])
    people, each, width = size.audit
    contest = f"{people * each:,} x {width} of {people} speakers, usual suite and exchanges"
    rate = people * each / seconds
    told = {"part": "audit", "contest": contest, "contestant": "privrep", "peak_mb": peak}
    return [told | {"rate": rate, "rates": [rate], "unit": "utterances/s", "seconds": seconds}]


def write_world(h: Path, labels: Path, speakers: int, utterances: int, width: int) -> None:
    """The files of an audit; sessions are left out, so that speakers exchange labels freely."""
    sample = WORLDS[WORLD].draw(0, speakers, utterances, width)
    np.save(h, sample.h)
    columns = np.stack([sample.speaker, sample.gender, sample.emotion], 1)
    np.savetxt(labels, columns, "%d", ",", header="speaker,gender,emotion", comments="")
