"""Attackers that are trained on the representation after the network, and know nothing of its
training; the closed-form ones and the trees need no jax."""
