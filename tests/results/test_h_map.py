"""Maps of h: directions come from training speakers, and show unseen speakers what these taught."""

import numpy as np
import pytest

from experiments.results.h_map import MAX_POINTS, Labelling, directions, read_maps, write_maps
from privrep.types import Split


def sample(n=600, size=6, leak=4.0, seed=0):
    rng = np.random.default_rng(seed)
    private, emotion = rng.integers(0, 2, (2, n))
    h = rng.normal(size=(n, size)).astype(np.float32)
    h[:, 1] += leak * private
    h[:, 2] += 4 * emotion
    rotation = np.linalg.qr(rng.normal(size=(size, size)))[0]
    return (h @ rotation * 10 + 3).astype(np.float32), private, emotion, np.arange(n) < n // 2


def gap(x, labels):
    return x[labels == 1].mean() - x[labels == 0].mean()


def test_each_direction_tells_its_own_label_in_deviations_within_classes():
    h, private, emotion, learn = sample(4000)
    x, y = directions(h, private, emotion, learn)[~learn].T
    private, emotion = private[~learn], emotion[~learn]
    assert gap(x, private) == pytest.approx(4, abs=0.3) and abs(gap(x, emotion)) < 0.4
    assert gap(y, emotion) == pytest.approx(4, abs=0.3) and abs(gap(y, private)) < 0.4
    for coordinate in (x, y):
        cells = [coordinate[(private == a) & (emotion == e)] for a in (0, 1) for e in (0, 1)]
        within = np.concatenate([cell - cell.mean() for cell in cells])
        assert within.std() == pytest.approx(1, abs=0.1)
    assert x.dtype == np.float32


def test_an_attribute_that_goes_with_an_emotion_does_not_lie_in_its_direction():
    h, private, emotion, learn = sample(3000)
    rare = (private == 1) & (emotion == 1) & (np.arange(3000) % 4 > 0)
    h, private, emotion, learn = (of[~rare] for of in (h, private, emotion, learn))
    x = directions(h, private, emotion, learn)[:, 0]
    assert abs(gap(x[private == 0], emotion[private == 0])) < 0.4


def test_test_speakers_do_not_shape_the_directions():
    h, private, emotion, learn = sample()
    before = directions(h, private, emotion, learn)
    flipped = np.where(learn, private, 1 - private)
    np.testing.assert_array_equal(directions(h, flipped, emotion, learn), before)


def test_nothing_is_shown_where_there_is_nothing():
    h, private, emotion, learn = sample(leak=0.0)
    x = directions(h, private, emotion, learn)[~learn, 0]
    assert abs(gap(x, private[~learn])) < 0.4
    flat = directions(np.ones_like(h), private, emotion, learn)
    assert np.isfinite(flat).all() and np.abs(flat).max() < 1e-3


def test_a_map_of_the_first_fold_and_seed_is_read_back(tmp_path):
    h, private, emotion, learn = sample(6000)
    split = Split(train=learn[None], val=np.zeros((1, 6000), bool), test=~learn[None])
    settings = [{"fold": fold, "seed": seed} for seed in (3, 5) for fold in (0, 1)]
    task = Labelling("emotion", emotion[None], ("low", "high"))
    gender = Labelling("gender", private[None], ("f", "m"))
    write_maps(tmp_path, [*zip(settings, [h, h, h * np.nan, h])], split, task, gender)
    ((run, h_map),) = read_maps(tmp_path)
    assert run == 0 and h_map.xy.shape == (MAX_POINTS, 2) and h_map.attribute == "gender"
    assert h_map.private_names == ("f", "m") and h_map.emotion_names == ("low", "high")
    assert gap(h_map.xy[:, 0], h_map.private) == pytest.approx(4, abs=0.3)
    again = tmp_path / "again"
    again.mkdir()
    write_maps(again, [(row, h) for row in settings], split, task, gender)
    assert (again / "map.npz").read_bytes() == (tmp_path / "map.npz").read_bytes()
    assert [*read_maps(tmp_path / "none")] == []


def test_networks_that_diverged_have_no_map(tmp_path):
    h, private, emotion, learn = sample()
    split = Split(train=learn[None], val=np.zeros((1, 600), bool), test=~learn[None])
    task = Labelling("emotion", emotion[None], ("low", "high"))
    gender = Labelling("gender", private[None], ("f", "m"))
    write_maps(tmp_path, [({"fold": 0, "seed": 0}, h * np.inf)], split, task, gender)
    assert [*tmp_path.iterdir()] == []
