"""Selection rules: which epoch is kept, judged on the validation part."""

import jax.numpy as jnp


def selection_score(emotion_uar, adversary_uar, chance):
    """Selection, higher is better: what is recognised minus what the adversaries still find.

        emotion UAR - mean over attributes of |adversary UAR - chance|

    An attribute whose adversary UAR is NaN is left out: the speakers of the validation part are
    unknown to a speaker adversary by construction.

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


def emotion_alone(emotion_uar, adversary_uar, chance):
    """Selection that looks at emotion only; arguments as in `selection_score`.

    It tends to choose an epoch from before the adversary has acted.
    """
    del adversary_uar, chance
    return jnp.asarray(emotion_uar)


SELECTIONS = {"emotion_minus_leak": selection_score, "emotion": emotion_alone}
