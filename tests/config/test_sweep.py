import doctest
import itertools
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from experiments.config import recipes
from experiments.config.build import architecture, fit_settings, run_table, trained_alike
from experiments.config.lambdas import by_attribute, exact_text
from experiments.config.settings import FIELDS, Config, flag_default, flag_name
from experiments.config.sweep import (
    expand,
    idle_flags,
    is_relative,
    plan,
    resists,
    row_settings,
)
from privrep.parallel.run_axis import run_key
from privrep.training.problem import FitSettings
from privrep.unlearning.releases import RELEASES

PACKED = SimpleNamespace(
    table_size=9,
    num_outputs=2,
    num_private={"gender": 2},
    longest=(8, 8),
    fill=1,
    data=SimpleNamespace(speaker=np.arange(7)),
    num_further={"valence": 3},
)


def test_without_flags_there_is_one_pack_of_the_defaults():
    (pack,) = expand({})
    assert [(c.lambda_["gender"], c.recipe) for c in pack.runs] == [
        (0.0, "none"),
        (1.0, "posterior"),
        (1.0, "paper"),
    ]
    assert pack.runs[1] == Config() and flag_default("lambda_") == "0,1"


def test_a_recipe_names_what_is_left_to_it_and_lambda_zero_has_none():
    def expanded(**flags):
        return [
            (pack.config.defence, [(c.recipe, c.defence, c.release) for c in pack.runs])
            for pack in expand(flags)
        ]

    none, paper = ("none", "none", "none"), ("paper", "grl", "none")
    assert expanded(recipe="paper") == [("grl", [none, paper])]
    assert expanded(recipe="paper", lambda_="0") == [("none", [none])]
    assert expanded(defence="none", release="none") == [("none", [none])]
    assert expanded(release="leace", recipe="paper") == [
        ("grl", [none, ("grl+leace", "grl", "leace")])
    ]
    # What is said on the command line counts, and a setting that two recipes lead to is there once.
    assert expanded(defence="none", release="subspace") == [
        ("none", [none, ("subspace", "none", "subspace")])
    ]
    # All defences go through one program, each run through its own.
    together = [none, paper, ("uniform", "uniform", "none")]
    assert expanded(defence="grl,uniform", release="none", lambda_="0,1") == [("grl", together)]
    (pack,) = expand({"recipe": "posterior,paper", "defence": "mmd,grl", "lambda_": "0,1"})
    runs, rows = run_table(pack.runs, 2)
    assert architecture(pack, PACKED).defences == ("grl", "mmd")
    expected = [int(config.defence == "mmd") for config, _ in rows]
    np.testing.assert_array_equal(runs.defence, expected)


def test_the_strong_recipe_is_reversal_by_an_adversary_that_keeps_up():
    """By flags it is joined with a release; at lambda 0 nothing is left of it."""
    (pack,) = expand({"recipe": "strong"})
    none, config = pack.runs
    assert (none.recipe, config.recipe) == ("none", "strong") and pack.config == config
    assert none == expand({"lambda_": "0"})[0].runs[0]
    assert (config.defence, config.release, config.adversary_steps) == ("grl", "none", 5)
    assert (config.adversary_input, config.lambda_schedule) == ("standardised", "ganin")
    strong = architecture(pack, PACKED)
    assert (strong.adversary_steps, strong.memory) == (5, 256)
    assert (strong.net.adversary_input, strong.net.adversary_width) == ("standardised", 128)

    def names(**flags):
        return [c.recipe for pack in expand({"lambda_": "1"} | flags) for c in pack.runs]

    assert names(recipe="strong", release="none,subspace") == ["strong", "strong+subspace"]
    assert names(recipe="strong", adversary_steps="5,1") == ["strong", "strong+adversary_steps=1"]
    assert names(recipe="paper", adversary_width="64,128") == ["paper", "grl+adversary_width=128"]
    assert names(recipe="paper,strong") == ["paper", "strong"]
    assert len(expand({"recipe": "paper", "lambda_": "0", "adversary_steps": "1,5"})) == 1


