"""Imports go down only, host and device do not mix; read from the source, nothing is imported."""

import ast
import graphlib

from tests.support.paths import ROOT

PACKAGE = ROOT / "privrep"

# Every file or folder directly in privrep/: its layer in DESIGN.md, and its side. Host code reads
# files and knows no jax; device code is jax and reads no files; "both" joins them.
LAYERS = {
    "grl": (0, "device"),
    "labels": (0, "host"),
    "losses": (0, "device"),
    "metrics": (0, "device"),
    "schedules": (0, "device"),
    "utterances": (0, "host"),
    "batches": (1, "device"),
    "collapse": (1, "device"),
    "card": (1, "host"),
    "card_plots": (0, "host"),
    "datasets": (1, "host"),
    "erasure": (1, "device"),
    "features": (1, "host"),
    "filterbank": (0, "host"),
    "folds": (1, "host"),
    "layers": (1, "device"),
    "convolutions": (1, "device"),
    "normalisation": (1, "host"),
    "packing": (1, "host"),
    "pairs": (1, "host"),
    "prepared": (1, "host"),
    "prepared_inputs": (1, "host"),
    "prepared_store": (1, "host"),
    "files": (0, "host"),
    "processes": (0, "device"),
    "runs": (1, "device"),
    "device_memory": (2, "device"),
    "epochs": (2, "device"),
    "streaming": (2, "device"),
    "spelling": (0, "host"),
    "tables": (0, "host"),
    "representations": (1, "host"),
    "split_linter": (1, "host"),
    "samples": (1, "host"),
    "word_vectors": (1, "host"),
    "words": (1, "host"),
    "ragged_layers": (2, "device"),
    "ragged_gru": (2, "device"),
    "adversaries": (2, "device"),
    "defences": (2, "device"),
    "dependence": (1, "device"),
    "fresh": (1, "device"),
    "releases": (2, "device"),
    "subspace": (1, "device"),
    "encoders": (2, "device"),
    "models": (2, "device"),
    "networks": (2, "device"),
    "represent": (2, "device"),
    "training": (2, "device"),
    "attackers": (3, "device"),
    "closed_form": (1, "host"),
    "discriminants": (0, "host"),
    "neighbours": (1, "host"),
    "trees": (1, "host"),
    "classical": (2, "host"),
    "threats": (2, "host"),
    "online_code": (2, "host"),
    "audit_inputs": (4, "host"),
    "audit_threats": (4, "both"),
    "suite": (4, "both"),
    "exchanged": (3, "device"),
    "exchanged_attacks": (4, "both"),
    "permutations": (0, "host"),
    "scores": (0, "host"),
    "statistics": (0, "host"),
    "verdicts": (1, "host"),
    "learning_curve": (2, "host"),
    "measurement": (2, "host"),
    "fold_measurement": (2, "host"),
    "worlds": (0, "host"),
    "answers": (0, "host"),
    "strata": (1, "host"),
    "conditional": (2, "host"),
    "decensoring": (2, "host"),
    "verification": (2, "host"),
    "membership": (4, "host"),
    "membership_attacks": (3, "host"),
    "membership_draws": (2, "host"),
    "attributes": (3, "host"),
    "further": (3, "host"),
    "audit": (4, "both"),
    "cross_validation": (4, "both"),
    "__main__": (5, "both"),
    "cli": (5, "both"),
    "selftest": (4, "host"),
}
BANNED = {
    "host": {"jax", "flax", "optax"},
    "device": {"pathlib", "soundfile", "csv", "time", "os", "io", "shutil"},
    "both": set(),
}


