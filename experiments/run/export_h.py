"""Export of h, as the networks of a finished pack release it, to files that `privrep audit` reads.

A network is audited on held-out speakers: `test` writes the utterances of its fold's test part
alone. `all` writes every part, and the part of each utterance; for training speakers, whose
attribute the network saw, h may reveal less than for held-out ones.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.config import build, sweep
from experiments.config.lambdas import exact_text
from experiments.config.recipes import GOVERNED
from experiments.config.settings import Config, flag_name
from experiments.results.checkpoints import load_params
from experiments.results.exported import SEAL
from experiments.run.load_data import Loaded
from privrep.files import drop_partial, replace_file, replacing, write_seal
from privrep.parallel.processes import is_first
from privrep.training.streaming import place
from privrep.types import Split
from privrep.unlearning.released_h import represent

_ALWAYS = ("lambda_", "recipe", "seed")  # in the name of a file


def export(pack: sweep.Pack, loaded: Loaded, checkpoint: Path, folder: Path, which: str) -> None:
    """Writes h of the networks of a pack, from their saved parameters.

    <folder>/fold_<k>/<lambda=1_recipe=posterior_seed=0>.npz holds h float32[n, D], as released, and
    id str[n]; <folder>/fold_<k>/labels.csv has the labels of each id, see `labels_of`, and SEAL the
    checksums of these files. A network that diverged has no file.

    Args:
      checkpoint: where the pack is saved, see `checkpoints.save_chosen`.
      which: "test" or "all".
    """
    architecture = build.architecture(pack, loaded.packed)
    runs, described = build.run_table(pack.runs, len(loaded.split.train))
    h, *_ = represent(architecture, place(loaded.packed.data), runs, load_params(checkpoint))
    if not is_first():
        return
    names = dict(zip(pack.runs, file_names(pack.runs)))
    ids = np.array([u.id for u in loaded.utterances])
    loaded = loaded.scored
    for fold in range(len(loaded.split.train)):
        split = Split(*(part[fold] for part in loaded.split))
        rows = np.flatnonzero(split.test if which == "test" else np.any(split, 0))
        to = folder / f"fold_{fold}"
        to.mkdir(parents=True, exist_ok=True)
        drop_partial([to])
        made = [to / "labels.csv"]
        for (config, fold_of_run), h_of_run in zip(described, h):
            if fold_of_run == fold and np.isfinite(h_of_run).all():
                made.append(to / f"{names[config]}.npz")
                with replacing(made[-1]) as file:
                    np.savez(file, h=h_of_run[rows], id=ids[rows])
        replace_file(made[0], _table(labels_of(loaded, fold, rows)))
        write_seal(to / SEAL, made)


def file_names(configs: Sequence[Config]) -> list[str]:
    """A unique name for each run of a pack, of the settings in which the runs differ."""
    # What a recipe governs is in its name.
    others = [n for n in vars(configs[0]) if n not in (*_ALWAYS, *GOVERNED)]
    varying = [n for n in others if len({getattr(c, n) for c in configs}) > 1]

    def text(config: Config, name: str) -> str:
        return exact_text(config.lambda_) if name == "lambda_" else str(getattr(config, name))

    return ["_".join(f"{flag_name(n)}={text(c, n)}" for n in (*_ALWAYS, *varying)) for c in configs]


def labels_of(loaded: Loaded, fold: int, rows: np.ndarray) -> dict[str, list]:
    """{column: n cells} of the utterances `rows` int[n], None where nothing is known.

    id, speaker, every private attribute, session and transcript of the corpus, num_frames where
    there is sound; emotion is the class of the task, of a regression the level of its rating,
    which is a column of its own; part is train, val or test of the fold.
    """
    data, utterances = loaded.packed.data, [loaded.utterances[i] for i in rows]
    classes = (*loaded.packed.task_names, None)  # -1, unknown, is the last
    split = Split(*(part[fold] for part in loaded.split))
    columns: dict[str, list] = {
        "id": [u.id for u in utterances],
        "speaker": [u.speaker for u in utterances],
    }
    for name in dict.fromkeys(name for u in utterances for name in u.private):
        columns.setdefault(name, [u.private.get(name) for u in utterances])
    columns["session"] = [u.session for u in utterances]
    columns["transcript"] = [u.transcript for u in utterances]
    if data.corpus.frames is not None:
        columns["num_frames"] = data.corpus.frames.length[rows].tolist()
    columns["emotion"] = [classes[i] for i in data.folds.task[fold, rows]]
    if loaded.packed.ratings is not None:
        ratings = loaded.packed.ratings.values[rows].tolist()
        columns["rating"] = [None if np.isnan(rating) else rating for rating in ratings]
    columns["part"] = [next(n for n, of in split._asdict().items() if of[i]) for i in rows]
    return {name: of for name, of in columns.items() if any(cell is not None for cell in of)}


def _table(columns: dict[str, list]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([columns, *zip(*columns.values())])
    return text.getvalue()
