"""What runs.csv says of members: right for networks of which it is known what they did to them."""

from types import SimpleNamespace

import numpy as np
import pytest

from experiments.run.membership_scores import membership
from experiments.simulations.membership_worlds import FOLDS, world
from privrep.types import Split, Utterance
from tests.support.attack_targets import columns_of, target_of

SPEAKERS = 30


def loaded_of(drawn, **changed):
    utterances = [
        Utterance(id=f"u{i}", speaker=f"s{s:02d}", private={"gender": "fm"[g]}, **changed)
        for i, (s, g) in enumerate(zip(drawn.speaker, drawn.kind))
    ]
    task = np.tile(drawn.emotion, (FOLDS, 1)).astype(np.int32)
    data = SimpleNamespace(folds=SimpleNamespace(split=drawn.split, task=task))
    return SimpleNamespace(utterances=utterances, packed=SimpleNamespace(data=data))


def logits_of(drawn):
    """Of three classes, such that the true one has the world's loss."""
    p = np.exp(-drawn.losses)[..., None]
    at = drawn.emotion[None, :, None] == np.arange(3)
    return np.log(np.where(at, p, (1 - p) / 2))


def targets_of(h, logits, lambda_, seed=0, control=""):
    return [
        target_of(
            {"task": "t", "private": "gender", "lambda": lambda_, "seed": seed, "fold": fold},
            h[fold],
            None if logits is None else logits[fold],
            control,
        )
        for fold in range(len(h))
    ]


@pytest.fixture(scope="module")
def columns():
    """Two seeds of lambda 0, whose h and loss tell; lambda 1, whose do not; and raw features."""
    telling, quiet = world(0, SPEAKERS, stretch=1.0, loss=1.0), world(0, SPEAKERS)
    targets = []
    for lambda_, drawn in ((0.0, telling), (1.0, quiet)):
        for seed in (0, 1):
            targets += targets_of(drawn.h, logits_of(drawn), lambda_, seed)
    targets += targets_of([quiet.h[0]] * FOLDS, None, None, control="raw")
    targets += targets_of([None] * FOLDS, None, None, control="shuffled")
    return columns_of(membership(targets, loaded_of(quiet), ["gender"]))


def test_both_attackers_have_their_verdicts(columns):
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
    drawn = world(1, SPEAKERS)
    loaded = loaded_of(drawn, session="one for all")
    loaded.packed.data.folds.task[0, ::7] = -1
    targets = targets_of(drawn.h, logits_of(drawn), 0.0)
    values = columns_of(membership(targets, loaded, ["speaker"]))
    assert values["h_membership_verdict"][0] in ("cannot_tell", "no_leak_shown")
    assert values["labels_membership_auc"][0] < 0.7


def test_too_few_speakers_bring_no_columns():
    drawn = world(2, 10)
    tested = np.isin(drawn.speaker, [0])[None]
    drawn = drawn._replace(split=Split(~tested, np.zeros_like(tested), tested))
    loaded = loaded_of(drawn)
    assert membership(targets_of(drawn.h[:1], None, 0.0), loaded, ["gender"]) == [{}]