def test_what_differs_behind_training_is_trained_once():
    flags = {"recipe": "paper", "release": "none,leace,subspace"}
    (pack,) = expand({"lambda_": "0,0.5,1", "seed": "0,1"} | flags)
    runs, rows = run_table(pack.runs, 3)
    first, of = trained_alike(runs)
    assert len(rows) == len(of) and len(first) == 2 * 3 * (1 + 2)  # lambda 0, and grl of two
    for (config, fold), number in zip(rows, of):
        other, of_fold = rows[first[number]]
        assert (config.seed, fold) == (other.seed, of_fold)
        strengths = [c.lambda_ if resists(c) else {"gender": 0} for c in (config, other)]
        assert strengths[0] == strengths[1]


def test_comma_lists_expand_to_their_product():
    flags = {
        "recipe": "paper",
        "lambda_": "0,0.3,1",
        "seed": "0,1",
        "task": "activation,valence",
        "gru_layers": "2,3",
    }
    packs = expand(flags)
    settings = [
        (exact_text(c.lambda_), c.seed, c.task, c.gru_layers) for pack in packs for c in pack.runs
    ]
    product = itertools.product(["0", "0.3", "1"], [0, 1], ["activation", "valence"], [2, 3])
    assert len(settings) == len(set(settings)) and set(settings) == set(product)


def test_a_pack_shares_what_is_compiled_and_nothing_else_is_divided():
    flags = {
        "lambda_": "0,1",
        "seed": "0,1",
        "learning_rate": "0.001,0.01",
        "adversary_learning_rate": "0.001,0.01",
        "weight_decay": "0,0.1",
        "recipe": "posterior,paper",
    }
    (pack,) = expand(flags)
    # Lambda 0 is the same in both recipes, and at any rate of the adversary.
    # Without one to resist, neither the recipe nor its adversary's rate makes a run of its own.
    assert len(pack.runs) == 2**3 * (1 + 1 + 2)
    protection = {"defence", "release", "relative", "defence_weight"}
    for name in set(FIELDS) - set(flags) - protection:
        assert len({getattr(config, name) for config in pack.runs}) == 1
    per_run = {name for name, field in FIELDS.items() if field.per_run}
    assert per_run == set(flags) | protection
    for name, text in [("placement", "joint,modality"), ("folds", "5,6"), ("dropout", "0,0.1")]:
        assert [len(pack.runs) for pack in expand({name: text})] == [3, 3]


def test_the_acoustic_grid_is_96_packs_of_its_lambdas():
    grid = {
        "recipe": "paper",
        "conv_layers": "3,4",
        "kernel_width": "2,3",
        "num_kernels": "32,64,128",
        "gru_layers": "2,3",
        "dense_layers": "1,2",
        "dense_width": "32,64",
        "lambda_": "0.3,0.5,0.75,1",
    }
    packs = expand(grid)
    assert len(packs) == 96 and sum(len(pack.runs) for pack in packs) == 384


def test_places_have_to_match_attributes_and_modality():
    flags = {"recipe": "paper", "private": "gender+speaker", "placement": "acoustic+lexical"}
    assert len(expand(flags | {"modality": "multimodal"})) == 1
    with pytest.raises(ValueError, match="with --modality=acoustic there is no lexical part"):
        expand(flags)
    with pytest.raises(ValueError, match=r"has 2 places and --private=gender 1 attributes"):
        expand(flags | {"modality": "multimodal", "private": "gender"})


def test_strengths_have_to_match_attributes():
    (pack,) = expand({"recipe": "paper", "private": "gender+speaker", "lambda_": "0.5+1,0"})
    assert [exact_text(config.lambda_) for config in pack.runs] == ["0.5+1", "0"]
    for private in ("gender", "gender+speaker+accent", "gender+speaker,gender"):
        with pytest.raises(ValueError, match=r"--lambda=0\.5\+1 has 2 strengths and --private="):
            expand({"private": private, "lambda_": "0.5+1"})


