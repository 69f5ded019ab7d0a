"""Kernels: the fast forms of convolutions and GRUs, padded and without padding."""
