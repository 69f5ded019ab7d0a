"""The time that packs are said to take is that which they took, and none is said of others."""

import dataclasses

from experiments.config.sweep import expand
from experiments.run.expected_time import expected_seconds, keep_seconds

FLAGS = {"modality": "acoustic", "task": "activation", "lambda_": "0,1", "recipe": "paper"}


def config(**changed):
    (pack,) = expand(FLAGS)
    return dataclasses.replace(pack.config, **changed)


def test_the_seconds_of_a_run_are_those_of_the_same_settings_and_size(tmp_path):
    keep_seconds(tmp_path, config(), 1200, 10.0)
    keep_seconds(tmp_path, config(task="valence"), 1200, 5.0)
    both = [(config(), 2), (config(task="valence"), 4)]
    assert expected_seconds(tmp_path, both, 1200) == 2 * 10 + 4 * 5
    assert expected_seconds(tmp_path, [(config(seed=7, learning_rate=0.1), 1)], 1200) == 10
    assert expected_seconds(tmp_path, both, 600) is None
    assert expected_seconds(tmp_path, [(config(num_kernels=128), 1)], 1200) is None
    assert expected_seconds(tmp_path, [], 1200) is None
    keep_seconds(tmp_path, config(), 1200, 20.0)  # the latest counts
    assert expected_seconds(tmp_path, [(config(), 1)], 1200) == 20


def test_a_damaged_file_is_no_estimate_and_is_written_anew(tmp_path):
    keep_seconds(tmp_path, config(), 1200, 10.0)
    (path,) = tmp_path.iterdir()
    for text in ("{", "[1]", '{"a": "b"}', "\xff"):
        path.write_text(text, "latin-1")
        assert expected_seconds(tmp_path, [(config(), 1)], 1200) is None
    keep_seconds(tmp_path, config(), 1200, 10.0)
    assert expected_seconds(tmp_path, [(config(), 1)], 1200) == 10