def test_an_error_names_the_flag():
    with pytest.raises(ValueError, match="--gru_width=wide: int expected"):
        expand({"gru_width": "wide"})


def test_a_row_has_every_setting_under_its_flag():
    row = row_settings(Config(lambda_=by_attribute([0.5], ["gender"])))
    assert {*row} == {flag_name(name) for name in FIELDS}
    assert row["lambda"] == 0.5 and "lambda_" not in row
    both = by_attribute([0.5, 1.0], ["gender", "speaker"])
    assert row_settings(Config(private="gender+speaker", lambda_=both))["lambda"] == "0.5+1"


def test_runs_are_every_config_on_every_fold():
    (pack,) = expand({"lambda_": "0,0.5+1", "private": "gender+speaker", "seed": "0,7"})
    runs, rows = run_table(pack.runs, 3)
    assert len(rows) == len(runs.fold) == 3 * 2 * 3
    for i, (config, fold) in enumerate(rows):
        assert runs.fold[i] == fold
        assert runs.key[i] == run_key(config.seed, fold)
        for attribute, strength in config.lambda_.items():
            resisted = strength if config.defence == "grl" else 0
            assert runs.lambda_[attribute][i] == np.float32(resisted)
            assert runs.release_lambda[attribute][i] == np.float32(strength)
        assert tuple(RELEASES)[runs.release[i]] == config.release
        assert runs.learning_rate[i] == np.float32(config.learning_rate)
    # What differs in lambda only starts from the same parameters and sees the same batches.
    keys = {(c.seed, fold): runs.key[i] for i, (c, fold) in enumerate(rows)}
    assert len(keys) == 6
    assert all(runs.key[i] == keys[c.seed, fold] for i, (c, fold) in enumerate(rows))


def test_training_follows_the_flags():
    config = Config(batch_size=8, max_epochs=3, patience=2, clip_norm=0.5, optimiser="sgd")
    assert fit_settings(config) == FitSettings(8, 3, 2, 30, 0, 0, 0.5, "sgd")
    limits = Config(batch_size=8, max_steps=40, min_steps=20, min_epochs=3)
    assert fit_settings(limits) == FitSettings(8, 60, 15, 3, 40, 20)


def test_a_task_cannot_be_kept_and_unlearned():
    with pytest.raises(ValueError, match="--task=gender is in --private too"):
        expand({"task": "gender", "private": "gender"})


def test_the_plan_counts_settings_packs_and_programs():
    packs = expand({"lambda_": "0,1", "seed": "0,1,2", "gru_layers": "2,3"})
    assert plan(packs).startswith("plan: 18 settings on every fold, in 2 packs on ")
    assert plan(packs).endswith("at most 10 programs to compile")
    assert " in 2 packs on --engine=ray; " in plan(packs, "ray")
    assert plan(expand({"private": "gender+speaker"})).endswith("at most 7 programs to compile")


