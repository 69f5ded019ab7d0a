"""Matrix products that keep float32 exact on every backend."""

import jax
import jax.numpy as jnp


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """[M, K] @ [K, N], in the precision of `jax.default_matmul_precision`.

    "bfloat16" rounds the factors to 8 bits and sums in float32. jax leaves it to the device what it
    makes of the word, and a CPU makes nothing of it; here it means the same everywhere.
    """
    if jax.config.jax_default_matmul_precision != "bfloat16":
        return a @ b
    a, b = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
    return jnp.matmul(a, b, preferred_element_type=jnp.float32)


def matmul(a: jax.Array, b: jax.Array) -> jax.Array:
    """[..., K] @ [K, N] -> [..., N] as one matrix product."""
    return product(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[-1])


def outer(a: jax.Array, b: jax.Array) -> jax.Array:
    """[..., K], [..., N] -> [K, N], the products summed over the rest."""
    return product(a.reshape(-1, a.shape[-1]).T, b.reshape(-1, b.shape[-1]))
