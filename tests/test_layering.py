"""Imports go down only, host and device code do not mix. The source is read, nothing imported."""

import ast
import graphlib
from typing import NamedTuple

from tests.support.paths import ROOT


class Room(NamedTuple):
    """A folder, or a file that is one by itself, and what it may import of its own top folder.

    Attributes:
      side: "host" reads files and knows no jax when it is imported; "jax" is device code and reads
        no files; "both" joins them.
      imports: names of rooms below, relative to the top folder, separated by blanks.
    """

    side: str
    imports: str


# Lowest first: a room imports only what its row names, and only rooms above its row in this table.
# experiments/ may import every room of privrep/ but cli and commands; privrep/ nothing of it.
ROOMS = {
    "privrep/grl.py": Room("jax", ""),
    "privrep/types.py": Room("host", ""),
    "privrep/cores.py": Room("host", ""),
    "privrep/messages.py": Room("host", ""),
    "privrep/files.py": Room("host", ""),
    "privrep/lock.py": Room("host", ""),
    "privrep/program.py": Room("host", ""),
    "privrep/duplicates.py": Room("host", "types"),
    "privrep/statistics": Room("host", "messages types"),
    "privrep/parallel": Room("jax", ""),
    "privrep/formats": Room("host", "files messages types"),
    "privrep/datasets/demo": Room("host", "cores types"),
    "privrep/datasets": Room("host", "datasets/demo formats messages types"),
    "privrep/inputs": Room("host", "formats duplicates lock files messages cores types"),
    "privrep/networks/kernels": Room("jax", "types"),
    "privrep/networks": Room("jax", "networks/kernels types"),
    "privrep/training": Room("jax", "parallel types"),
    "privrep/unlearning": Room("jax", "training networks parallel grl types"),
    "privrep/attacks": Room("host", "statistics messages cores types"),
    "privrep/attacks/trained": Room("jax", "attacks training networks/kernels parallel types"),
    "privrep/leakage/membership": Room("host", "attacks statistics types"),
    "privrep/leakage": Room("host", "leakage/membership attacks statistics cores types"),
    "privrep/auditing": Room(
        "host",
        "leakage leakage/membership attacks statistics formats duplicates files messages types",
    ),
    "privrep/deploy": Room("host", "inputs files messages cores types"),
    "privrep/deploy/network.py": Room("jax", "unlearning networks training types"),
    "privrep/deploy/check_arrays.py": Room(
        "both", "deploy deploy/network unlearning networks types"
    ),
    "privrep/deploy/encoder.py": Room(
        "both", "deploy deploy/network deploy/check_arrays unlearning inputs messages types"
    ),
    "privrep/deploy/encode_files.py": Room(
        "both", "deploy/encoder deploy inputs formats files messages"
    ),
    "privrep/deploy/onnx_graph.py": Room(
        "both", "deploy deploy/network unlearning networks inputs"
    ),
    "privrep/deploy/plain_network.py": Room("jax", "deploy unlearning networks networks/kernels"),
    "privrep/deploy/stablehlo.py": Room(
        "both", "deploy deploy/network deploy/plain_network unlearning"
    ),
    "privrep/deploy/export_files.py": Room(
        "both", "deploy/onnx_graph deploy/stablehlo deploy/encoder deploy files"
    ),
    "privrep/commands": Room(
        "both",
        "deploy/encode_files deploy/export_files auditing attacks statistics formats "
        "program messages types",
    ),
    "privrep/cli.py": Room("both", "commands leakage messages program"),
    "experiments/start.py": Room("host", ""),
    "experiments/devices.py": Room("host", ""),
    "experiments/config": Room("both", "start"),
    "experiments/results": Room("both", "config"),
    "experiments/run": Room("both", "results config"),
    "experiments/search": Room("both", "run results config"),
    "experiments/engines": Room("both", "search run results config devices"),
    "experiments/report/figures": Room("host", "results config"),
    "experiments/report": Room("host", "report/figures results config start"),
    "experiments/simulations": Room("both", "start"),
    "experiments/benchmark": Room("host", "start"),
    "experiments/benchmark/contestants": Room("both", "benchmark config devices"),
    "experiments/main.py": Room("both", "devices start report engines search run results config"),
    "experiments/opt_out.py": Room("host", "report results config start"),
    "experiments/export_model.py": Room("both", "run results config start"),
    "experiments/few_enrolled.py": Room("both", "run results config start"),
}
BANNED = {
    "host": {"jax", "flax", "optax"},
    "jax": {"pathlib", "soundfile", "csv", "time", "os", "io", "shutil", "open()", "print()"},
    "both": set(),
}
PUBLIC = (
    *("gradient_reversal", "measure", "audit", "load", "encode", "plan", "compare", "gate"),
    *(
        "export",
        "Encoder",
        "Encoded",
        "Person",
        "Recordings",
        "Sample",
        "AuditReport",
        "Utterance",
        "AuditOptions",
        "InferenceSettings",
    ),
)