@pytest.mark.parametrize(
    "given, said",
    [
        ({"recipe": "posterior", "adversary_steps": "5"}, "--adversary_steps has no effect: no"),
        ({"recipe": "posterior", "adversaries": "3"}, "--adversaries is of adversaries that only"),
        ({"recipe": "paper", "memory": "1"}, "--memory has no effect without"),
        ({"recipe": "paper", "memory": "1", "adversary_steps": "1,5"}, None),
        ({"recipe": "relative", "memory": "1"}, None),
        ({"adversary_steps": "5", "memory": "1", "adversaries": "3"}, None),
        ({"recipe": "paper", "matched": "speaker"}, "--matched has no effect"),
        ({"recipe": "paper", "defence": "mmd", "matched": "speaker", "memory": "1"}, None),
        (
            {"recipe": "paper", "defence": "none", "release": "none", "lambda_": "1"},
            "--recipe=paper with --defence=none --release=none protects nothing",
        ),
        ({"defence": "none"}, "--recipe=paper with --defence=none protects nothing"),
        ({"defence": "none", "lambda_": "0"}, None),
        ({"recipe": "paper", "defence": "none", "release": "none,leace"}, None),
        ({"time_masks": "0,2", "time_mask_frames": "8"}, None),
        ({"band_masks": "2", "time_mask_frames": "8"}, "--time_mask_frames has no effect without"),
        ({"modality": "lexical", "time_masks": "2"}, "the masks of words are --dropout"),
        ({"modality": "lexical,acoustic", "band_masks": "2"}, None),
        (
            {"head_layers": "1,2"},
            "--head_layers=2 without --recipe runs the ordinary network and s",
        ),
        ({"head_layers": "2", "recipe": "keep"}, None),
        ({"state": "running"}, "--state has no effect: no network of this sweep has one"),
        ({"state": "running", "recipe": "relative"}, None),
        ({"recurrence": "kernel"}, "--recurrence has no effect: jax sees no GPU"),
    ],
)
def test_what_was_asked_for_and_comes_to_nothing_is_named(given, said):
    flags = {name: flag_default(name) for name in FIELDS} | given
    lines = idle_flags(flags, [config for pack in expand(given) for config in pack.runs])
    assert len(lines) == (said is not None) and all(said in line for line in lines), lines


def test_the_kernel_of_the_gru_is_for_gpus_and_for_narrow_networks(monkeypatch):
    """A directory that a GPU made is read on a CPU, so there the flag does nothing."""
    (pack,) = expand({"recurrence": "kernel"})
    of_backend = {}
    for backend in ("cpu", "gpu"):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        of_backend[backend] = architecture(pack, PACKED).net.encoders["acoustic"].recurrence
    assert of_backend == {"cpu": "loop", "gpu": "kernel"}
    with pytest.raises(ValueError, match="--gru_width=96: the kernel keeps the weights of widths"):
        expand({"recurrence": "kernel", "gru_width": "96"})


def test_ready_features_are_normalised_by_the_training_part_unless_told_otherwise(tmp_path):
    ready = {"acoustic_features": str(tmp_path)}
    for flags, expected in (
        ({}, "speaker"),
        (ready, "train"),
        (ready | {"normalise": "speaker"}, "speaker"),
        ({"normalise": "none"}, "none"),
    ):
        assert [pack.config.normalise for pack in expand(flags)] == [expected]


def test_what_keeps_a_state_of_a_person_is_scored_on_utterances_that_did_not_make_it():
    """In every network of the sweep, those without a state too, so that they can be compared."""
    packs = expand({"recipe": "keep,strong", "lambda_": "0,1"})
    runs = {run.recipe: run for pack in packs for run in pack.runs}
    assert {run.enrolment for run in runs.values()} == {20}
    assert is_relative(runs["keep"]) and not is_relative(runs["none"])
    assert {run.enrolment for pack in expand({}) for run in pack.runs} == {0}
    (pack,) = expand({"recipe": "keep", "enrolment": "0"})
    assert {run.enrolment for run in pack.runs} == {0}
    assert [run.recipe for run in pack.runs] == ["none", "keep+transductive"]
    table, rows = run_table(pack.runs, 1)
    expected = [10 * config.lambda_["gender"] for config, _ in rows]
    np.testing.assert_array_equal(table.lambda_["gender"], expected)
    np.testing.assert_array_equal(table.release_lambda["gender"], [0, 1])
    assert architecture(pack, PACKED).num_speakers == 7


