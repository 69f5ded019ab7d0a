"""The files of exported representations: their names and what their labels say."""

from types import SimpleNamespace

import numpy as np

from experiments.config.sweep import expand
from experiments.run.export_h import file_names, labels_of
from privrep.types import Split, Utterance


def test_every_run_of_a_pack_has_a_name_of_its_own():
    flags = {"lambda_": "0,1,2", "seed": "0,1", "learning_rate": "0.001,0.002"}
    for recipes in ("posterior,paper", "strong,subspace"):
        for pack in expand(flags | {"recipe": recipes}):
            names = file_names(pack.runs)
            assert len(names) == len({*names}) == len(pack.runs)
            assert all(name.startswith("lambda=") and "learning_rate=" in name for name in names)
    (pack,) = expand({"lambda_": "1", "recipe": "paper"})
    assert file_names(pack.runs) == ["lambda=1_recipe=paper_seed=0"]


def test_labels_say_what_is_known_and_the_part():
    utterances = [
        Utterance("a", "s0", private={"gender": "f", "age": "30"}, session="1", transcript="x, y"),
        Utterance("b", "s1", private={"gender": "m"}, session="1"),
        Utterance("c", "s2", private={"gender": "f"}, session="2"),
    ]
    split = Split(*np.array([[[1, 0, 0]], [[0, 1, 0]], [[0, 0, 1]]], bool))
    data = SimpleNamespace(
        folds=SimpleNamespace(task=np.array([[1, -1, 0]])), corpus=SimpleNamespace(frames=None)
    )
    loaded = SimpleNamespace(
        utterances=utterances,
        split=split,
        packed=SimpleNamespace(data=data, task_names=("low", "high"), ratings=None),
    )
    assert labels_of(loaded, 0, np.array([0, 1, 2])) == {
        "id": ["a", "b", "c"],
        "speaker": ["s0", "s1", "s2"],
        "gender": ["f", "m", "f"],
        "age": ["30", None, None],
        "session": ["1", "1", "2"],
        "transcript": ["x, y", None, None],
        "emotion": ["high", None, "low"],
        "part": ["train", "val", "test"],
    }
    assert "transcript" not in labels_of(loaded, 0, np.array([1, 2]))
