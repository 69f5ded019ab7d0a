"""Regression of a rating: losses, and the concordance correlation coefficient (CCC), on the device.

LOSSES lists the losses by name, each loss(predictions, targets, where) -> float[B].
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

# Added to the denominator of the CCC of a batch, whose rows may all be equal. Targets are in
# standard deviations.
_FLOOR = 1e-6


def ccc(predictions: jax.Array, targets: jax.Array, where: jax.Array | None = None) -> jax.Array:
    """The concordance correlation coefficient of predictions x and targets y.

        CCC = 2 cov(x, y) / (var(x) + var(y) + (mean(x) - mean(y))^2)

    1 if all predictions are right, 0 if they are constant or unrelated to the targets; unlike a
    correlation it is lowered by a wrong scale or offset (Lin, "A concordance correlation
    coefficient to evaluate reproducibility", Biometrics 1989). It does not change when predictions
    and targets are mapped by the same line.

    Args:
      predictions: float[N].
      targets: float[N]; NaN is unknown and never counts.
      where: bool[N], which utterances count; None for all.

    Returns:
      float32[], in [-1, 1]; NaN when no target is known, all predictions and targets are one
      value, or a counted prediction is NaN.

    Example: the predictions are right but for an offset of one standard deviation.
      >>> y = jnp.array([-1.0, 1.0, -1.0, 1.0])
      >>> round(float(ccc(y + 1, y)), 3)
      0.667
    """
    counted = _counted(targets, where)
    numerator, denominator = _terms(predictions, targets, counted)
    return jnp.where(denominator > 0, numerator / denominator, jnp.nan)


def ccc_loss(predictions: jax.Array, targets: jax.Array, where: jax.Array) -> jax.Array:
    """1 - CCC of the rows that count, the same number at each of them and 0 at the others.

    The CCC is one number per batch; a constant prediction has loss 1. Where all rows have one
    target, the loss draws the predictions to each other and to it.

    Args:
      predictions: float[B].
      targets: float[B] in standard deviations, NaN is unknown.
      where: bool[B].

    Returns:
      float[B], at least float32.
    """
    counted = _counted(targets, where)
    predictions = predictions.astype(jnp.promote_types(predictions.dtype, jnp.float32))
    numerator, denominator = _terms(jnp.where(counted, predictions, 0), targets, counted)
    return jnp.where(counted, 1 - numerator / (denominator + _FLOOR), 0)


def mse_loss(predictions: jax.Array, targets: jax.Array, where: jax.Array) -> jax.Array:
    """The squared error of each row that counts; arguments and result as of `ccc_loss`."""
    counted = _counted(targets, where)
    predictions = predictions.astype(jnp.promote_types(predictions.dtype, jnp.float32))
    # 0 * NaN in the gradient would be NaN.
    return jnp.where(counted, predictions - jnp.where(counted, targets, 0), 0) ** 2


LOSSES: dict[str, Callable[..., jax.Array]] = {"ccc": ccc_loss, "mse": mse_loss}


def guessing_bound(targets: jax.Array, where: jax.Array) -> jax.Array:
    """The CCC that 1 in 20 predictions unrelated to the targets exceed, at most: 1.645 / sqrt(n).

    A CCC is at most as large as the correlation, whose standard deviation over unrelated
    predictions of n utterances, taken as independent, is 1 / sqrt(n).
    """
    return 1.645 / jnp.sqrt(jnp.maximum(_counted(targets, where).sum(), 1))


def _counted(targets: jax.Array, where: jax.Array | None) -> jax.Array:
    known = ~jnp.isnan(targets)
    return known if where is None else known & where


def _terms(
    predictions: jax.Array, targets: jax.Array, counted: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Numerator and denominator of the CCC over the counted rows."""
    count = jnp.maximum(counted.sum(), 1)

    def centred(values: jax.Array) -> tuple[jax.Array, jax.Array]:
        values = jnp.where(counted, values, 0)
        mean = values.sum() / count
        return mean, jnp.where(counted, values - mean, 0)

    (mean_x, x), (mean_y, y) = centred(predictions), centred(targets)
    numerator = 2 * (x * y).sum() / count
    return numerator, ((x**2).sum() + (y**2).sum()) / count + (mean_x - mean_y) ** 2