def test_a_state_goes_on_where_there_is_one():
    packs = expand({"recipe": "keep", "state": "enrolled,running"})
    assert [pack.config.state for pack in packs] == ["enrolled", "running"]
    assert [architecture(pack, PACKED).running for pack in packs] == [False, True]
    assert [[run.recipe for run in pack.runs] for pack in packs] == [["none", "keep"]] * 2
    (pack,) = expand({"recipe": "posterior", "state": "enrolled,running"})
    assert {run.state for run in pack.runs} == {"enrolled"}
    with pytest.raises(ValueError, match=r"--state=running goes on from .*: take --enrolment=20"):
        expand({"recipe": "keep", "state": "running", "enrolment": "0"})


def test_the_first_epoch_that_may_be_chosen_is_half_of_the_length():
    (pack,) = expand({"max_epochs": "7,40", "max_steps": "0", "lambda_": "0", "seed": "0"})[:1]
    assert pack.config.min_epochs == 3
    (pack,) = expand({"max_steps": "400", "lambda_": "0"})
    assert (pack.config.min_steps, pack.config.min_epochs) == (200, 30)


def test_a_table_of_folds_stands_alone(tmp_path):
    (pack,) = expand({"folds": "folds.csv", "lambda_": "0"})
    assert pack.config.folds.endswith("/folds.csv")  # wherever the flagfile is read
    with pytest.raises(ValueError, match="a table of folds stands alone"):
        expand({"folds": "5,folds.csv"})
    with pytest.raises(ValueError, match=r"official .*, a number .*, or the path of a table"):
        expand({"folds": "fold"})


def test_a_regression_runs_lambda_0_and_strong_unless_recipes_are_named():
    flags = {"bins": "continuous"}
    runs = [run for pack in expand(flags) for run in pack.runs]
    assert [(run.recipe, run.lambda_["gender"]) for run in runs] == [("none", 0), ("strong", 1)]
    given = {name: flag_default(name) for name in FIELDS} | flags
    (line,) = [line for line in idle_flags(given, runs) if "continuous" in line]
    assert "without --recipe runs the ordinary network and strong" in line
    both = [run for pack in expand({"bins": "midpoint,continuous"}) for run in pack.runs]
    assert {run.recipe for run in both if not run.is_regression} == {"none", "posterior", "paper"}
    assert {run.recipe for run in both if run.is_regression} == {"none", "strong"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"recipe": "posterior"}, r"--recipe=posterior with --bins=continuous: .*posterior of the"),
        ({"recipe": "paper,subspace"}, r"--recipe=subspace .*Take --recipe=strong .*--defence=mmd"),
        ({"recipe": "strong", "release": "posterior"}, r"--release=posterior with --bins=cont"),
        ({"recipe": "paper", "adversary_given": "emotion"}, r"--adversary_given=emotion with"),
    ],
)
def test_what_needs_classes_is_refused_in_a_regression(flags, message):
    with pytest.raises(ValueError, match=message):
        expand({"bins": "continuous", **flags})


@pytest.mark.parametrize("defence", ["grl", "mmd", "hsic", "uniform"])
def test_matching_and_reversal_work_in_a_regression(defence):
    (pack,) = expand({"bins": "continuous", "recipe": "paper", "defence": defence, "lambda_": "1"})
    assert pack.config.defence == defence


def test_the_loss_of_a_regression_makes_no_difference_to_classes():
    packs = expand({"regression_loss": "ccc,mse", "bins": "midpoint,continuous", "lambda_": "0"})
    assert [pack.config.regression_loss for pack in packs] == ["ccc", "ccc", "mse"]
    given = {name: flag_default(name) for name in FIELDS} | {"regression_loss": "mse"}
    assert any("--regression_loss has no effect" in line for line in idle_flags(given, []))


@pytest.mark.parametrize("further", ["activation", "gender", "valence+valence"])
def test_a_further_task_is_no_other_heads(further):
    with pytest.raises(ValueError, match=r"--further_tasks=.* in --task or --private, or"):
        expand({"further_tasks": further})
    (pack,) = expand({"further_tasks": "valence", "lambda_": "0"})
    assert architecture(pack, PACKED).net.further == {"valence": 3}


