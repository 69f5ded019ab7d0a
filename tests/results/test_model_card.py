"""A model card says what runs.csv measured and no more, and no name of data breaks out of it."""

import json
import re

import pytest
import yaml

from experiments.config.settings import FIELDS, flag_default, flag_name
from experiments.results.columns import name_of
from experiments.results.model_card import (
    AMOUNTS,
    CORPUS_LANGUAGE,
    CORPUS_LICENSE,
    OF_CORPUS,
    card_of,
    terms_of,
)
from experiments.results.model_card_page import NOT_MEASURED, card_json, card_page
from experiments.results.picked import Picked
from privrep.datasets import DATASETS
from privrep.deploy.description import AcousticInput, TaskOutput
from privrep.inputs.audio import FeatureSettings
from tests.support import small_models
from tests.support.card_pages import EVIL
from tests.support.result_rows import NAN, run

ODD = f"{EVIL}\n---\n# a `code` | cell: [x](http://y) {{}}"
VERDICT = ("uar", "lower", "upper", "minimum_detectable", "p")
EMOTION = {"emotion_pooled_uar": 0.512, "emotion_pooled_lower": 0.43, "emotion_pooled_upper": 0.59}
BY_GENDER = {
    "emotion_among_gender=female_uar": 0.551,
    "emotion_among_gender=female_lower": 0.44,
    "emotion_among_gender=female_upper": 0.66,
    "emotion_gap_gender=female_difference": -0.071,
    "emotion_gap_gender=female_lower": -0.2,
    "emotion_gap_gender=female_upper": 0.1,
}
FLAGS = {
    "dataset": "demo",
    "data_dir": "/home/me/corpus",
    "lambda": "0,1",
    "n0": "5",
    "recipe": "auto",
}


def verdict(prefix, values, word):
    cells = {f"{prefix}_{name}": value for name, value in zip(VERDICT, values)}
    return cells | {f"{prefix}_verdict": word}


MEASURED = EMOTION | BY_GENDER
MEASURED |= verdict("gender_pooled", (0.561, 0.48, 0.632, 0.64, 0.062), "no_leak_shown")
MEASURED |= verdict("gender_pooled_20_utterances", (0.614, 0.5, 0.713, 0.69, 0.101), "cannot_tell")
MEASURED |= verdict("gender_pooled_all_utterances", (0.802, 0.62, 0.951, NAN, 0.0002), "leaks")
MEASURED |= verdict("speaker_pooled", (0.581, 0.53, 0.64, 0.57, 0.004), "leaks")
MEASURED |= {"num_speakers": 20, "num_utterances": 1200}


def made(changes=None, notes=(), flags=FLAGS, terms=OF_CORPUS, facts=None, **cells):
    """The card of a network with these cells in its row."""
    row = run(cells.pop("lambda_", 1.0), recipe="posterior") | cells
    training = {
        "recipe": row["recipe"],
        "lambda": {"gender": row["lambda"]},
        "seed": 0,
        "fold": 2,
        "prepared_hash": "13a1",
        "data_hash": "086b",
        "versions": {"jax": "0.10.2"},
        **(facts or {}),
    }
    described = small_models.description(training=training, **(changes or {}))
    picked = Picked([row] * 5, [*notes], [row] * 5)
    return card_of(described, row, picked, flags, "lambda=1,recipe=posterior,seed=0", terms)


def front_matter(page):
    assert page.startswith("---\n")
    return yaml.safe_load(page.split("\n---\n")[0])


def line_of(page, start):
    (line,) = (line for line in page.split("\n") if line.startswith(start))
    return line


def test_what_was_measured_stands_there_with_its_bounds():
    page = card_page(made(**MEASURED))
    assert line_of(page, "| UAR |") == "| UAR | 0.512 | 0.430 to 0.590 |"
    assert "0.551 | 0.440 to 0.660" in line_of(page, "| UAR among gender=female |")
    assert "| -0.071 | -0.200 to 0.100 |" in line_of(page, "| UAR among gender=female less")
    of = "| gender (to be kept out) | "
    assert (
        line_of(page, f"{of}1 ") == f"{of}1 utterance | 0.561 | 0.480 | 0.632 | 0.500 "
        "| 0.062 | 0.640 | no leak shown |"
    )
    assert "| 0.713 | 0.500 | 0.101 | 0.690 | cannot tell |" in line_of(page, f"{of}20 ")
    assert "| 0.951 | 0.500 | below 0.001 | none | leaks |" in line_of(page, f"{of}all ")
    speaker = line_of(page, "| speaker | 1 utterance")
    assert "| 0.500 | 0.004 | 0.570 | leaks |" in speaker
    assert "a small one shows a leak even where the score is near chance" in page
    assert page.count("Figures of the procedure, not of this file alone") == 2
    assert "20 speakers, 1,200 utterances, 5 folds" in page
    assert "membership" not in page and "among those whom the network was trained on" in page


