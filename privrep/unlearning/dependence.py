"""Kernel measures of dependence between a batch x and its labels: MMD and HSIC.

    measure(x float[B, D], classes float[B, K], strata float[B, S]) -> float[]

Both are differentiable and unbiased: 0 on average if x and the labels are independent within the
strata, so that a value may be negative. They are computed over pairs of different utterances of one
stratum, and averaged over strata weighted by their number of utterances. `classes` and `strata` are
one-hot; a row of zeros, of an utterance without a class or a stratum, does not count.
"""

import jax
import jax.numpy as jnp

# Of the kernels; the distance of two rows is the root mean square of the standardised differences.
WIDTHS = (0.5, 1.0, 2.0)


def _kernel(x: jax.Array, rows: jax.Array) -> jax.Array:
    """The mean of Gaussian kernels of `WIDTHS`, float[B, B], 0 on the diagonal.

    x is divided by its standard deviation over `rows`, and the gradient includes this division:
    shrinking x does not lower the measure. A fraction of the mean variance is added to each
    variance, because the square root has no gradient at 0.
    """
    count = jnp.maximum(rows.sum(), 1)
    rows = rows[:, None] > 0
    x = jnp.where(rows, x, 0)
    x = jnp.where(rows, x - x.sum(0, keepdims=True) / count, 0)
    variance = (x**2).sum(0, keepdims=True) / count
    x = x / jnp.sqrt(variance + 1e-4 * variance.mean() + 1e-8)
    squares = (x**2).sum(1)
    distances = (squares[:, None] + squares[None] - 2 * x @ x.T) / x.shape[1]
    kernel = sum(jnp.exp(-distances / (2 * width**2)) for width in WIDTHS) / len(WIDTHS)
    return kernel * (1 - jnp.eye(len(x)))


def mmd(x: jax.Array, classes: jax.Array, strata: jax.Array) -> jax.Array:
    """The squared maximum mean discrepancy, averaged over the pairs of classes of a stratum:

        MMD^2(k, l) = E k(x, x') + E k(y, y') - 2 E k(x, y),    x, x' of class k, y, y' of l

    Classes with fewer than two utterances in the stratum are left out. Gretton et al., "A kernel
    two-sample test", JMLR 13, 2012, lemma 6.
    """
    members = strata[:, :, None] * classes[:, None]  # [B, S, K]
    num_classes = classes.shape[1]
    flat = members.reshape(len(x), -1)
    sums = (_kernel(x, flat.sum(1)) @ flat).reshape(members.shape)
    sums = jnp.einsum("bsk,bsl->skl", members, sums)
    count = members.sum(0)  # [S, K]
    same = jnp.eye(num_classes)[None]
    pairs = count[:, :, None] * (count[:, None] - same)
    means = sums / jnp.maximum(pairs, 1)
    within = (means * same).sum(2)
    squared = within[:, :, None] + within[:, None] - 2 * means
    enough = count > 1
    valid = enough[:, :, None] & enough[:, None] & (same == 0)
    of_stratum = jnp.where(valid, squared, 0).sum((1, 2)) / jnp.maximum(valid.sum((1, 2)), 1)
    share = jnp.where(valid.any((1, 2)), count.sum(1), 0)
    return (of_stratum * share).sum() / jnp.maximum(share.sum(), 1)


def hsic(x: jax.Array, classes: jax.Array, strata: jax.Array) -> jax.Array:
    """The Hilbert-Schmidt independence criterion of x and the classes:

        (tr(K L) + 1'K1 1'L1 / ((n - 1) (n - 2)) - 2 1'K L1 / (n - 2)) / (n (n - 3))

    K is the kernel of x, L that of the classes (1 for two utterances of the same class), both 0 on
    the diagonal. Strata of fewer than four utterances are left out. For two classes of equal size
    it is an eighth of `mmd`. Song et al., "Feature selection via dependence maximization", JMLR 13,
    2012, theorem 2.
    """
    known = strata * classes.sum(1, keepdims=True)  # [B, S]
    kernel = _kernel(x, known.sum(1))
    same_class = classes @ classes.T * (1 - jnp.eye(len(x)))
    count = known.sum(0)  # [S]
    rows, columns = (
        known * (m @ known) for m in (kernel, same_class)
    )  # K1, L1 within each stratum
    both = jnp.einsum("bs,bc,cs->s", known, kernel * same_class, known)
    product = rows.sum(0) * columns.sum(0)
    across = (rows * columns).sum(0)
    n = jnp.maximum(count, 4)
    criterion = both + product / ((n - 1) * (n - 2)) - 2 * across / (n - 2)
    share = jnp.where(count > 3, count, 0)
    return (criterion / (n * (n - 3)) * share).sum() / jnp.maximum(share.sum(), 1)