def test_masks_are_compiled_in_for_lambda_0_as_well():
    flags = {"time_masks": "0,2", "time_mask_frames": "8,16", "band_masks": "2"}
    packs = expand(flags | {"band_mask_bands": "3", "recipe": "posterior", "lambda_": "0,1"})
    masks = [architecture(pack, PACKED).masks for pack in packs]
    # Without masks their size makes no difference.
    assert masks == [(0, 16, 2, 3), (2, 8, 2, 3), (2, 16, 2, 3)]
    assert [len(pack.runs) for pack in packs] == [2, 2, 2]
    (pack,) = expand({})
    assert architecture(pack, PACKED).masks == (0, 16, 0, 6)


def test_a_head_of_two_layers_has_no_posterior_unless_it_is_asked_for_and_refused():
    packs = expand({"head_layers": "1,2", "dropout": "0.2", "dense_width": "32"})
    nets = [architecture(pack, PACKED).net for pack in packs]
    assert [net.head_layers for net in nets] == [1, 2]
    assert (nets[1].head_width, nets[1].head_dropout) == (32, 0.2)
    recipes = [[run.recipe for run in pack.runs] for pack in packs]
    assert recipes == [["none", "posterior", "paper"], ["none", "strong"]]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"recipe": "posterior"}, r"--recipe=posterior with --head_layers=2: .*inverts a linear"),
        ({"recipe": "paper,subspace"}, r"subspace .*Take --recipe=keep or whitened, or --release"),
        ({"recipe": "strong", "release": "posterior"}, r"--release=posterior with --head_layers=2"),
        ({"release": "decision", "bins": "continuous"}, r"decision of a rating inverts a linear"),
    ],
)
def test_what_needs_a_linear_head_is_refused_with_a_deep_one(flags, message):
    with pytest.raises(ValueError, match=message):
        expand({"head_layers": "2", **flags})
    expand({"head_layers": "2", **flags, "lambda_": "0"})


@pytest.mark.parametrize("release", ["none", "leace", "noise", "decision", "whitened", "mean_off"])
def test_every_other_release_goes_with_a_head_of_two_layers(release):
    (pack,) = expand({"head_layers": "2", "recipe": "paper", "release": release, "lambda_": "1"})
    assert pack.config.release == release


@pytest.mark.parametrize("name", ["auto", "stateless"])
def test_auto_stands_alone(name):
    with pytest.raises(ValueError, match=f"{name} stands alone"):
        expand({"recipe": f"{name},strong"})


def recipes_of(**flags):
    return {run.recipe for pack in expand(flags) for run in pack.runs} - {"none"}


def test_where_no_state_can_be_kept_another_recipe_takes_its_place(monkeypatch):
    assert recipes_of(recipe="stateless") == recipes_of() == {"posterior", "paper"}
    monkeypatch.setattr(recipes, "DEFAULT", ("keep", "paper"))
    monkeypatch.setattr(recipes, "DEFAULT_WITHOUT_POSTERIOR", ("keep",))
    assert recipes_of() == {"keep", "paper"}
    assert recipes_of(recipe="stateless") == {"posterior", "paper"}
    for flags in ({"bins": "continuous"}, {"head_layers": "2"}):
        assert recipes_of(**flags) == {"keep"}
        assert recipes_of(recipe="stateless", **flags) == {"strong"}
    monkeypatch.setattr(recipes, "DEFAULT", ("posterior", "keep"))
    assert recipes.default_recipes(True, has_states=False) == ("posterior",)
    kept = {name for name in recipes.RECIPES if recipes.keeps_state(name)}
    assert kept == {"keep", "leads", "whitened", "relative"}


def test_the_example_of_the_default_recipes():
    failed, tried = doctest.testmod(recipes)
    assert tried and not failed
