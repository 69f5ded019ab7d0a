"""Exported files, audited: the networks of all folds, each as its file runs in onnxruntime.

A file is judged together with those of the other folds, over all speakers, as the main job judges
the networks (`pooled_scores.py`): the few test speakers of a fold allow no verdict.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import onnxruntime

from experiments.config.sweep import row_settings
from experiments.results.columns import Row
from experiments.run.attack_stage import AttackTarget
from experiments.run.export_models import ExportedModels
from experiments.run.load_data import Loaded
from experiments.run.pooled_scores import essential
from privrep.attacks.trained.fresh_attackers import SPEAKER
from privrep.deploy.description import FRAMES, STATE
from privrep.deploy.encoder import Encoder, load
from privrep.deploy.export_files import FORMATS
from privrep.deploy.network import network
from privrep.deploy.onnx_graph import OUTPUT, person_arrays
from privrep.deploy.person_file import Person
from privrep.deploy.recordings import Recordings, words_of_transcripts
from privrep.files import replace_file, replacing, sha256
from privrep.inputs.audio import log_mel, read_audio
from privrep.inputs.normalisation import moments_of
from privrep.types import Utterance

AUDITED = ("onnx", "onnx_int8")  # formats
CARD = "exported.json"  # beside model.json
_COLUMNS = ("uar", "lower", "upper", "verdict")
_SCOPE = (
    "of these files together, not of one by itself: each was run over all utterances of its fold; "
    "attackers were trained on h of its network's training speakers, and of others, and "
    "predicted the test speakers of the fold; the predictions of all folds were pooled. The row "
    "jax is that of the main job, whose emotion is of all seeds of the setting"
)
Say = Callable[[Sequence[str]], None]


def write_files(folders: Sequence[Path], format_: str) -> list[Path]:
    """Writes the network of each model folder as a file in this folder.

    Raises:
      ValueError: the format cannot hold what the model does.
    """
    kind = FORMATS[format_]
    exported = [(folder, kind.export(load(folder).model)) for folder in folders]
    paths = [folder / f"{format_}{kind.suffix}" for folder in folders]
    for path, (_, made) in zip(paths, exported):
        with replacing(path) as file:
            file.write(made.content)
        if made.notes is not None:
            replace_file(path.with_suffix(".json"), f"{json.dumps(made.notes, indent=1)}\n")
    return paths


def audit_exported(models: ExportedModels, formats: Sequence[str], say: Say) -> dict[str, Any]:
    """Judges the files of all folds and writes the card of each into its model folder.

    Args:
      models: of `export_models.export_models`.
      formats: of AUDITED; the files are those of `write_files`.
      say: prints the table of the verdicts in JAX and in these formats.

    Returns:
      The card, without what says which file it lies beside.

    Raises:
      ValueError: the network of a fold is missing, or reads ready features.
    """
    loaded, config = models.loaded.scored, models.config
    num_folds = len(loaded.packed.data.folds.split.train)
    if len(models.folders) != num_folds:
        raise ValueError(
            f"{len(models.folders)} of {num_folds} networks can be used, and all folds are judged "
            "together: no file is audited"
        )
    encoders = [load(folder) for folder in models.folders]
    _check_inputs(encoders[0])
    files = {name: _files(models, name) for name in formats}
    attributes = [a for a in config.attributes if a != SPEAKER]
    rows: dict[str, Row] = {"jax": models.rows[0]}
    for name, h in sent_by_files(models, encoders, files).items():
        targets = [
            AttackTarget(
                settings=row_settings(config) | {"fold": row["fold"]},
                control="",
                run=0,
                h=None,
                labels={},
                pairs=None,
                pooled_h=of_fold,
                logits=_outputs(encoder, of_fold),
            )
            for row, encoder, of_fold in zip(models.rows, encoders, h)
        ]
        rows[name] = essential(targets, loaded, attributes)[0]
    table = {name: _figures(row, attributes) for name, row in rows.items()}
    content = {"scope": _SCOPE, "verdicts": table, "files": files}
    for folder, row in zip(models.folders, models.rows):
        this = {"fold": row["fold"], "model": load(folder).model.identity}
        text = json.dumps({"this_folder": this} | content, indent=1, ensure_ascii=False)
        replace_file(folder / CARD, f"{text}\n")
    say(table_of(table))
    return content


def table_of(verdicts: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Lines of a table: emotion, and of each attribute UAR, its upper bound and the verdict."""
    (*questions,) = next(iter(verdicts.values()))
    lines = ["| form | " + " | ".join(questions) + " |", "|---" * (1 + len(questions)) + "|"]
    for name, figures in verdicts.items():
        cells = [" ".join(filter(None, map(_cell, figures[q].items()))) for q in questions]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _cell(pair: tuple[str, Any]) -> str:
    name, value = pair
    if value is None or name == "lower":
        return ""
    if isinstance(value, str):
        return value
    return f"(upper bound {value:.3f})" if name == "upper" else f"{value:.3f}"


def _figures(row: Row, attributes: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        question: {name: row.get(f"{question}_pooled_{name}") for name in _COLUMNS}
        for question in ("emotion", *attributes)
    }


