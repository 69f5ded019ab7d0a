"""The usual suite reads what a careful person reads with scikit-learn on the same rows."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVC

from privrep.attacks.suite import usual_suite
from privrep.leakage.worlds import WORLDS
from privrep.statistics.design import deal_folds
from privrep.statistics.uar import uars_of

SPEAKERS, EACH, SIZE, K = 60, 8, 16, 5
C = (0.01, 0.1, 1.0, 10.0)


def quantiles():
    return QuantileTransformer(n_quantiles=100, output_distribution="normal")


def careful(seed):
    """{name: (model, grid)}, tuned by the balanced accuracy on speakers apart."""
    logistic, machine = LogisticRegression(class_weight="balanced"), SVC(class_weight="balanced")
    return {
        "lda": (LinearDiscriminantAnalysis(priors=[0.5, 0.5]), {"solver": ["svd"]}),
        "logistic": (make_pipeline(StandardScaler(), logistic), {"logisticregression__C": C}),
        "svm": (make_pipeline(StandardScaler(), machine), {"svc__C": C}),
        "trees": (
            HistGradientBoostingClassifier(random_state=seed, class_weight="balanced"),
            {"max_iter": [20, 60]},
        ),
        "logistic of ranks": (make_pipeline(quantiles(), logistic), {"logisticregression__C": C}),
        "svm of ranks": (make_pipeline(quantiles(), machine), {"svc__C": C}),
    }


def read_with_scikit_learn(h, gender, speaker, folds, seed):
    """{name: UAR on held-out speakers}."""
    uars = {}
    for name, (model, grid) in careful(seed).items():
        predicted = np.zeros_like(gender)
        for fold in range(K):
            training = folds != fold
            search = GridSearchCV(model, grid, scoring="balanced_accuracy", cv=GroupKFold(3))
            search.fit(h[training], gender[training], groups=speaker[training])
            predicted[~training] = search.predict(h[~training])
        uars[name] = float(uars_of(predicted[None], gender[None], 2)[0])
    return uars


def moved(h):
    """The same rows in a basis of its own, far from 0, in which no column is of its size."""
    turned = h @ np.linalg.qr(np.random.default_rng(9).normal(size=(h.shape[1],) * 2))[0]
    return turned * np.logspace(-3, 3, h.shape[1]) + 1e4


@pytest.mark.by_hand
@pytest.mark.parametrize("name", WORLDS)
def test_ours_is_never_far_below_the_best_of_theirs(name):
    world = WORLDS[name].draw(1, SPEAKERS, EACH, SIZE)
    folds = deal_folds(world.speaker, None, K, 0)
    h = world.h.astype(float)
    theirs = read_with_scikit_learn(h, world.gender, world.speaker, folds, 1)
    suite = usual_suite()
    attackers = {**suite.tested, **suite.untested}
    ours = {}
    for attacker, attack in attackers.items():
        arguments = (world.gender[None], world.speaker, folds, 2)
        predictions = attack(0, world.h, *arguments).predictions
        ours[attacker] = float(uars_of(predictions, world.gender[None], 2)[0])
    if max(theirs.values()) > 0.6:
        assert max(ours.values()) >= max(theirs.values()) - 0.03, (ours, theirs)


def test_a_basis_an_offset_and_units_hide_nothing_from_the_linear_attacker():
    world = WORLDS["linear"].draw(1, SPEAKERS, EACH, SIZE)
    folds = deal_folds(world.speaker, None, K, 0)
    arguments = (world.gender[None], world.speaker, folds, 2)
    plain, hidden = (
        usual_suite().every_deal["linear"](0, h, *arguments).predictions
        for h in (world.h.astype(float), moved(world.h.astype(float)))
    )
    uars = [
        float(uars_of(predictions, world.gender[None], 2)[0]) for predictions in (plain, hidden)
    ]
    assert uars[1] > uars[0] - 0.05