def violations(sources):
    """What is wrong with `sources` {path: text of the file}, a sentence each."""
    modules = {_module(path): path for path in sources}
    wrong, arrows = [], {}
    for path, text in sorted(sources.items()):
        tree = ast.parse(text)
        names = _imports(tree, path, modules)
        arrows[path] = {modules[n] for n in names if n in modules} - {path}
        if path in ("privrep/__init__.py", "privrep/__main__.py"):
            continue
        wrong += _of_room(path, names, tree, modules)
    try:
        graphlib.TopologicalSorter(arrows).prepare()
    except graphlib.CycleError as error:
        wrong.append("cycle: " + " -> ".join(error.args[1]))
    return wrong


def _of_room(path, names, tree, modules):
    room = _room(path)
    if room is None:
        return [f"{path} stands in no room: add its folder to ROOMS in tests/test_layering.py"]
    side, allowed = ROOMS[room].side, ROOMS[room].imports.split()
    top, wrong = room.split("/")[0], []
    for name in names:
        target = modules.get(name)
        there = _room(target) if target else None
        if there is None or there == room:
            continue
        if top == "experiments" and there.startswith("privrep/"):
            if there in ("privrep/cli.py", "privrep/commands"):
                wrong.append(f"{path} imports {target}, the console script")
        elif not any(there in (f"{top}/{a}", f"{top}/{a}.py") for a in allowed):
            wrong.append(f"{path} imports {target}, but {room} may import only {allowed}")
    roots = {name.split(".")[0] for name in names}
    forbidden = roots & {"tests", "absl", "experiments"} if top == "privrep" else roots & {"tests"}
    if top == "privrep":
        calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
        called = {f"{function.id}()" for function in calls if isinstance(function, ast.Name)}
        forbidden |= (roots | called) & BANNED[side]
    if path == "privrep/grl.py":
        forbidden |= roots - {"jax"}
    return wrong + [f"{path} uses {name}, which its room forbids" for name in sorted(forbidden)]


def _room(path):
    if path in ROOMS:
        return path
    folder = path.rsplit("/", 1)[0]
    return folder if folder in ROOMS else None


def _module(path):
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imports(tree, path, modules):
    """Full names of what a file imports, also inside functions and by relative imports."""
    names = set()
    folder = path.rsplit("/", 1)[0].split("/")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = folder[: len(folder) - node.level + 1]
                base = ".".join(up + ([base] if base else []))
            whole = [f"{base}.{alias.name}" for alias in node.names]
            names |= {name if name in modules else base for name in whole}
    return sorted(names)


def _sources():
    files = [p for top in ("privrep", "experiments") for p in (ROOT / top).rglob("*.py")]
    return {p.relative_to(ROOT).as_posix(): p.read_text(encoding="utf-8") for p in files}


def test_every_import_goes_down_to_a_room_that_its_row_names():
    sources = _sources()
    assert "privrep/grl.py" in sources and "experiments/main.py" in sources
    assert not (wrong := violations(sources)), "\n".join(wrong)


def test_every_room_stands_above_what_it_imports_and_is_there():
    order = list(ROOMS)
    for number, (name, room) in enumerate(ROOMS.items()):
        top = name.split("/")[0]
        for below in room.imports.split():
            (row,) = [k for k in order if k in (f"{top}/{below}", f"{top}/{below}.py")]
            assert order.index(row) < number, f"{name} stands below {below}"
        assert (ROOT / name).exists(), name


def test_no_public_name_is_a_file_or_folder_of_the_package():
    """`privrep.audit` would be the module once it is imported, and the function before."""
    taken = {path.stem for path in (ROOT / "privrep").iterdir()}
    assert "grl" in taken and not taken & set(PUBLIC)


