"""Who has opted out is still read from h that leaks, and is not from h that does not."""

import csv

import numpy as np
import pytest

from experiments.config.lambdas import by_attribute
from experiments.config.settings import Config
from experiments.opt_out import (
    Guess,
    guesses,
    in_words,
    packs_of_recipes,
    report,
    rightly,
    which_pack,
)
from experiments.run.export_h import file_names

LEAKS, HIDES = "lambda=0_recipe=none_seed=0", "lambda=1_recipe=posterior_seed=0"
SUMS = "lambda=1_recipe=keep_seed=0"
PACKS = ((0, "posterior"), (0, "paper"), (1, "keep"), (1, "none"), (2, "keep"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Two folds of 30 speakers with 8 utterances.

    h of the network LEAKS tells the gender, of HIDES nothing, of SUMS some with every utterance.
    """
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
        np.savez(to / f"{SUMS}.npz", h=noise + np.outer(sign, [0.8, 0, 0, 0]), id=ids)
    return folder


def test_what_h_tells_is_read_of_test_speakers_and_what_it_hides_is_not(exported):
    by_network = guesses(exported, "gender")
    assert set(by_network) == {LEAKS, HIDES, SUMS} and len(by_network[LEAKS]) == 20
    assert all(g.value == g.true and g.confidence > 0.9 for g in by_network[LEAKS].values())
    rightly = np.mean([g.value == g.true for g in by_network[HIDES].values()])
    assert 0.2 < rightly < 0.8
    assert np.mean([g.confidence for g in by_network[HIDES].values()]) < 0.7
    assert {g.num_utterances for g in by_network[LEAKS].values()} == {8}


def test_a_little_of_every_utterance_is_much_of_a_person(exported):
    by_network = guesses(exported, "gender")
    single, whole = rightly([by_network[SUMS]])
    assert 0.6 < single < 0.8 < 0.85 < whole
    assert all(score > 0.95 for score in rightly([by_network[LEAKS]]))
    assert 0.4 < rightly([by_network[HIDES]])[0] < 0.6
    # Of each value alike, however few have it.
    guess = Guess("f", 0.9, "f", 1.0, 8)
    wrong = guess._replace(true="m", share=0.25)
    assert rightly([{"a": guess, "b": guess, "c": wrong}]) == (0.625, 0.5)


def test_what_is_sent_is_put_in_words_side_by_side(exported):
    by_network = guesses(exported, "gender")
    rows = [row(0, "none", 0.97, "leaks"), row(1.0, "keep", 0.7, "leaks") | {"state": "running"}]
    text = " ".join(in_words(by_network, rows, "gender"))
    order = [text.index(f"{name} sends ") for name in ("network", "keep", "posterior")]
    assert order == sorted(order)
    assert "which serves other tasks too. Emotion 0.600; the gender is read" in text
    assert "only how likely each emotion is. Emotion unknown" in text
    assert "here of some 8. Guessing is right 50% ± 22% of the time with 20 speakers, " in text
    assert (
        "and more is read of the ordinary network and keep." in text and "Not in these" not in text
    )
    text = " ".join(in_words({HIDES: by_network[HIDES]}, rows, "gender"))
    assert "more is read of none of these" in text and "--recipe=keep." in text
    packs = [row(1.0, name, 0.6, "leaks") | {"pack": pack} for pack, name in PACKS]
    elsewhere = packs_of_recipes([*packs, {"control": "shuffled", "pack": 3}], 0)
    assert elsewhere == {"keep": 1, "none": 1}
    text = " ".join(in_words({HIDES: by_network[HIDES]}, rows, "gender", elsewhere))
    assert "keep is in another pack of these results: --pack=1 shows it." in text
    assert "Not in these" not in text
    assert in_words({"lambda=1_recipe=leads_seed=0": by_network[HIDES]}, rows, "gender") == []


def row(lambda_, recipe, upper, verdict):
    settings = {"lambda": lambda_, "recipe": recipe, "seed": 0, "control": None}
    scores = {"gender_pooled_upper": upper, "emotion_pooled_uar": 0.6}
    return settings | scores | {"gender_pooled_verdict": verdict}


def test_a_line_for_each_network_with_its_bound_and_verdict(exported):
    rows = [
        {"control": "shuffled", "lambda": None},
        row(1.0, "posterior", 0.58, "no_leak_shown"),
        row(0, "none", 0.97, "leaks"),
    ]
    lines = report(guesses(exported, "gender"), rows, "gender", "f00")
    assert lines[0].startswith("f00 (gender: female) has opted out.")
    table = [line.split() for line in lines[4:7]]
    assert table[0][:3] == ["none", "0", "0.600"] and table[0][-2:] == ["0.970", "leaks"]
    assert float(table[0][3]) > 0.95 and table[0][4:9] == ["1.00", "20", "of", "20", "female"]
    assert table[1][:2] == ["keep", "1"]
    assert table[2][:2] == ["posterior", "1"] and table[2][-4:] == ["0.580", "no", "leak", "shown"]
    assert any("All utterances of a person reveal more" in line for line in lines)


def test_lines_name_what_their_networks_do_not_share_and_find_their_own_verdict():
    guess = {"a": Guess("f", 0.9, "f", 1.0, 8), "b": Guess("m", 0.8, "f", 0.5, 8)}
    points = [
        (seed, rate, decay) for seed in (0, 1) for rate in (1e-5, 1e-3) for decay in (0.0, 0.1)
    ]
    strengths = by_attribute([0.5], ["gender"])
    recipe, rows = "strong+adversary_learning_rate=0.01", []
    configs = [
        Config(lambda_=strengths, recipe=recipe, seed=seed, learning_rate=rate, weight_decay=decay)
        for seed, rate, decay in points
    ]
    by_network = dict.fromkeys(file_names(configs)[:6], guess)
    for i, (seed, rate, decay) in enumerate(points):
        settings = {"seed": seed, "learning_rate": rate, "weight_decay": decay}
        rows.append(row(0.5, recipe, 0.5 + i / 100, "leaks") | settings)
    lines = report(by_network, rows[::-1], "gender", "a")[2:]
    assert lines[0].split()[:5] == ["recipe", "lambda", "seed", "learning_rate", "weight_decay"]
    shown = [line.split() for line in lines[2:8]]
    assert [line[1:5] for line in shown] == [
        ["0.5", str(s), str(r), str(d)] for s, r, d in points[:6]
    ]
    assert [line[-2] for line in shown] == [f"{0.5 + i / 100:.3f}" for i in range(6)]
    # What is the same in all is no column, as a network that diverged is no guess of its people.
    kept = [name for name in by_network if "_seed=0" in name and "decay=0.0" in name]
    two = {name: by_network[name] for name in kept} | {kept[0]: {"b": guess["b"]}}
    header, _, diverged, whole = report(two, rows, "gender", "a")[2:6]
    assert "seed" not in header and "weight_decay" not in header and "learning_rate" in header
    assert whole.split()[9:11] == ["f", "0.90"] and diverged.split()[6:9] == ["0", "of", "1"]


def test_a_pack_among_others_says_what_it_is_of():
    rows = [row(strength, "none", 0.5, "leaks") for strength in (0, 1)]
    acoustic, lexical = ([entry | {"modality": m, "task": "a"} for entry in rows] for m in "xy")
    packs = [entry | {"pack": i} for i, of in enumerate((acoustic, lexical)) for entry in of]
    assert which_pack(packs, 1) == ["--pack=1 of 0 to 1: modality=y", ""]
    assert which_pack(packs[:2], 0) == []


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
        report({LEAKS: {"f00": Guess("female", 0.9, "female", 1.0, 8)}}, [], "gender", "nobody")
