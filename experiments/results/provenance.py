"""Provenance of a row: versions of packages, hashes of the data."""

from importlib import metadata

import privrep

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")


def versions() -> dict[str, str]:
    """The versions of the packages that compute a row, {"version_jax": ...} and so on."""
    installed = {f"version_{package}": metadata.version(package) for package in _PACKAGES}
    # By its own attribute, since a checkout may run that is not the one installed.
    return installed | {"version_privrep": privrep.__version__}


def stamp(prepared_hash: str, data_hash: str) -> dict[str, str]:
    """The columns of a row that identify its data and the packages that computed it."""
    return {"prepared_hash": prepared_hash, "data_hash": data_hash} | versions()
