"""Unlearning an attribute: defences in training, adversaries, releases of the representation."""
