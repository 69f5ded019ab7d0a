"""Class weights that give every class of a part the same total weight (host)."""

import numpy as np


def balanced_class_weights(labels: np.ndarray, part: np.ndarray, num_classes: int) -> np.ndarray:
    """Weights that give every class that occurs in `part` the same total weight.

        weight_c = n / (C * n_c)

    n known labels in the part, n_c of them of class c, C classes that occur; 0 for a class that
    does not. The mean weight over the part's known labels is 1.

    Args:
      labels: int32[N], -1 unknown.
      part: bool[N].

    Returns:
      float32[num_classes]
    """
    counts = np.bincount(labels[part & (labels >= 0)], minlength=num_classes)
    share = counts * (counts > 0).sum() / max(counts.sum(), 1)
    return np.divide(1, share, out=np.zeros(num_classes), where=counts > 0).astype(np.float32)