def test_a_folder_exports_nothing_so_that_no_function_hides_a_file():
    for path in (ROOT / "privrep").rglob("*/__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        if path.parent.name != "datasets":  # which holds DATASETS
            assert len(body) == 1 and ast.get_docstring(ast.Module(body, [])), path


LAWFUL = {
    "privrep/__init__.py": '"""The package."""',
    "privrep/grl.py": "import jax\nimport jax.numpy as jnp",
    "privrep/types.py": "from pathlib import Path",
    "privrep/files.py": "import os",
    "privrep/duplicates.py": "import numpy",
    "privrep/messages.py": "",
    "privrep/statistics/uar.py": "import numpy",
    "privrep/parallel/run_axis.py": "import jax",
    "privrep/training/losses.py": "import jax\nfrom privrep.types import Data",
    "privrep/training/fit.py": "from privrep.training import losses",
    "privrep/networks/kernels/gru.py": "import jax",
    "privrep/networks/encoders.py": "from privrep.networks.kernels import gru",
    "privrep/unlearning/objective.py": "from privrep.networks import encoders",
    "privrep/attacks/suite.py": "import numpy",
    "privrep/attacks/trained/mlp_and_gru.py": "from privrep.attacks import suite",
    "privrep/datasets/emodb.py": "from privrep.types import Utterance",
    "privrep/auditing/run_audit.py": "from privrep.attacks import suite",
    "privrep/commands/audit.py": "from privrep.auditing.run_audit import audit",
    "privrep/cli.py": "from privrep.commands import audit",
    "experiments/config/settings.py": "from privrep.training import losses",
    "experiments/run/run_pack.py": "from experiments.config import settings",
    "experiments/report/table.py": "from experiments.config.settings import Config",
}
PLANTED = [  # path, text, what the sentence about it says
    ("privrep/training/losses.py", "from privrep.unlearning import objective", "may import only"),
    ("privrep/training/losses.py", "def f():\n    import privrep.cli", "imports privrep/cli.py"),
    ("privrep/training/losses.py", "from ..unlearning import objective", "may import only"),
    ("privrep/training/losses.py", "from . import fit", "cycle"),
    ("privrep/attacks/suite.py", "from privrep.unlearning.objective import loss", "may import"),
    ("privrep/unlearning/objective.py", "from privrep.attacks import suite", "may import only"),
    ("privrep/statistics/uar.py", "from privrep.attacks import suite", "may import only"),
    ("privrep/networks/encoders.py", "from privrep.training import losses", "may import only"),
    (
        "privrep/attacks/suite.py",
        "def f():\n    from privrep.attacks.trained import mlp_and_gru",
        "may import only",
    ),
    ("privrep/grl.py", "import numpy", "uses numpy"),
    ("privrep/grl.py", "from privrep import types", "may import only"),
    ("privrep/auditing/run_audit.py", "import experiments.config.settings", "uses experiments"),
    ("privrep/datasets/emodb.py", "from absl import flags", "uses absl"),
    ("privrep/datasets/emodb.py", "import jax.numpy as jnp", "uses jax"),
    ("privrep/statistics/uar.py", "from jax import numpy", "uses jax"),
    ("privrep/networks/encoders.py", "import csv", "uses csv"),
    ("privrep/networks/encoders.py", "def f(path):\n    return open(path)", "uses open()"),
    ("privrep/networks/encoders.py", "import tests.support", "uses tests"),
    ("privrep/brand_new/file.py", "import jax", "stands in no room"),
    ("privrep/brand_new.py", "import jax", "stands in no room"),
    ("experiments/run/run_pack.py", "from experiments.report import table", "may import only"),
    ("experiments/report/table.py", "from experiments.run import run_pack", "may import only"),
    ("experiments/run/run_pack.py", "from privrep.cli import main", "the console script"),
    ("experiments/run/run_pack.py", "from privrep.commands import audit", "the console script"),
    ("experiments/run/run_pack.py", "from tests.support import paths", "uses tests"),
]


def test_the_checker_catches_planted_violations():
    """One of each kind, planted into otherwise lawful sources, is found and named."""
    assert violations(LAWFUL) == []
    for path, text, message in PLANTED:
        wrong = violations(LAWFUL | {path: text})
        assert any(message in line for line in wrong), (path, text, wrong)
