"""Unlearning a private attribute: defences, their adversaries, and releases of h."""
