"""The training loop for networks and attackers: losses, scores, batches, epochs, early stopping."""
