"""Strict settings for every test. Set before jax is first imported."""

import fcntl
import os
from functools import partial

# Two CPU devices, so that sharding over runs is tested on any machine.
_DEVICES = "--xla_force_host_platform_device_count"
if _DEVICES not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_DEVICES}=2".strip()

import experiments.devices  # noqa: E402, F401  # the flags that programs have, before jax

if "xla_cpu_prefer_vector_width" in os.environ["XLA_FLAGS"]:  # a jaxlib whose flags are known
    os.environ["XLA_FLAGS"] += " --xla_cpu_parallel_codegen_split_count=1"  # no core waits for work

import hypothesis  # noqa: E402
import jax  # noqa: E402
import pytest  # noqa: E402

from experiments.run.compiled_programs import free_programs  # noqa: E402
from privrep.types import InferenceSettings  # noqa: E402
from tests.support.paths import ROOT  # noqa: E402

# A shape that fits only by accident of broadcasting is the commonest silent error of array code.
jax.config.update("jax_numpy_rank_promotion", "raise")

# The first example of a test compiles, so it may take long; CI must not depend on luck.
hypothesis.settings.register_profile(
    "local", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile(
    "ci", parent=hypothesis.settings.get_profile("local"), derandomize=True
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="module")
def quickly_compiled():
    """For modules in which more is compiled than computed."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory):
    """finished_once(name, make) -> folder: make(folder) runs once, whatever the number of workers.

    For whole jobs whose result directory many tests read. A worker that comes while another makes
    it waits at the lock in the session's temporary root.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    root = root / "finished"
    root.mkdir(exist_ok=True)

    def finished(name, make):
        folder, marker = root / name, root / f"{name}.done"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not marker.exists():
                folder.mkdir()
                make(folder)
                marker.touch()
        return folder

    return finished


@pytest.fixture
def few_permutations(monkeypatch):
    """For whole runs of the main job of which no p is looked at: 9 permutations in place of 99."""
    from experiments.run import membership_scores as membership
    from experiments.run import pooled_scores as pooled

    settings = InferenceSettings(permutations=9)
    monkeypatch.setattr(pooled, "measure_folds", partial(pooled.measure_folds, settings=settings))
    fewer = partial(membership.identify, settings=settings, draws=4)
    monkeypatch.setattr(membership, "identify", fewer)


def pytest_configure(config):
    for package in ("privrep", "experiments"):  # a library's deprecation is not ours to fail on
        config.addinivalue_line("filterwarnings", rf"error:::{package}(\.|$)")
    # Compiled programs are kept in this checkout's own pytest cache (`pytest --cache-clear` empties
    # it), for the tests and, through the environment, for the programs they start.
    if hasattr(config, "cache") and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = str(config.cache.mkdir("jax"))
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


# Files, below tests/, whose tests share compiled programs or fits, a line for a worker; the longest
# first.
TOGETHER = (
    ("test_main", "test_documents", "test_questions", "search/test_grid"),
    (
        "unlearning/test_training_problem",
        "unlearning/test_released_h",
        "training/test_streaming",
        "test_devices",
        "parallel/test_memory",
    ),
    ("test_main_again", "search/test_search"),
    ("benchmark/test_benchmark",),
    ("attacks/test_suite",),
)
_GROUPS = {file: number for number, files in enumerate(TOGETHER) for file in files}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Of `-n`: a file's tests go to one worker, where they find what its fixtures have made."""
    if config.option.dist != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = _below_tests(ROOT / nodeid.split("::")[0])
            return str(_GROUPS.get(file, file))

    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_runtest_teardown(item, nextitem):
    """Frees programs in time, where much may have been compiled."""
    if item.get_closest_marker("long") or nextitem is None or nextitem.path != item.path:
        free_programs()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: _GROUPS.get(_below_tests(item.path), len(TOGETHER)))
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not _has_gpu():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no GPU"))


def _below_tests(path):
    """Such as report/test_latex: names need not be unique in all of tests/."""
    return path.relative_to(ROOT / "tests").with_suffix("").as_posix()


def _has_gpu():
    try:
        return bool(jax.devices("gpu"))
    except RuntimeError:
        return False
