"""Who has opted out is still read from h that leaks, and is not from h that does not."""

import csv

import numpy as np
import pytest

from experiments.opt_out import Guess, guesses, told

LEAKS, HIDES = "lambda=0_recipe=none_seed=0", "lambda=1_recipe=posterior_seed=0"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Two folds of 30 speakers with 8 utterances, of which the first network tells gender."""
    folder = tmp_path_factory.mktemp("representations")
    rng = np.random.default_rng(0)
    speakers = [f"{'fm'[i % 2]}{i:02d}" for i in range(30)]
    for fold in range(2):
        rows = []
        for i, speaker in enumerate(speakers):
            part = "test" if i % 3 == fold else "val" if i % 3 == 2 else "train"
            for u in range(8):
                gender = "female" if speaker[0] == "f" else "male"
                rows.append({"id": f"{speaker}_{u}", "speaker": speaker, "gender": gender})
                rows[-1]["part"] = part
        to = folder / f"fold_{fold}"
        to.mkdir()
        with (to / "labels.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        sign = np.array([1 if row["gender"] == "female" else -1 for row in rows])
        noise = rng.normal(size=(len(rows), 4))
        ids = np.array([row["id"] for row in rows])
        np.savez(to / f"{LEAKS}.npz", h=noise + np.outer(sign, [2, 0, 0, 0]), id=ids)
        np.savez(to / f"{HIDES}.npz", h=noise, id=ids)
    return folder


def test_what_h_tells_is_read_of_test_speakers_and_what_it_hides_is_not(exported):
    found = guesses(exported, "gender")
    assert set(found) == {LEAKS, HIDES} and len(found[LEAKS]) == 20
    assert all(g.value == g.true and g.sure > 0.9 for g in found[LEAKS].values())
    rightly = np.mean([g.value == g.true for g in found[HIDES].values()])
    assert 0.2 < rightly < 0.8
    assert np.mean([g.sure for g in found[HIDES].values()]) < 0.7


def row(lambda_, recipe, upper, verdict):
    settings = {"lambda": lambda_, "recipe": recipe, "seed": 0, "control": None}
    return settings | {"gender_pooled_upper": upper, "gender_pooled_verdict": verdict}


def test_a_line_for_each_network_with_its_bound_and_verdict(exported):
    rows = [
        {"control": "shuffled", "lambda": None},
        row(1.0, "posterior", 0.58, "no_leak_shown"),
        row(0, "none", 0.97, "leaks"),
    ]
    lines = told(guesses(exported, "gender"), rows, "gender", "f00")
    assert lines[0].startswith("f00 (gender: female) has opted out.")
    table = [line.split() for line in lines[4:6]]
    assert table[0][:3] == ["none", "0", "female"] and table[0][-2:] == ["0.970", "leaks"]
    assert table[0][4:7] == ["20", "of", "20"]
    assert table[1][:2] == ["posterior", "1"] and table[1][-4:] == ["0.580", "no", "leak", "shown"]


def test_mistakes_say_what_to_do(exported, tmp_path):
    with pytest.raises(ValueError, match=r"--resume and --export=all"):
        guesses(tmp_path, "gender")
    (tmp_path / "fold_0").mkdir()
    (tmp_path / "fold_0/labels.csv").write_text("id,speaker,gender,part\na,b,female,test\n")
    with pytest.raises(ValueError, match=r"holds no exported h with a training part"):
        guesses(tmp_path, "gender")
    with pytest.raises(ValueError, match="--attribute=speaker"):
        guesses(exported, "speaker")
    with pytest.raises(ValueError, match=r"has no column accent: it has id, speaker, gender, part"):
        guesses(exported, "accent")
    with pytest.raises(ValueError, match="--speaker=nobody: choose one of f00"):
        told({LEAKS: {"f00": Guess("female", 0.9, "female")}}, [], "gender", "nobody")
