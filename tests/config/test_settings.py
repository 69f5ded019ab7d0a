import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from experiments.config.lambdas import by_attribute, exact_text, to_cell
from experiments.config.parse import PATHS, parse
from experiments.config.recipes import LEFT, RECIPES
from experiments.config.settings import AUTO, FIELDS, Config, flag_default, flag_name
from experiments.config.sweep import expand
from privrep.attacks.trained.dense import ATTACKERS
from privrep.attacks.trained.fresh_attackers import ATTACKER_NAMES
from privrep.datasets import DATASETS

NUMBERS = [name for name, field in FIELDS.items() if isinstance(field.default, int | float)]
NAMED = [name for name, field in FIELDS.items() if field.valid]


def test_every_field_has_a_flag_a_default_and_help():
    assert {flag_name(name) for name in FIELDS} >= {
        *("dataset", "data_dir", "modality", "task", "private", "lambda", "placement", "folds"),
        *("seed", "max_epochs", "conv_layers", "kernel_width", "num_kernels", "gru_layers"),
        *("gru_width", "dense_layers", "dense_width", "attackers"),
    }
    assert len({flag_name(name) for name in FIELDS}) == len(FIELDS)
    for name, field in FIELDS.items():
        assert len(field.help) > 1, name


@pytest.mark.parametrize("name", FIELDS)
def test_the_default_of_a_flag_parses_to_the_default_of_its_field(name):
    values = parse(name, flag_default(name))
    if name == "lambda_":
        values = [by_attribute(strengths, ["gender"]) for strengths in values]
    if values == [LEFT]:  # what the first recipe, which is the default, says of it, if anything
        values = [RECIPES[Config().recipe].get(name, FIELDS[name].default)]
    if values == [AUTO]:  # what Mel frames and classes, which are the default, make of it
        values = [getattr(run, name) for pack in expand({}) for run in pack.runs]
    assert FIELDS[name].default in values
    assert all(type(value) is type(FIELDS[name].default) for value in values)
    assert len(values) == 1 or FIELDS[name].swept


def test_the_paper_grid_is_in_the_help_and_is_accepted():
    for name, field in FIELDS.items():
        for said in field.help.split("the paper: ")[1:]:
            grid = said.rstrip(")").replace(" ", "")
            if name == "modality":
                grid = ",".join(field.valid)
            if name == "attackers":
                grid = "+".join(a for a in ATTACKERS if a.startswith("mlp"))
            assert parse(name, grid), name


@pytest.mark.parametrize("name", NAMED)
def test_an_unknown_name_lists_the_valid_ones(name):
    kind = type(FIELDS[name].default)
    with pytest.raises(ValueError) as error:
        parse(name, str(kind(7)))
    said = str(error.value)
    assert said.startswith(f"--{flag_name(name)}=7: choose one of")
    assert all(str(valid) in said for valid in FIELDS[name].valid)


def test_an_adversary_is_placed_for_all_attributes_or_for_each():
    assert parse("placement", "joint,acoustic+lexical") == ["joint", "acoustic+lexical"]
    with pytest.raises(ValueError, match=r"^--placement=acoustic\+words: choose one of joint, mod"):
        parse("placement", "acoustic+words")


def test_every_corpus_can_be_named():
    assert [parse("dataset", name) for name in DATASETS] == [[name] for name in DATASETS]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "-1", "", "1e999", "one", "0x2"])
def test_what_is_no_fitting_number_is_refused(name, text):
    with pytest.raises(ValueError, match=f"^--{flag_name(name)}="):
        parse(name, text)


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "", "0,,1", "a", "0.5+", "0.5+nan", "1e999"])
def test_what_is_no_strength_is_refused(text):
    with pytest.raises(ValueError, match=r"^--lambda="):
        parse("lambda_", text)


