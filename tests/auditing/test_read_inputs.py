"""Labels of an audit as people have them: words, encodings and kinds of tables."""

import csv

import numpy as np
import pytest

from privrep.auditing.options import AuditOptions
from privrep.auditing.read_inputs import read_inputs
from privrep.formats.columns import naming_of
from tests.support.paths import ROOT
from tests.support.vector_files import refused

CASES = ROOT / "tests/cases"


def read(h, labels, attribute="gender", **options):
    return read_inputs(h, labels, attribute, AuditOptions(**options))


def same(a, b):
    """Whether two inputs are of the same rows, classes and speakers, whatever their numbers."""
    pairs = {*zip(a.sample.speaker.tolist(), b.sample.speaker.tolist())}
    return (
        np.array_equal(a.sample.h, b.sample.h)
        and np.array_equal(a.sample.labels, b.sample.labels)
        and len(pairs) == a.sample.num_speakers == b.sample.num_speakers
    )


def test_half_of_the_labels_say_f_and_half_say_female():
    clean, mixed = (
        read(CASES / "32/32_strong.npz", CASES / f"32/{name}.csv")
        for name in ("strong_clean", "strong")
    )
    assert same(clean, mixed) and mixed.joined.classes == ("female", "male")
    assert any("4 spellings" in note and "'F' (100)" in note for note in mixed.notes)


def test_composed_and_decomposed_letters_are_the_same_names():
    clean = read(CASES / "35/h_nfc.npz", CASES / "35/clean.csv")
    mixed = read(CASES / "35/h_nfc.npz", CASES / "35/spk.csv")
    other = read(CASES / "35/h_nfd.npz", CASES / "35/spk.csv")
    assert same(clean, mixed) and same(clean, other) and clean.sample.num_speakers == 24
    assert any("48 spellings were merged into 24 values" in note for note in mixed.notes)
    assert any("240 of 240 ids are written in two ways" in note for note in other.notes)


def test_labels_as_json_keyed_by_utterance():
    inputs = read(CASES / "h240.npz", CASES / "45/l.json")
    assert len(inputs.sample.labels) == 240 and inputs.sample.num_speakers == 24


def test_labels_with_comments_and_in_columns(tmp_path):
    clean = read(CASES / "54/clean.csv", CASES / "54/l.csv")
    lines = (CASES / "54/l.csv").read_text().splitlines()
    text = "\n".join(["# by hand", *lines[:9], "# day 2", *lines[9:]])
    (tmp_path / "l.csv").write_text(text)
    (tmp_path / "l.txt").write_text(text.replace(",", "   "))
    for name, count in (("l.csv", 1), ("l.txt", 2)):
        inputs = read(CASES / "54/clean.csv", tmp_path / name)
        assert same(clean, inputs)
        assert any("2 lines that begin with #" in note for note in inputs.notes)
        assert len(inputs.notes) == len(clean.notes) + count


H = np.random.default_rng(0).normal(size=(8, 2)).astype("f")
LABELS = {
    "file": [f"wav/{s}/{i}.wav" for s in "abcd" for i in "12"],
    "Sex": ["1", "1.0", "0", "0", "1", "1", "0", "0"],
    "room": ["x", "X", "x", "y", "y", "Y", "y", "x"],
}


def test_zero_and_one_are_genders_where_that_is_declared(tmp_path):
    naming = naming_of(speaker_from="/(.)/", values="gender:1=female,gender:0=male")
    inputs = read(H, LABELS, naming=naming, only={"gender": ["F", "m"], "room": ["X", "y"]})
    assert inputs.joined.classes == ("female", "male") and inputs.sample.num_speakers == 4
    assert inputs.joined.columns["room"] == ["x", "x", "x", "y", "y", "y", "y", "x"]
    unsaid = {"naming": naming_of(speaker_from="/(.)/")}
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([LABELS, *zip(*LABELS.values())])
    message = "column gender: '1' .4., '0' .4. are not known"
    refused(message, lambda: read(H, tmp_path / "t.csv", **unsaid))
    assert read(H, LABELS, **unsaid).joined.classes == ("0", "1")  # numbers of a program's classes
    mixed = LABELS | {"Sex": [*"ffmm1100"]}
    refused("column gender: '1' .2., '0' .2. are not", lambda: read(H, mixed, **unsaid))
    refused("no column speaker in the header", read, H, LABELS)


@pytest.mark.parametrize("attribute", ["sex", "gender", "Sex"])
def test_the_attribute_is_found_by_any_of_its_names(attribute):
    labels = LABELS | {"Sex": list("ffmmffmm")}
    inputs = read(H, labels, attribute, naming=naming_of(speaker_from="/(.)/"))
    assert inputs.joined.classes == ("female", "male")


def test_a_missing_value_is_neither_class_nor_speaker():
    labels = {"speaker": [*"aabbccdd", "Unknown"], "gender": [*"ffmmffmm", "f"]}
    labels = {name: [*cells, "e"] for name, cells in labels.items()} | {
        "gender": [*"ffmmffmmf", "u"]
    }
    inputs = read(np.concatenate([H, H[:2] + 1]), labels)
    assert inputs.joined.classes == ("female", "male") and inputs.sample.num_speakers == 4
    assert any("'Unknown' (1) is taken to be missing" in note for note in inputs.notes)
