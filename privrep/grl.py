"""Gradient reversal for JAX. This file needs nothing but jax: copy it if that suits you better."""

import jax
import jax.numpy as jnp


@jax.custom_vjp
def gradient_reversal(x, lambda_):
    """The identity, whose gradient is turned round and scaled by `lambda_`.

        forward     y = x
        backward    dL/dx = -lambda_ * dL/dy        dL/dlambda_ = 0

    Layers after it (an adversary) minimise their loss, and layers before it (an encoder) maximise
    `lambda_` times that loss, in one gradient of one sum. From Ganin and Lempitsky,
    "Unsupervised Domain Adaptation by Backpropagation", ICML 2015, section 3.2.

    `lambda_` is an ordinary argument: it may be traced, so it can follow a schedule inside `scan`,
    differ between runs under `vmap`, and change without recompiling. A `lambda_` of 0 is
    `jax.lax.stop_gradient` (while the incoming gradient is finite: 0 times infinity is NaN), -1 is
    the plain identity, and two reversals in a row scale the gradient by lambda_1 * lambda_2.

    Only reverse mode exists: `jax.jvp`, `jacfwd` and `hessian` raise TypeError, as they do for
    every `jax.custom_vjp`. A gradient of the gradient differentiates the numbers that the first
    gradient returned, so the reversal counts once, not once per order.

    Args:
      x: an array or a pytree of arrays of any shape and dtype. Leaves without a gradient
        (integers, booleans) pass through.
      lambda_: float[] or any shape that broadcasts against every leaf without enlarging it, such
        as float[B, 1] for one strength per row. It is cast to the dtype of each gradient, so that
        bfloat16 stays bfloat16.

    Returns:
      x, unchanged to the bit.

    Example: the encoder is pushed away from what helps the adversary, here 3.
      >>> float(jax.grad(lambda h: 3.0 * h)(2.0))
      3.0
      >>> float(jax.grad(lambda h: 3.0 * gradient_reversal(h, 0.5))(2.0))
      -1.5
    """
    return x


def _forward(x, lambda_):
    return x, lambda_


def _backward(lambda_, cotangent):
    def reverse(leaf):
        if leaf.dtype == jax.dtypes.float0:  # of an integer: there is no gradient to turn round
            return leaf
        return -jnp.asarray(lambda_).astype(leaf.dtype) * leaf

    return jax.tree.map(reverse, cotangent), None


gradient_reversal.defvjp(_forward, _backward)
