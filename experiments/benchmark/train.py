"""Training beside what else one could write: all cores (`train`), and one (`one_core`).

Forward, backward and Adam of one network on one batch is a model-step. The peers:

    flax                      plain Flax, one network after another
    flax-vmap                 the same under vmap over all networks
    torch                     PyTorch eager, one network after another, batches padded
    torch-packed              the same with packed sequences
    torch-processes           `torch` in as many processes as there are cores
    torch-stacked             all networks in one, by hand: `stacked_torch.py`
    torch-stacked-processes   the same in as many processes as there are cores
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from experiments.benchmark.rounds import Contestant, cores, interleave, ratio
from experiments.benchmark.rows import Row, efficiency, installed, row, versus
from experiments.benchmark.work import SHAPES, Shape, Size

# With one device there is one thread: this project keeps operations to a core.
ONE_CORE = {
    "XLA_FLAGS": "--xla_force_host_platform_device_count=1 --xla_cpu_multi_thread_eigen=false",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
# glibc gives large arrays back to the system and fetches them again; twenty networks in one have
# hundreds of them in every step.
_KEEP_MEMORY = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
}
PEERS = (
    "flax",
    "flax-vmap",
    "torch",
    "torch-packed",
    "torch-processes",
    "torch-stacked",
    "torch-stacked-processes",
)


def measure_train(size: Size) -> list[Row]:
    """On all cores, or on the accelerator."""
    rows = []
    for name in size.shapes or (("mid",) if size.quick else ("mid", "pooled", "real")):
        peers = _on_all_cores(size, size.shape(name))
        rows += _contest("train", name, size, size.runs, peers, {})
    return rows


def measure_one_core(size: Size) -> list[Row]:
    """On one core: as many networks as would be its share of a stack."""
    rows = []
    for name in size.shapes or (("lexical",) if size.quick else tuple(SHAPES)):
        runs = max(size.runs // cores(), 1)
        peers = {
            peer: one._replace(environment={**ONE_CORE, **one.environment})
            for peer, one in _in_one_process(size, size.shape(name), runs).items()
        }
        rows += _contest("one_core", name, size, runs, peers, ONE_CORE)
    return rows


def _work(size: Size, shape: Shape, runs: int) -> dict[str, Any]:
    work = {"network": asdict(shape.network), "frames": shape.frames}
    return work | {"runs": runs, "batch": size.batch, "steps": size.steps}


def _in_one_process(size: Size, shape: Shape, runs: int) -> dict[str, Contestant]:
    work = _work(size, shape, runs)
    alone = work | {"runs": 1}
    peers = {
        "flax": Contestant("plain_flax", "one_by_one", alone),
        "torch": Contestant("plain_torch", "padded", alone),
        "torch-packed": Contestant("plain_torch", "packed", alone),
    }
    if shape.stacks:
        peers["torch-stacked"] = Contestant(
            "stacked_torch", "stacked", work | {"steps": 1}, _KEEP_MEMORY
        )
    return peers


def _on_all_cores(size: Size, shape: Shape) -> dict[str, Contestant]:
    peers, processes = _in_one_process(size, shape, size.runs), cores()
    peers["torch-processes"] = peers["torch"]._replace(environment=ONE_CORE, processes=processes)
    if shape.stacks:
        stack = _work(size, shape, size.runs) | {"steps": 1}
        share = stack | {"runs": max(size.runs // processes, 1)}
        peers["flax-vmap"] = Contestant("plain_flax", "vmapped", stack)
        peers["torch-stacked-processes"] = Contestant(
            "stacked_torch", "stacked", share, ONE_CORE | _KEEP_MEMORY, processes
        )
    return peers


def _contest(part, name, size, runs, peers, environment) -> list[Row]:
    shape = size.shape(name)
    contestants = {"privrep": Contestant("ours", "train", _work(size, shape, runs), environment)}
    for peer in PEERS:
        if peer in peers and peer in size.peers and installed(peer.partition("-")[0]):
            contestants[peer] = peers[peer]
    found = interleave(
        f"{part}: {name}",
        contestants | {"products": products(size, environment)},
        size.rounds,
        size.quick,
    )
    peak = found.pop("products")
    contest = f"{name}, {shape.about()}, {runs} networks"
    rows = []
    for contestant, one in found.items():
        told = row(part, contest, contestant, one, "model-steps/s")
        told |= {"shape": name} | efficiency(one, peak, shape.network, size.batch)
        if contestant != "privrep":
            told["per_core_second"] = ratio(found["privrep"], one, "cpu_seconds")
        rows.append(told | versus(found["privrep"], one))
    return [*rows, row(part, contest, "matrix products", peak, "GFLOP/s") | {"shape": name}]


def products(size: Size, environment: Mapping[str, str]) -> Contestant:
    """Plain matrix products: what the machine reaches at best."""
    work = {"size": size.product, "repeats": 20}
    return Contestant("ours", "products", work, environment)
