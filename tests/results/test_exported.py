"""Exported h that is not as it was written is refused, and how to write it anew is said."""

import numpy as np
import pytest

from experiments.results.exported import SEAL, check_export
from privrep.files import write_seal


def test_a_damaged_export_is_refused_by_name(tmp_path):
    fold = tmp_path / "fold_0"
    fold.mkdir()
    files = [fold / "labels.csv", fold / "lambda=0_recipe=none_seed=0.npz"]
    files[0].write_text("id,speaker\na,b\n")
    np.savez(files[1], h=np.ones((1, 2)), id=["a"])
    with pytest.raises(ValueError, match=f"{SEAL} is missing"):
        check_export(tmp_path)
    write_seal(fold / SEAL, files)
    check_export(tmp_path)
    for file in files:
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + b"~")
        with pytest.raises(ValueError, match=f"{file.name} is not .*--resume and --export=all"):
            check_export(tmp_path)
        file.write_bytes(whole)
    (fold / "lambda=1_recipe=none_seed=0.npz").write_bytes(whole)
    with pytest.raises(ValueError, match=r"lambda=1_recipe=none_seed=0\.npz is not as"):
        check_export(tmp_path)
