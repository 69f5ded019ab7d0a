"""Encoding one utterance at a time: `privrep.load`, and the ONNX files of the same model."""

import json
import tempfile
from pathlib import Path

from experiments.benchmark.rounds import Contestant, interleave, ratio
from experiments.benchmark.rows import BenchmarkRow, efficiency, installed, row, versus
from experiments.benchmark.work import Size

MODALITIES = ("acoustic", "lexical", "multimodal")
_SECONDS = 8.0  # of sound; a transcript has 20 words
FORMS = {"privrep, JAX": "jax", "ONNX float32": "onnx", "ONNX int8": "onnx_int8"}


def measure_encode(size: Size) -> list[BenchmarkRow]:
    """Latency, times real time, size and memory of the default network, for each modality.

    JAX takes the cores that it likes, a file one thread; `per_core_second` compares the work.
    Without onnx and onnxruntime there is nothing to compare, and no row.
    """
    if not (installed("onnx") and installed("onnxruntime")):
        return []
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        made = Contestant("encode_model", "write", {"folder": folder})
        interleave("models", {"models": made}, 0, size.quick)
        for modality in MODALITIES:
            rows += _of_modality(Path(folder), modality, size)
    return rows


def _of_modality(folder: Path, modality: str, size: Size) -> list[BenchmarkRow]:
    work = {"folder": str(folder), "modality": modality, "seconds": _SECONDS}
    work |= {"count": size.utterances}
    contestants = {}
    for name, form in FORMS.items():
        if form == "jax":
            contestants[name] = Contestant("encode_utterances", "by_jax", work)
        else:
            of_file = work | {"file": f"{form}.onnx"}
            contestants[name] = Contestant("encode_utterances", "by_onnx", of_file)
    measured = interleave(f"encode, {modality}", contestants, size.rounds, size.quick)
    sizes = json.loads((folder / modality / "sizes.json").read_text(encoding="utf-8"))
    heard = modality != "lexical"
    about = f"{_SECONDS:g} s of sound" if heard else "20 words"
    first = next(iter(measured.values()))
    rows = []
    for name, figures in measured.items():
        of_form = row("encode", f"{modality}, {about}", name, figures, "utterances/s")
        of_form |= {"latency_ms": 1000 / of_form["rate"], "size_mb": sizes[FORMS[name]]}
        of_form["cpu_ms"] = 1000 * figures.median("cpu_seconds") / size.utterances
        if heard:
            of_form["real_time"] = _SECONDS * of_form["rate"]
        if figures is not first:
            of_form["per_core_second"] = ratio(first, figures, "cpu_seconds")
        rows.append(of_form | versus(first, figures) | efficiency(figures))
    return rows