def _check_inputs(encoder: Encoder) -> None:
    acoustic, lexical = encoder.description.acoustic, encoder.description.lexical
    is_ready = acoustic is not None and acoustic.log_mel is None
    if is_ready or (lexical is not None and lexical.kind == "ready"):
        raise ValueError("audited are models of audio and transcripts, not of ready features")


def _files(models: ExportedModels, format_: str) -> list[dict[str, Any]]:
    return [
        {"fold": row["fold"], "file": path.name, "folder": folder.name, "sha256": sha256(path)}
        for row, folder in zip(models.rows, models.folders)
        for path in [folder / f"{format_}{FORMATS[format_].suffix}"]
    ]


def sent_by_files(
    models: ExportedModels, encoders: Sequence[Encoder], files: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """{format: h float32[K, N, D]} that the files send; 0 of utterances in no part of the fold."""
    split = models.loaded.scored.packed.data.folds.split
    used = split.train | split.val | split.test
    sessions = {
        name: [_session(folder / entry["file"]) for folder, entry in zip(models.folders, of_format)]
        for name, of_format in files.items()
    }
    size = sum(module["dense_width"] for module in encoders[0].description.encoders.values())
    h = {name: np.zeros((*used.shape, size), np.float32) for name in files}
    folds = [row["fold"] for row in models.rows]
    for rows in _by_speaker(models.loaded.utterances):
        utterances = [models.loaded.utterances[i] for i in rows]
        waves = _waves(encoders[0], utterances)
        for k, (fold, encoder) in enumerate(zip(folds, encoders)):
            person = person_arrays(encoder.model, _person(models.loaded, encoder, rows, waves))
            inputs = _inputs(encoder, utterances, waves)
            for i, row in zip(rows, inputs):
                if used[fold, i]:
                    for name, of_format in sessions.items():
                        h[name][k, i] = of_format[k].run([OUTPUT], row | person)[0]
    return h


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _by_speaker(utterances: Sequence[Utterance]) -> list[list[int]]:
    """The numbers of each speaker's utterances; one without a speaker is one by itself."""
    rows: dict[Any, list[int]] = {}
    for i, utterance in enumerate(utterances):
        rows.setdefault(i if utterance.speaker is None else utterance.speaker, []).append(i)
    return [*rows.values()]


def _waves(encoder: Encoder, utterances: Sequence[Utterance]) -> list[np.ndarray] | None:
    acoustic = encoder.description.acoustic
    if acoustic is None or acoustic.log_mel is None:
        return None
    return [read_audio(utterance, acoustic.log_mel.sample_rate) for utterance in utterances]


def _person(
    loaded: Loaded, encoder: Encoder, rows: Sequence[int], waves: Sequence[np.ndarray] | None
) -> Person | None:
    """The person as the main job knows it: units of all utterances, a state of those enrolled."""
    if not encoder.needs:
        return None
    acoustic, moments = encoder.description.acoustic, None
    if FRAMES in encoder.needs:
        assert acoustic is not None and acoustic.log_mel is not None and waves is not None
        frames = [log_mel(wave, acoustic.log_mel).astype(np.float16) for wave in waves]
        moments = moments_of(frames)
    person = Person(encoder.model.identity, len(rows), moments)
    if STATE not in encoder.needs:
        return person
    enrolled = loaded.packed.data.enrolled
    assert enrolled is not None
    some = [k for k, i in enumerate(rows) if enrolled[i]]
    texts = [loaded.utterances[rows[k]].transcript or "" for k in some]
    given: dict[str, Any] = {}
    if waves is not None and acoustic is not None and acoustic.log_mel is not None:
        given = {"audio": [waves[k] for k in some], "sample_rate": acoustic.log_mel.sample_rate}
    if encoder.description.lexical is not None:
        given["transcripts"] = texts
    return encoder.enrol(Recordings(**given), units=person)


def _inputs(
    encoder: Encoder, utterances: Sequence[Utterance], waves: Sequence[np.ndarray] | None
) -> list[dict[str, np.ndarray]]:
    """What a file reads of each utterance."""
    inputs: list[dict[str, np.ndarray]] = [{} for _ in utterances]
    if waves is not None:
        for row, wave in zip(inputs, waves):
            row["waveform"] = np.asarray(wave, np.float32)
    lexical = encoder.description.lexical
    if lexical is not None:
        texts = [utterance.transcript or "" for utterance in utterances]
        words = words_of_transcripts(texts, lexical, encoder.model.inputs)
        for row, numbers in zip(inputs, words.rows):
            row["word_numbers"] = numbers.astype(np.int64)
    return inputs


def _outputs(encoder: Encoder, h: np.ndarray) -> np.ndarray:
    """The outputs of the emotion head for the released h float32[N, D]: [N, C]."""
    of, task = encoder.description, encoder.description.task
    net = network(of.encoders, task.num_outputs, of.head_layers, of.head_width)
    params = {"params": encoder.model.params}
    return np.asarray(net.apply(params, jnp.asarray(h), method="emotion"))
