"""A model folder: model.json describes the network, arrays.npz holds it, model.sha256 seals all.

    <folder>/model.json     the description, with the SHA-256 of arrays.npz; no code, no path
    <folder>/arrays.npz     parameters, the release, normalisation, vocabulary; nothing is pickled
    <folder>/model.sha256   checksums, written last: a folder without it was not finished

Beside these whoever writes a folder may put documents, such as a model card: they are sealed too,
since a card that says more than was measured is no better than another network. They are no part of
a model's identity, so that person files outlive a new wording.

The folder holds encoders and emotion head. Adversaries, and heads of further tasks, stay behind:
who has h and an adversary has an attacker. Host.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from privrep.deploy.description import Description, from_json, to_json
from privrep.files import drop_partial, fault, replace_arrays, replace_file, sha256, write_seal

DESCRIPTION, ARRAYS, SEAL = "model.json", "arrays.npz", "model.sha256"
NO_DOCUMENTS: Mapping[str, str] = MappingProxyType({})
_DIGITS = 16  # of a model's identity


class Model(NamedTuple):
    """A model folder that was read.

    Attributes:
      description: what the network is.
      params: {...: float32}, of encoders and emotion head.
      release: {name: array}, see `releases.from_arrays`.
      inputs: {name: array}: frame_mean and frame_scale float32[F] under normalisation by the
        training part; vocabulary str[V], whose first is unknown, and word_vectors float32[V, E] if
        the network has not learned them.
      identity: 16 hex digits of the SHA-256 of model.json, and so of all.
      folder: where it was read.
    """

    description: Description
    params: Mapping[str, Any]
    release: Mapping[str, Any]
    inputs: Mapping[str, np.ndarray]
    identity: str
    folder: Path


def write_model(
    folder: Path,
    description: Description,
    params: Mapping[str, Any],
    release: Mapping[str, np.ndarray],
    inputs: Mapping[str, np.ndarray],
    documents: Mapping[str, str] = NO_DOCUMENTS,
) -> None:
    """Writes a model folder, in place of an earlier one; the arguments are as in `Model`.

    Args:
      documents: {name: text} of further files.

    Raises:
      ValueError: an array would have to be pickled, or a value is no JSON.
      OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drop_partial([folder])
    (folder / SEAL).unlink(missing_ok=True)  # until all is written the folder counts as damaged
    arrays = {f"params/{name}": array for name, array in _flat(params)}
    arrays |= {f"release/{name}": np.asarray(array) for name, array in release.items()}
    arrays |= {f"inputs/{name}": np.asarray(array) for name, array in inputs.items()}
    replace_arrays(folder / ARRAYS, arrays)
    content = to_json(description) | {"files": {ARRAYS: sha256(folder / ARRAYS)}}
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
    replace_file(folder / DESCRIPTION, f"{text}\n")
    for name, document in documents.items():
        replace_file(folder / name, document)
    sealed = (DESCRIPTION, ARRAYS, *documents)
    write_seal(folder / SEAL, [folder / name for name in sealed])


def read_model(folder: Path) -> Model:
    """Reads a model folder.

    Raises:
      FileNotFoundError: there is no such folder, or it holds no model.
      ValueError: a file is missing or not as it was written, or the folder is of another version.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        what = "there is no such folder"
        if folder.is_dir():
            inside = sorted(folder.glob(f"**/{DESCRIPTION}"))[:1]
            hint = f"; there is one in {inside[0].parent}" if inside else ""
            what = f"no model folder, it has no {DESCRIPTION}{hint}"
        elif folder.exists():
            what = f"that is a file; give its folder, {folder.parent}"
        raise FileNotFoundError(f"{folder}: {what}")
    problem = fault(folder / SEAL)
    if problem:
        raise ValueError(f"{problem}: the model cannot be trusted; copy or export it again")
    text = path.read_bytes()
    content = json.loads(text)
    description = from_json(content, str(path))
    if content.get("files", {}).get(ARRAYS) != sha256(folder / ARRAYS):
        raise ValueError(f"{folder / ARRAYS} is not the file that {DESCRIPTION} describes")
    try:
        with np.load(folder / ARRAYS, allow_pickle=False) as file:
            arrays = dict(file)
    except (ValueError, zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{folder / ARRAYS} cannot be read: {error}") from None
    parts: dict[str, dict[str, np.ndarray]] = {"params": {}, "release": {}, "inputs": {}}
    for name, array in arrays.items():
        part, _, rest = name.partition("/")
        parts.setdefault(part, {})[rest] = array
    identity = hashlib.sha256(text).hexdigest()[:_DIGITS]
    params = _nested(parts["params"])
    return Model(description, params, parts["release"], parts["inputs"], identity, folder)


def _flat(tree: Mapping[str, Any], above: str = "") -> list[tuple[str, np.ndarray]]:
    """Arrays with their names from the root, joined by /."""
    flat: list[tuple[str, np.ndarray]] = []
    for name, part in tree.items():
        path = f"{above}{name}"
        flat += _flat(part, f"{path}/") if isinstance(part, Mapping) else [(path, np.asarray(part))]
    return flat


def _nested(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        *folders, name = path.split("/")
        part = tree
        for folder in folders:
            part = part.setdefault(folder, {})
        part[name] = array
    return tree
