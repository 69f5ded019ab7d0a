"""Rows and a history to save, each number known."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax


class Rows(NamedTuple):
    """Like `fit.Fit`: nested, of several types, rows [R, ...]."""

    params: dict
    optimiser: tuple
    hook_state: tuple  # empty, as where nothing follows a step
    status: jax.Array


def rows(epoch):
    params = {"layer": {"kernel": jnp.full((3, 2, 4), epoch / 3), "bias": jnp.zeros((3, 4))}}
    params["layer"]["bias"] = params["layer"]["bias"].at[1].set(jnp.nan).at[2].set(-0.0)
    state = jax.vmap(optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam()).init)
    return Rows(params, state(params), (), jnp.array([0, 1, 2], jnp.int32))


def history(epoch):
    return {"val_emotion_uar": np.arange(3.0 * epoch, dtype=np.float32).reshape(epoch, 3) / 7}
