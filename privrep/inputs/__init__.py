"""From a corpus to the arrays that a network reads: audio, text, labels, folds, packing, cache."""