@pytest.mark.parametrize(
    "name, text",
    [
        ("seed", "1,2,1"),
        ("lambda_", "0.5,0.50"),
        ("lambda_", "0,-0"),
        ("lambda_", "1+0.5,1.0+.5"),
        ("learning_rate", "1e-3,0.001"),
        ("task", "valence, valence"),
        ("private", "gender+gender"),
        ("attackers", "linear+linear"),
    ],
)
def test_twice_the_same_is_refused(name, text):
    with pytest.raises(ValueError, match=r"twice|each once"):
        parse(name, text)


@pytest.mark.parametrize(
    "name, text, said",
    [
        ("batch_size", "6", "multiple of 4"),
        ("dropout", "1", "below 1"),
        ("seed", str(2**32), "below 4294967296"),  # a key would be that of seed 0
        ("conv_pool", "3", "choose one of 1, 2"),
        ("max_epochs", "0", "at least 1"),
        ("adversary_steps", "0", "at least 1"),
        ("adversaries", "0", "at least 1"),
        ("memory", "-1", "at least 0"),
        ("adversary_input", "scaled", "choose one of plain, standardised"),
        ("recipe", "none", "the ordinary network is --lambda=0"),
        ("adversary_given", "gender", "choose one of none, emotion"),
        ("adversary_layers", "recipe", "a number of layers"),  # no recipe says anything of it
        ("adversary_layers", "0+", "or several joined by +"),
        ("adversary_layers", "17", "from 0 to 16"),
        ("adversary_restart", "-1", "at least 0"),
        ("attackers", "linear+mlp", "mlp_2x32"),
        ("bins", "abc", "midpoint, thirds, tertiles, or two numbers"),
        ("bins", "3.5:2.5", "LOW below HIGH"),
        ("bins", "2:3:4", "LOW:HIGH"),
        ("attackers", "svm", "lda, kernel, knn, trees"),
        ("private", "gender+", "joined by"),
        ("learning_rate", "inf", "inf is not a valid value"),
        ("lambda_", "0,", "--lambda=0,: empty value in the list"),
        ("seed", "0,,1", "empty value in the list"),
        ("epochs", "1", None),
    ],
)
def test_values_that_cannot_work_are_refused(name, text, said):
    if said is None:
        with pytest.raises(KeyError):
            parse(name, text)
    else:
        with pytest.raises(ValueError, match=said):
            parse(name, text)


def test_commas_sweep_and_paths_keep_theirs():
    assert parse("seed", "0, 1,2") == [0, 1, 2]
    expected = [(0.0,), (0.3,), (0.001,), (0.5, 1.0), (10.0,)]
    assert parse("lambda_", "0,0.30,1e-3,0.5+1.0,1e+1") == expected
    assert parse("data_dir", "/corpora/a, b and c") == ["/corpora/a, b and c"]


@pytest.mark.parametrize("name", PATHS)
def test_paths_are_absolute_and_a_tilde_is_the_home_folder(name, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.chdir(tmp_path)
    assert parse(name, "~/here") == ["/home/someone/here"]
    assert parse(name, "a/../b") == [str(tmp_path / "b")]
    assert parse(name, "") == [""]


@given(value=st.floats(0, 1e6, exclude_max=True))
def test_a_strength_is_exactly_the_one_that_was_given(value):
    ((strength,),) = parse("lambda_", repr(value))
    assert strength == value and math.copysign(1, strength) == 1
    strengths = by_attribute([strength], ["gender"])
    assert parse("lambda_", exact_text(strengths)) == [(value,)]
    assert to_cell(strengths) == value


def test_strengths_go_to_attributes_in_order():
    attributes = Config(private="gender+speaker").attributes
    assert attributes == ("gender", "speaker")
    assert by_attribute([0.5, 1.0], attributes) == {"gender": 0.5, "speaker": 1.0}
    assert by_attribute([0.3], attributes) == {"gender": 0.3, "speaker": 0.3}
    assert to_cell(by_attribute([0.5, 1.0], attributes)) == "0.5+1"
    assert to_cell(by_attribute([0.5, 0.5], attributes)) == 0.5


def test_attackers_are_all_or_those_named():
    assert Config().attacker_names == ATTACKER_NAMES
    assert Config(attackers="mlp_2x32+lda").attacker_names == ("mlp_2x32", "lda")
