"""The inputs of a network: audio and text features, labels, folds, packing, and their cache."""