def test_numbers_of_the_page_are_those_of_the_row():
    """Every number with three decimals is a cell, or the chance of two that are drawn alike."""
    page = card_page(made(**MEASURED))
    cells = {f"{v:.3f}" for v in MEASURED.values() if isinstance(v, float)}
    assert {*re.findall(r"-?\b\d\.\d{3}\b", page)} <= cells | {"0.500", "0.333", "0.001"}


def test_what_was_not_measured_is_said():
    page = card_page(made())
    assert line_of(page, "| UAR |") == f"| UAR | {NOT_MEASURED} | {NOT_MEASURED} |"
    for amount in AMOUNTS:
        line = line_of(page, f"| gender (to be kept out) | {amount}")
        assert line.count(NOT_MEASURED) == 6 and "leak" not in line
    assert f"speakers {NOT_MEASURED}" in page and "- any attribute" in page
    assert "among the groups of an attribute" in page
    assert "model-index" not in front_matter(page)
    some = card_page(
        made(**EMOTION, **verdict("gender_pooled", (0.5, 0.4, NAN, None, NAN), "leaks"))
    )
    assert "- gender from 20 utterances\n- gender from all utterances" in some
    assert "| 0.500 | 0.400 | not measured | 0.500 | not measured | none | leaks |" in some
    assert "nan" not in some


def test_membership_is_said_where_it_was_measured():
    cells = {"h_membership_auc": 0.66, "h_membership_upper": 0.7, "h_membership_verdict": "leaks"}
    page = card_page(made(**cells))
    assert "| membership | h | 0.660 | not measured | 0.700 | 0.500 |" in page
    assert "labels, which is h, the emotion head and the true emotion" in page
    assert "of membership, whether" not in card_page(made(**MEASURED))
    assert "among those whom the network was trained on" not in page


def test_a_regression_has_its_ccc():
    changes = {"task": TaskOutput("valence", (), 3.0, 1.0)}
    card = made(changes, **(EMOTION | {"emotion_pooled_ccc": 0.31, "emotion_pooled_rmse": 0.8}))
    page = card_page(card)
    assert line_of(page, "| CCC |") == "| CCC | 0.310 | 0.430 to 0.590 |"
    assert line_of(page, "| RMSE |").startswith("| RMSE | 0.800 |") and "| UAR |" not in page


def test_the_front_matter_is_what_hubs_read():
    content = front_matter(card_page(made(**MEASURED)))
    names = ["license", "language", "library_name", "tags", "datasets", "metrics", "model-index"]
    assert [*content] == names
    assert content["library_name"] == "privrep" and content["language"] == "en"
    ((result,),) = [model["results"] for model in content["model-index"]]
    assert {*result} == {"task", "dataset", "metrics"} and {*result["dataset"]} == {"type", "name"}
    assert result["metrics"][0]["value"] == 0.512 and content["metrics"] == ["recall"]
    assert "not of this file" in result["metrics"][0]["name"]
    assert {*CORPUS_LANGUAGE} <= {*DATASETS}
    assert {*CORPUS_LICENSE} <= {*DATASETS}
    page = card_page(made(dataset="kaldi"))
    assert "language" not in front_matter(page) and front_matter(page)["license"] == "unknown"
    assert "Language: unknown. Licence: unknown." in page and "look it up before" in page


def test_licence_and_language_of_the_data_can_be_given():
    """Those of a corpus that states its licence are known; what is given stands in its place."""
    known = card_page(made(dataset="ravdess"))
    assert front_matter(known)["license"] == "cc-by-nc-sa-4.0" and "look it up" not in known
    page = card_page(made(dataset="ravdess", terms=terms_of("odc-by", "en,de")))
    content = front_matter(page)
    assert content["license"] == "odc-by" and content["language"] == ["en", "de"]
    assert "Language: en,de. Licence: odc-by." in page
    for license_ in ("CC BY 4.0", "", "a\nb", "-x"):
        with pytest.raises(ValueError, match="an identifier that model hubs read"):
            terms_of(license_, None)
    for language in ("English", "en, de", "", "e", "zz", "en,en"):
        with pytest.raises(ValueError, match=r"--language=.*; codes of ISO 639"):
            terms_of(None, language)


def test_what_is_known_of_the_demo_s_terms_is_said():
    page = card_page(made(**MEASURED))
    assert "synthetic speech: this package has made it with espeak-ng" in page
    assert "espeak-ng" not in card_page(made(dataset="kaldi"))


