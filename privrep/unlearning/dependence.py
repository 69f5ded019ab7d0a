"""How much of a batch's labels a kernel finds in it: unbiased, differentiable, one number.

Both measures look at pairs of different utterances of one stratum. Rows without a class or without
a stratum are looked at by neither. They are 0 on average where x tells nothing, and may be below.

    measure(x float[B, D], classes float[B, K], strata float[B, S]) -> float[]

`classes` and `strata` hold a single 1 in each row, or none. Strata count by their utterances.
"""

import jax.numpy as jnp

WIDTHS = (0.5, 1.0, 2.0)  # in units of the distance at which two units differ by a deviation each


def _kernel(x, rows):
    """The mean of Gaussian kernels of `WIDTHS`, float[B, B], 0 on the diagonal.

    x is taken in units of its deviation over `rows`, through which the gradient goes: what counts
    is how the classes lie to one another, and not that x is small. A deviation is the root of a
    variance to which a share of the mean one is added, as the root of 0 has no gradient.
    """
    count = jnp.maximum(rows.sum(), 1)
    rows = rows[:, None] > 0
    x = jnp.where(rows, x, 0)
    x = jnp.where(rows, x - x.sum(0, keepdims=True) / count, 0)
    variance = (x**2).sum(0, keepdims=True) / count
    x = x / jnp.sqrt(variance + 1e-4 * variance.mean() + 1e-8)
    squares = (x**2).sum(1)
    apart = (squares[:, None] + squares[None] - 2 * x @ x.T) / x.shape[1]
    kernel = sum(jnp.exp(-apart / (2 * width**2)) for width in WIDTHS) / len(WIDTHS)
    return kernel * (1 - jnp.eye(len(x)))


def mmd(x, classes, strata):
    """The squared maximum mean discrepancy, mean over the pairs of classes of a stratum:

        MMD^2(k, l) = E k(x, x') + E k(y, y') - 2 E k(x, y),    x, x' of class k, y, y' of l

    Classes with less than two utterances in the stratum are left out. Gretton et al., "A kernel
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
    own = (means * same).sum(2)
    squared = own[:, :, None] + own[:, None] - 2 * means
    enough = count > 1
    valid = enough[:, :, None] & enough[:, None] & (same == 0)
    of_stratum = jnp.where(valid, squared, 0).sum((1, 2)) / jnp.maximum(valid.sum((1, 2)), 1)
    share = jnp.where(valid.any((1, 2)), count.sum(1), 0)
    return (of_stratum * share).sum() / jnp.maximum(share.sum(), 1)


def hsic(x, classes, strata):
    """The Hilbert-Schmidt independence criterion of x and the classes, mean over strata:

        (tr(K L) + 1'K1 1'L1 / ((n - 1) (n - 2)) - 2 1'K L1 / (n - 2)) / (n (n - 3))

    K the kernel of x and L that of the classes, 1 for two of the same, both 0 on the diagonal.
    Strata of less than four utterances are left out. Of two classes of a size it is an eighth of
    `mmd`. Song et al., "Feature selection via dependence maximization", JMLR 13, 2012, theorem 2.
    """
    known = strata * classes.sum(1, keepdims=True)  # [B, S]
    kernel = _kernel(x, known.sum(1))
    alike = classes @ classes.T * (1 - jnp.eye(len(x)))
    count = known.sum(0)  # [S]
    rows, columns = (known * (m @ known) for m in (kernel, alike))  # K1, L1 within each stratum
    both = jnp.einsum("bs,bc,cs->s", known, kernel * alike, known)
    product = rows.sum(0) * columns.sum(0)
    across = (rows * columns).sum(0)
    n = jnp.maximum(count, 4)
    found = both + product / ((n - 1) * (n - 2)) - 2 * across / (n - 2)
    share = jnp.where(count > 3, count, 0)
    return (found / (n * (n - 3)) * share).sum() / jnp.maximum(share.sum(), 1)
