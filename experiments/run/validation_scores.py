"""Scores on validation speakers in the place of test speakers: columns of runs.csv.

Whoever compares recipes and takes the best of them has chosen by what was measured. Where that was
measured on test speakers, their figures are too good for it; these columns are there to be chosen
by.
"""

from collections.abc import Sequence

from experiments.config.settings import Config
from experiments.results.columns import Row, name_of
from experiments.run.attack_stage import AttackTarget
from experiments.run.load_data import Loaded
from experiments.run.pooled_scores import essential
from experiments.run.reading_scores import reading_scores


def validation_scores(
    targets: Sequence[AttackTarget], loaded: Loaded, private: Sequence[str], config: Config
) -> list[Row]:
    """The numbers of `essential` and `reading_scores`, as columns validation_<column>.

    A speaker is in the validation part of one fold, as in the test part of another, so that these
    scores too are about all speakers. Attackers *own* learn from the validation speakers who are
    not scored, and *seen* from the training part and the test part.

    Args:
      loaded: see `Loaded.of_validation`.
      private: the attributes that are unlearned.
    """
    both = zip(essential(targets, loaded, private), reading_scores(targets, loaded, config))
    return [
        {
            name_of("validation_<column>", name): value
            for name, value in (of_pooled | of_reading).items()
            if not isinstance(value, str)
        }
        for of_pooled, of_reading in both
    ]
