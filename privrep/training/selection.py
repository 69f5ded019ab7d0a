"""Selection rules: scores on the validation part that choose the epoch of a network.

A selection rule is f(emotion_uar, attacker_uar, chance); SELECTIONS lists them by name. In a
regression the CCC takes the place of the emotion UAR.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from privrep.types import LIMIT


def selection_score(
    emotion_uar: jax.Array, adversary_uar: Mapping[str, jax.Array], chance: Mapping[str, float]
) -> jax.Array:
    """Emotion recognition minus the leakage that the adversaries measure; higher is better.

        emotion UAR - mean over attributes of |adversary UAR - chance|

    An attribute whose adversary UAR is NaN is left out of the mean. This holds for "speaker": the
    validation speakers are no classes of a speaker adversary.

    Args:
      emotion_uar: float[...], on the validation part.
      adversary_uar: {attribute: float[...]}, on the validation part; may be empty.
      chance: {attribute: float}.

    Returns:
      float[...]; NaN where the emotion UAR is.
    """
    score = jnp.asarray(emotion_uar)
    leaks = [jnp.abs(score_a - chance[a]) for a, score_a in adversary_uar.items()]
    known = sum((~jnp.isnan(leak) for leak in leaks), start=jnp.zeros(score.shape, jnp.int32))
    total = sum((jnp.nan_to_num(leak) for leak in leaks), start=jnp.zeros_like(score))
    return score - total / jnp.maximum(known, 1)


def emotion_alone(
    emotion_uar: jax.Array, adversary_uar: Mapping[str, jax.Array], chance: Mapping[str, float]
) -> jax.Array:
    """The emotion UAR; arguments as in `selection_score`.

    It tends to choose an epoch before the adversary has changed h.
    """
    del adversary_uar, chance
    return jnp.asarray(emotion_uar)


ALLOWED_LEAK = LIMIT  # of a UAR above or below chance, in the leak-aware rule


def emotion_within_leak(
    emotion_uar: jax.Array, attacker_uar: Mapping[str, jax.Array], chance: Mapping[str, float]
) -> jax.Array:
    """Emotion recognition subject to the leak; the leak-aware rule.

        emotion UAR               if max over attributes of |attacker UAR - chance| <= ALLOWED_LEAK
        -1 - (leak - ALLOWED_LEAK)    otherwise, with leak that maximum

    Whatever leaks no more than is allowed is preferred to what leaks more; among the former the
    best emotion counts, among the latter the least leak. The attackers are to be freshly trained:
    an adversary that answers with one class satisfies any limit. Arguments and result are those of
    `selection_score`.

    >>> rule = lambda emotion, uar: float(emotion_within_leak(emotion, {"a": uar}, {"a": 0.5}))
    >>> rule(0.6, 0.55) > rule(0.5, 0.5) > rule(0.9, 0.7) > rule(0.9, 0.8)
    True
    """
    emotion = jnp.asarray(emotion_uar)
    leaks = [jnp.nan_to_num(jnp.abs(uar - chance[a])) for a, uar in attacker_uar.items()]
    largest = jnp.zeros_like(emotion)
    for leak in leaks:
        largest = jnp.maximum(largest, leak)
    excess = largest - ALLOWED_LEAK
    score = jnp.where(excess <= 1e-6, emotion, -1 - excess)  # 0.6 - 0.5 is above 0.1 in floats
    return jnp.where(jnp.isnan(emotion), jnp.nan, score)


SELECTIONS: dict[str, Callable[..., jax.Array]] = {
    "paper": selection_score,
    "emotion": emotion_alone,
    "emotion_within_leak": emotion_within_leak,
}
