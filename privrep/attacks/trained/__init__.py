"""Attackers trained by gradient descent: dense networks and GRUs, many in one program."""