def violations(sources):
    """What is wrong with `sources` {"privrep.module": text of the file}, a sentence each."""
    found, graph = [], {}
    for module, text in sorted(sources.items()):
        tree, part = ast.parse(text), _part(module)
        imports = _imports(tree, module, sources)
        roots = {name.split(".")[0] for name in imports}
        graph[module] = {name for name in imports if name in sources and name != module}
        if part == "":
            found += [f"{module} imports {name}; it imports nothing" for name in imports]
            continue
        if part not in LAYERS:
            found.append(f"{module}: add {part!r} to LAYERS in tests/test_layering.py")
            continue
        layer, side = LAYERS[part]
        for name in imports:
            above, _ = LAYERS.get(_part(name), (0, ""))
            if name.startswith("privrep.") and above > layer:
                found.append(f"{module} (layer {layer}) imports {name} (layer {above}) upwards")
        banned = roots & ({"experiments", "absl", "tests"} | BANNED[side])
        if side == "device":
            banned |= {f"{name}()" for name in _calls(tree) & {"open", "print"}}
        if part == "grl":
            banned |= roots - {"jax"}
        found += [f"{module} uses {name}, which its place forbids" for name in sorted(banned)]
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found.append("cycle: " + " -> ".join(error.args[1]))
    return found


def _part(module):
    return module.partition("privrep")[2].lstrip(".").split(".")[0]


def _imports(tree, module, sources):
    """Full names of what `module` imports, also inside functions and by relative imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                folder = module.split(".") + (["__init__"] if _is_folder(module, sources) else [])
                base = ".".join(folder[: -node.level] + ([base] if base else []))
            whole = [f"{base}.{alias.name}" for alias in node.names]
            names |= {name if name in sources else base for name in whole}
    return sorted(names)


def _is_folder(module, sources):
    return any(name.startswith(f"{module}.") for name in sources)


def _calls(tree):
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {function.id for function in calls if isinstance(function, ast.Name)}


def _sources():
    sources = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        sources[name] = path.read_text(encoding="utf-8")
    return sources


def test_the_package_keeps_its_layers():
    sources = _sources()
    assert "privrep.grl" in sources and "privrep.datasets" in sources
    assert not (found := violations(sources)), "\n".join(found)


def test_the_checker_catches_planted_violations():
    """One of each kind, planted into otherwise lawful sources, is found and named."""
    lawful = {
        "privrep": '"""The package."""',
        "privrep.grl": "import jax\nimport jax.numpy as jnp",
        "privrep.losses": "import jax",
        "privrep.metrics": "from privrep import losses",
        "privrep.layers": "import jax\nfrom privrep.losses import cross_entropy",
        "privrep.folds": "import numpy\nfrom pathlib import Path",
        "privrep.datasets": "from privrep.datasets import emodb",
        "privrep.datasets.emodb": "from privrep.utterances import Utterance",
        "privrep.utterances": "from pathlib import Path",
        "privrep.audit": "from privrep import layers, folds",
    }
    assert violations(lawful) == []
    planted = [
        ("privrep.losses", "from privrep import layers", "imports privrep.layers"),
        ("privrep.losses", "from privrep.layers import MLP", "imports privrep.layers"),
        ("privrep.losses", "def f():\n    import privrep.audit", "imports privrep.audit"),
        ("privrep.losses", "from . import layers", "imports privrep.layers"),
        ("privrep.utterances", "from .datasets.emodb import read", "imports privrep.datasets"),
        ("privrep.datasets.emodb", "from ..audit import audit", "imports privrep.audit"),
        ("privrep.datasets", "from . import emodb\nfrom .. import audit", "imports privrep.audit"),
        ("privrep.losses", "from privrep import metrics", "cycle"),
        ("privrep.grl", "import numpy", "uses numpy"),
        ("privrep.grl", "from privrep import losses", "uses privrep"),
        ("privrep.audit", "from experiments import config", "uses experiments"),
        ("privrep.folds", "from absl import flags", "uses absl"),
        ("privrep.folds", "import jax.numpy as jnp", "uses jax"),
        ("privrep.datasets.emodb", "from jax import numpy", "uses jax"),
        ("privrep.layers", "import csv", "uses csv"),
        ("privrep.layers", "def f(path):\n    return open(path)", "uses open()"),
        ("privrep.brand_new", "import jax", "add 'brand_new' to LAYERS"),
        ("privrep", "from privrep import losses", "it imports nothing"),
    ]
    for module, text, message in planted:
        found = violations(lawful | {module: text})
        assert any(message in line for line in found), (module, text, found)
