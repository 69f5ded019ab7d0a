"""Provenance of a row: versions of packages, hashes of the data."""

from importlib import metadata

import privrep

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")


def versions() -> dict[str, str]:
    """{"version_jax": ...} and so on: columns that tell what computed a row."""
    found = {f"version_{package}": metadata.version(package) for package in _PACKAGES}
    # Its own word, since a checkout may run that is not the one installed.
    return found | {"version_privrep": privrep.__version__}


def stamp(prepared_hash: str, data_hash: str) -> dict[str, str]:
    """Of what data, as it lies here and wherever it lies, and by what a row was computed."""
    return {"prepared_hash": prepared_hash, "data_hash": data_hash} | versions()
