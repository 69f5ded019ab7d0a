"""What runs.csv says of members: right for networks of which it is known what they did to them."""

from types import SimpleNamespace

import numpy as np
import pytest

from experiments.run.membership_scores import membership
from experiments.simulations.membership_worlds import FOLDS, world
from privrep.types import Split, Utterance

SPEAKERS = 30


def loaded_of(told, **changed):
    utterances = [
        Utterance(id=f"u{i}", speaker=f"s{s:02d}", private={"gender": "fm"[g]}, **changed)
        for i, (s, g) in enumerate(zip(told.speaker, told.kind))
    ]
    task = np.tile(told.emotion, (FOLDS, 1)).astype(np.int32)
    data = SimpleNamespace(folds=SimpleNamespace(split=told.split, task=task))
    return SimpleNamespace(utterances=utterances, packed=SimpleNamespace(data=data))


def logits_of(told):
    """Of three classes, such that the true one has the world's loss."""
    p = np.exp(-told.losses)[..., None]
    at = told.emotion[None, :, None] == np.arange(3)
    return np.log(np.where(at, p, (1 - p) / 2))


def rows_of(lambda_, seed=0, control=""):
    return [
        ({"task": "t", "private": "gender", "lambda": lambda_, "seed": seed, "fold": k}, control)
        for k in range(FOLDS)
    ]


@pytest.fixture(scope="module")
def columns():
    """Two seeds of lambda 0, whose h and loss tell; lambda 1, whose do not; and raw features."""
    telling, quiet = world(0, SPEAKERS, stretch=1.0, loss=1.0), world(0, SPEAKERS)
    h, logits, settings = [], [], []
    for lambda_, told in ((0.0, telling), (1.0, quiet)):
        for seed in (0, 1):
            h += [*told.h]
            logits += [*logits_of(told)]
            settings += rows_of(lambda_, seed)
    h += [quiet.h[0]] * FOLDS
    settings += rows_of(None, control="raw")
    h += [None] * FOLDS
    settings += rows_of(None, control="shuffled")
    return membership(h, settings, loaded_of(quiet), ["gender"], logits)


def test_both_attackers_are_told_of_with_their_verdicts(columns):
    assert columns["h_membership_verdict"][: 2 * FOLDS] == ["leaks"] * 2 * FOLDS
    assert columns["labels_membership_verdict"][: 2 * FOLDS] == ["leaks"] * 2 * FOLDS
    assert "leaks" not in columns["h_membership_verdict"][2 * FOLDS :]
    assert columns["labels_membership_loss_auc"][0] > 0.6
    each = [columns[f"labels_membership_{a}_auc"][0] for a in ("both", "loss", "reference")]
    assert columns["labels_membership_auc"][0] == max(each)
    # Raw features have no loss; attackers on shuffled labels no h of their own.
    assert columns["labels_membership_auc"][4 * FOLDS :] == [None] * 2 * FOLDS
    assert None not in columns["h_membership_auc"][: 5 * FOLDS]
    assert columns["h_membership_auc"][5 * FOLDS :] == [None] * FOLDS
    assert all(len(column) == 6 * FOLDS for column in columns.values())


def test_a_setting_is_compared_with_lambda_0_over_speakers_and_seeds(columns):
    for known in ("h", "labels"):
        place = f"{known}_membership"
        difference = columns[f"{place}_change_difference"]
        assert difference[: 2 * FOLDS] == [None] * 2 * FOLDS == difference[4 * FOLDS :]
        auc = columns[f"{place}_auc"]
        assert difference[2 * FOLDS] == difference[-2 * FOLDS - 1]
        assert difference[2 * FOLDS] == pytest.approx(auc[2 * FOLDS] - auc[0])
        assert columns[f"{place}_change_upper"][2 * FOLDS] < 0
        assert columns[f"{place}_change_p"][2 * FOLDS] < 0.01


def test_sessions_unknown_labels_and_other_attributes_are_no_obstacle():
    told = world(1, SPEAKERS)
    loaded = loaded_of(told, session="one for all")
    loaded.packed.data.folds.task[0, ::7] = -1
    found = membership([*told.h], rows_of(0.0), loaded, ["speaker"], [*logits_of(told)])
    assert found["h_membership_verdict"][0] in ("cannot_tell", "no_leak_shown")
    assert found["labels_membership_auc"][0] < 0.7


def test_too_few_speakers_bring_no_columns():
    told = world(2, 10)
    tested = np.isin(told.speaker, [0])[None]
    told = told._replace(split=Split(~tested, np.zeros_like(tested), tested))
    loaded = loaded_of(told)
    assert membership([told.h[0]], rows_of(0.0)[:1], loaded, ["gender"], []) == {}
