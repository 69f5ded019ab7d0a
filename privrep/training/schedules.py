"""How the strength of the reversal grows over training; SCHEDULES lists them by name.

A schedule is f(lambda_, progress): `lambda_` float[...] the final strength, `progress` float[] the
part of training that is over, from 0 (first step) to 1 (last). It returns the strength now, in the
shape of `lambda_`; both arguments may be traced.
"""

import jax.numpy as jnp


def constant(lambda_, progress):
    """The full strength from the first step on: lambda_."""
    del progress
    return jnp.asarray(lambda_)


def linear(lambda_, progress, warm_up=0.3):
    """Grows evenly over the first `warm_up` of training, then stays:

    lambda_ * min(progress / warm_up, 1)
    """
    return lambda_ * jnp.minimum(progress / warm_up, 1.0)


def ganin(lambda_, progress):
    """Grows fast, then saturates, so that the adversary learns before the encoder resists it:

        lambda_ * (2 / (1 + exp(-10 progress)) - 1)

    Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 17(59), 2016, section 5.2.
    """
    return lambda_ * (2.0 / (1.0 + jnp.exp(-10.0 * progress)) - 1.0)


SCHEDULES = {"constant": constant, "linear": linear, "ganin": ganin}