def test_guessing_is_known_without_a_column():
    """Of what is not measured too: one over the classes, and one half of verification."""
    private = {"gender": ("f", "m"), "accent": ("a", "b", "c", "d"), "speaker": ()}
    card = made({"private": private}, gender_chance=None, emotion_chance=None)
    guessing = {m.subject: m.chance for m in card.privacy}
    assert guessing == {"gender": 0.5, "accent": 0.25, "speaker": 0.5}
    assert card.emotion_chance == 1 / 3


def test_the_card_of_a_final_network_says_that_the_figures_are_not_of_it():
    made_final = made(facts={"fold": None, "steps": 1200}, **MEASURED)
    page = card_page(made_final)
    for heading in ("Emotion", "Privacy"):
        assert f"\n## {heading}, of the procedure, not of this file\n" in page
    assert "all speakers, 1,200 steps" in page and "fold None" not in page
    assert page.count("was trained on every speaker") == 2
    assert "--pick=lambda=1,recipe=posterior,seed=0 --final\n" in page
    facts = json.loads(card_json(made_final))
    assert facts["network"]["fold"] is None and facts["network"]["steps"] == 1200
    plain = card_page(made(**MEASURED))
    assert "--final" not in plain and "## Privacy\n" in plain


def test_a_network_to_compare_with_promises_nothing():
    page = card_page(made(**MEASURED, lambda_=0.0))
    assert "nothing was kept out of its h" in page and "to be kept out" not in page
    assert "in the place of the recording" not in page
    assert "no person file" in page


def test_what_a_model_needs_of_a_person_is_said():
    acoustic = AcousticInput(8, "speaker", FeatureSettings(num_mel_bands=8))
    page = card_page(made({"acoustic": acoustic, "relative": True}))
    assert "mean and deviation of each feature" in page and "mean and covariance" in page
    assert "enrol other utterances, or fewer" in page


def test_notes_against_the_figures_are_kept():
    note = "not sound: an adversary lagged; its figures do not count as privacy"
    assert f"- {note}\n" in card_page(made(notes=["picked", note]))


def test_the_command_has_every_flag_that_differs_from_the_program_s_default():
    flags = {flag_name(name): flag_default(name) for name in FIELDS}
    always = ["dataset", "recipe", "lambda"]
    assert sorted(made(flags=flags).flags) == sorted(always)
    changed = {"defence": "grl", "n0": "5.0", "private": ""}
    assert sorted(made(flags=flags | changed).flags) == sorted([*always, *changed])


def test_the_commands_name_no_place_of_this_machine():
    flags = FLAGS | {"folds": "/home/me/folds.csv", "values": "gender:1='f m`x`"}
    page = card_page(made(flags=flags))
    assert "/home/me" not in page and "/home/me" not in card_json(made(flags=flags))
    command = line_of(page, "python -m experiments.main")
    assert "--dataset=demo --data_dir=DATA_DIR" in command and "--folds=folds.csv" in command
    assert "--lambda=0,1 --recipe=auto" in command and "--n0" not in command
    assert "Words in capitals stand for places" in page
    nowhere = {name: value for name, value in FLAGS.items() if name != "data_dir"}
    assert "Words in capitals" not in card_page(made(flags=nowhere))
    export = line_of(page, "python -m experiments.export_model")
    assert export.endswith("--pick=lambda=1,recipe=posterior,seed=0")


@pytest.mark.parametrize("odd", [ODD, "yes", "a: b", "- x", "```\n<b>", "\u2028a\u202eb"])
def test_no_name_of_data_breaks_out(odd):
    cells = {name_of(f"{p}_verdict", odd): "leaks" for p in [*AMOUNTS.values()][:1]}
    cells |= {f"emotion_among_{odd}_uar": 0.5}
    changes = {"private": {odd: ("a",)}, "task": TaskOutput(odd, (odd, "b"))}
    flags = {"columns": odd}
    card = made(changes, [odd], flags, **EMOTION, dataset=odd, recipe=odd, **cells)
    page, plain = card_page(card), card_page(made(**EMOTION))
    content = front_matter(page)
    assert content["datasets"] == [odd] or "\u202e" in odd  # which is replaced, as on a terminal
    assert {*content} == {*front_matter(plain)} - {"language"}
    body = page.split("\n---\n", 1)[1]
    body = re.sub(r"(`{3,})bash\n.*?\n\1\n", "", body, flags=re.S)
    assert not re.search(r"(?<!\\)[<>]", body) and "](" not in body.replace("\\](", "")
    headings = [line for line in body.split("\n") if line.startswith("#")]
    assert len(headings) == len(re.findall(r"^#", plain.split("\n---\n", 1)[1], re.M))
    rows = [line for line in body.split("\n") if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4, 10}
    facts = json.loads(card_json(card))
    assert facts["network"]["dataset"] == odd and facts["schema_version"] == 1
