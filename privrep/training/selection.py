"""Selection rules: scores on the validation part that choose the epoch of a network.

A selection rule is f(emotion_uar, attacker_uar, chance); SELECTIONS lists them by name.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp


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


SELECTIONS: dict[str, Callable[..., jax.Array]] = {
    "emotion_minus_leak": selection_score,
    "emotion": emotion_alone,
}
