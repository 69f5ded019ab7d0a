"""Attackers trained on the representation after the network, without access to its training; those
in closed form and the trees need no jax."""
