"""Attackers that are trained networks: dense ones, GRUs, and speaker verification."""
