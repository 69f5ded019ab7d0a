"""The training loop for networks and attackers: loss, metric, batch, epoch, early stopping."""
