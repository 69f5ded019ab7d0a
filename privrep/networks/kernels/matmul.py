"""Matrix products whose precision is the same on every backend."""

import jax
import jax.numpy as jnp


def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """[M, K] @ [K, N], in the precision of `jax.default_matmul_precision`.

    "bfloat16" rounds the factors to 8 significant bits and sums in float32. jax leaves its meaning
    to the device, and a CPU ignores it; here it means the same on all devices.
    """
    precision = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]  # is dynamic
    if precision != "bfloat16":
        return a @ b
    a, b = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
    return jnp.matmul(a, b, preferred_element_type=jnp.float32)


def matmul(a: jax.Array, b: jax.Array) -> jax.Array:
    """[..., K] @ [K, N] -> [..., N] as one matrix product."""
    return product(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[-1])


def outer(a: jax.Array, b: jax.Array) -> jax.Array:
    """[..., K], [..., N] -> [K, N], the outer products summed over all leading axes."""
    return product(a.reshape(-1, a.shape[-1]).T, b.reshape(-1, b.shape[-1]))
