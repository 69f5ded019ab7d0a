"""Schedules of the strength of a defence over training; SCHEDULES lists them by name.

A schedule is f(lambda_, progress): `lambda_` float[...] is the final strength, `progress` float[]
the fraction of training that is over, from 0 (first step) to 1 (last). It returns the strength at
this step, in the shape of `lambda_`; both arguments may be traced.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def constant(lambda_: jax.Array, progress: jax.Array) -> jax.Array:
    """The full strength from the first step: lambda_."""
    del progress
    return jnp.asarray(lambda_)


def linear(lambda_: jax.Array, progress: jax.Array, warm_up: float = 0.3) -> jax.Array:
    """Grows linearly over the first fraction `warm_up` of training, then stays constant:

    lambda_ * min(progress / warm_up, 1)
    """
    return lambda_ * jnp.minimum(progress / warm_up, 1.0)


def ganin(lambda_: jax.Array, progress: jax.Array) -> jax.Array:
    """Starts at 0 and saturates, so that the adversary learns before the encoders resist it:

        lambda_ * (2 / (1 + exp(-10 progress)) - 1)

    Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 17(59), 2016, section 5.2.
    """
    return lambda_ * (2.0 / (1.0 + jnp.exp(-10.0 * progress)) - 1.0)


SCHEDULES: dict[str, Callable[..., jax.Array]] = {
    "constant": constant,
    "linear": linear,
    "ganin": ganin,
}
