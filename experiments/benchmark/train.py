"""Contest of training programs: on all cores (`train`) and on one core (`one_core`).

A model-step is forward, backward and Adam of one network on one batch. The peers:

    privrep-regression        ours with a head that predicts a rating
    privrep-keep              ours of relative h with a memory and mmd
    privrep-leads             ours of relative h with a reversal that leads
    flax                      plain Flax, one network after another
    torch                     PyTorch eager, one network after another, batches padded
    torch-packed              the same with packed sequences
    torch-processes           `torch` in as many processes as there are cores
    torch-stacked             all networks in one, by hand: `stacked_torch.py`
    torch-stacked-processes   the same in as many processes as there are cores
"""

from collections.abc import Mapping

from experiments.benchmark.rounds import Contestant, interleave, ratio
from experiments.benchmark.rows import BenchmarkRow, efficiency, installed, row, versus
from experiments.benchmark.work import SHAPES, Size, Training
from privrep.cores import usable_cores

# With one device privrep has one thread: it keeps operations to a core.
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


def measure_train(size: Size) -> list[BenchmarkRow]:
    """Training on all cores, or on the accelerator."""
    rows = []
    for name in size.shapes or (("mid",) if size.quick else ("mid", "pooled", "real")):
        work, processes = size.training(name, size.runs), usable_cores()
        contestants = _in_one_process(work, size.shape(name).stacks)
        contestants["torch-processes"] = contestants["torch"]._replace(
            environment=ONE_CORE, processes=processes
        )
        if "torch-stacked" in contestants:
            share = {"work": work._replace(steps=1, runs=max(size.runs // processes, 1))}
            contestants["torch-stacked-processes"] = Contestant(
                "stacked_torch", "stacked", share, ONE_CORE | _KEEP_MEMORY, processes
            )
        rows += _contest("train", name, size, contestants)
    return rows


def measure_one_core(size: Size) -> list[BenchmarkRow]:
    """Training on one core, of as many networks as would be its share of all."""
    rows = []
    for name in size.shapes or (("lexical",) if size.quick else tuple(SHAPES)):
        work = size.training(name, max(size.runs // usable_cores(), 1))
        contestants = {
            peer: contestant._replace(environment=ONE_CORE | dict(contestant.environment))
            for peer, contestant in _in_one_process(work, size.shape(name).stacks).items()
        }
        rows += _contest("one_core", name, size, contestants)
    return rows


def _in_one_process(work: Training, stacks: bool) -> dict[str, Contestant]:
    single = {"work": work._replace(runs=1)}
    contestants = {
        "privrep": Contestant("ours", "train", {"work": work}),
        "privrep-regression": Contestant("ours", "train", {"work": work._replace(regression=True)}),
        "privrep-keep": Contestant("ours", "train", {"work": work._replace(recipe="keep")}),
        "privrep-leads": Contestant("ours", "train", {"work": work._replace(recipe="leads")}),
        "flax": Contestant("plain_flax", "one_by_one", single),
        "torch": Contestant("plain_torch", "one_by_one", single),
        "torch-packed": Contestant("plain_torch", "one_by_one", single | {"packed": True}),
    }
    if stacks:
        stack = {"work": work._replace(steps=1)}
        contestants["torch-stacked"] = Contestant("stacked_torch", "stacked", stack, _KEEP_MEMORY)
    return contestants


def _contest(
    part: str, name: str, size: Size, contestants: Mapping[str, Contestant]
) -> list[BenchmarkRow]:
    ours = contestants["privrep"]
    peers = {
        peer: contestant
        for peer, contestant in contestants.items()
        if peer != "privrep" and not size.alone and installed(peer.partition("-")[0])
    }
    programs = {"privrep": ours, **peers}
    measured = interleave(f"{part}: {name}", programs, size.rounds, size.quick)
    contest = f"{name}, {size.shape(name).about}, {ours.arguments['work'].runs} networks"
    rows = []
    for contestant, theirs in measured.items():
        figures = row(part, contest, contestant, theirs, "model-steps/s") | {"shape": name}
        figures |= efficiency(theirs)
        if contestant != "privrep":
            figures["per_core_second"] = ratio(measured["privrep"], theirs, "cpu_seconds")
        rows.append(figures | versus(measured["privrep"], theirs))
    return rows
