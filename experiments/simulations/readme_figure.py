"""The figure of README.md that teaches how to read a verdict.

`python -m experiments.simulations --only=readme_figure` prints it.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from privrep.attacks.lda import linear
from privrep.leakage.conditional import explain
from privrep.leakage.measurement import measure
from privrep.leakage.worlds import WorldDraw, emotion_tied
from privrep.leakage.worlds import linear as leaking
from privrep.statistics.strata import Covariate
from privrep.statistics.verdict import Verdict
from privrep.types import InferenceSettings

LOW, HIGH, STEP = 0.2, 1.0, 0.0125  # a character
UTTERANCES, SIZE, PERMUTATIONS, SEED = 10, 8, 199, 2
_SHADES = " .:-=+*#"
_MARKS = (("D", "minimum_detectable"), ("U", "upper"), ("o", "uar"))  # the later hides the earlier
LINEAR = {"linear": linear}
SETTINGS = InferenceSettings(permutations=PERMUTATIONS, seed=SEED)


def readme_figure(draws: int) -> Iterator[str]:
    """Corpora of 10, 28 and 100 speakers under the linear attacker, a line each."""
    del draws
    yield f"{'':20}{_axis()}"
    for count, strength in ((10, 0.0), (28, 0.0), (100, 0.0), (100, 1.0)):
        world = leaking(SEED, count, UTTERANCES, SIZE, strength)
        yield _audited(f"{count} speakers, {'a leak' if strength else 'none'}", world)
    world = emotion_tied(SEED, 100, UTTERANCES, SIZE)
    yield _audited("100, emotion tied", world)
    given = Covariate("emotion", world.emotion, np.zeros((len(world.emotion), 0)))
    (explained,) = explain(world.sample(), [given], attackers=LINEAR, settings=SETTINGS)
    yield _line("  given emotion", [], explained.beyond)
    yield "null of the attacker . : - = + * #    o its UAR    D minimum detectable    U upper bound"


def _audited(name: str, world: WorldDraw) -> str:
    explained = measure(world.sample(), attackers=LINEAR, settings=SETTINGS)
    return _line(name, explained.attackers["linear"].null, explained.verdict)


def _line(name: str, null: Sequence[float], verdict: Verdict) -> str:
    cells = [" "] * (_place(HIGH) + 1)
    counts = np.bincount([_place(score) for score in null], minlength=len(cells))
    for i, count in enumerate(counts[: len(cells)]):
        share = count / max(counts.max(), 1)
        cells[i] = _SHADES[int(np.ceil(share * (len(_SHADES) - 1)))]
    for mark, column in _MARKS:
        cells[_place(getattr(verdict, column))] = mark
    return f"{name:20}{''.join(cells)} {verdict.verdict.replace('_', ' ')}"


def _place(score: float) -> int:
    return round((min(max(score, LOW), HIGH) - LOW) / STEP)


def _axis() -> str:
    line = [" "] * (_place(HIGH) + 3)
    for tick in np.arange(LOW, HIGH + 0.01, 0.1):
        line[_place(tick) : _place(tick) + 3] = f"{tick:.1f}"
    return "".join(line)
