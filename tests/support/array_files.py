"""Arrays of utterances in every kind of file that has them by id."""

from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import kaldiio
import numpy as np
import pyarrow as pa
from pyarrow import feather, parquet

Arrays = Mapping[str, np.ndarray]


def folder(path: Path, arrays: Arrays) -> str:
    for id_, array in arrays.items():
        file = path / f"{id_}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, array)
    return str(path)


def pattern(path: Path, arrays: Arrays) -> str:
    folder(path, {f"{id_}.embedding": array for id_, array in arrays.items()})
    return f"{path}/{{id}}.embedding.npy"


def npz(path: Path, arrays: Arrays) -> str:
    np.savez(path.with_suffix(".npz"), **arrays)
    return f"{path}.npz"


def h5(path: Path, arrays: Arrays) -> str:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for id_, array in arrays.items():
            file[id_] = array
    return f"{path}.h5"


def h5_groups(path: Path, arrays: Arrays) -> str:
    return h5(path, {f"{id_}/feats": array for id_, array in arrays.items()})


def ark(path: Path, arrays: Arrays) -> str:
    kaldiio.save_ark(f"{path}.ark", dict(arrays))
    return f"{path}.ark"


def text_ark(path: Path, arrays: Arrays) -> str:
    kaldiio.save_ark(f"{path}.ark", dict(arrays), text=True)
    return f"{path}.ark"


def scp(path: Path, arrays: Arrays) -> str:
    kaldiio.save_ark(f"{path}.ark", dict(arrays), scp=f"{path}.scp")
    return f"{path}.scp"


def table(arrays: Arrays) -> pa.Table:
    return pa.table({"id": [*arrays], "h": [array.tolist() for array in arrays.values()]})


def lists_in_parquet(path: Path, arrays: Arrays) -> str:
    parquet.write_table(table(arrays), f"{path}.parquet")
    return f"{path}.parquet"


def lists_in_feather(path: Path, arrays: Arrays) -> str:
    feather.write_feather(table(arrays), f"{path}.feather")
    return f"{path}.feather"


def lists_in_stream(path: Path, arrays: Arrays) -> str:
    """As the package datasets writes it."""
    content = table(arrays)
    with pa.OSFile(f"{path}.arrow", "wb") as file, pa.ipc.new_stream(file, content.schema) as out:
        out.write_table(content)
    return f"{path}.arrow"


def end_to_end(path: Path, arrays: Arrays) -> str:
    np.save(f"{path}.npy", np.concatenate([*arrays.values()]))
    lengths = [f"{len(array)}\n" for array in arrays.values()]
    path.with_suffix(".lengths").write_text("".join(lengths))
    path.with_suffix(".emo").write_text("".join(f"{id_}\tang\n" for id_ in arrays))
    return f"{path}.npy"


KINDS: dict[str, Callable[[Path, Arrays], str]] = {
    write.__name__: write
    for write in (
        *(folder, pattern, npz, h5, h5_groups, ark, text_ark, scp),
        *(lists_in_parquet, lists_in_feather, lists_in_stream, end_to_end),
    )
}
