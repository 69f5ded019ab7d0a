"""lambda as it is written on the command line: one number, or one per attribute joined by +."""

from typing import Any


def is_zero(lambda_: Any) -> bool:
    """Whether nothing is reversed: 0, or "0+0" with one strength per attribute."""
    return not any(strengths(lambda_))


def strengths(lambda_: Any) -> tuple[float, ...]:
    """One number, or one per attribute: 0.5 -> (0.5,), "0.5+1" -> (0.5, 1.0)."""
    return tuple(float(part) for part in str(lambda_).split("+"))


def lambda_text(lambda_: Any) -> str:
    """As it is written on the command line: 0, 0.75, 0.5+1."""
    return "+".join(f"{strength:g}" for strength in strengths(lambda_))
