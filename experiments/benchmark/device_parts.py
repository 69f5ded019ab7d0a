"""The parts of the device check: which contestants, and how long a part may take."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from experiments.benchmark.rounds import Contestant
from experiments.benchmark.rows import installed
from experiments.benchmark.work import Size, Training

STEPS, LAYERS = "model-steps/s", "layer-steps/s"
# As the settings --recurrence and --precision have them, whose modules need jax.
_WAYS = ("loop", "kernel")
PRECISIONS = ("float32", "tensorfloat32", "bfloat16")  # the first is exact


class Planned(NamedTuple):
    """A contestant of a part.

    Attributes:
      name: unique in its part.
      unit: of its speed.
    """

    part: str
    name: str
    unit: str
    contestant: Contestant


class CheckPart(NamedTuple):
    """A part of the check.

    Attributes:
      seconds: that it may take on an accelerator.
      plan: (size) -> contestants, which are started at once.
    """

    seconds: float
    plan: Callable[[Size], list[Planned]]


def whole_size() -> Size:
    """The work on an accelerator: epochs of five batches of 32 utterances."""
    return Size(rounds=2, runs=100, growth={"runs": (100, 400, 20, 1)})


def _train(part: str, name: str, work: Training, **arguments: Any) -> Planned:
    return Planned(part, name, STEPS, Contestant("ours", "train", {"work": work, **arguments}))


def _layer(part: str, name: str, work: Training, **arguments: Any) -> Planned:
    contestant = Contestant("layers", "recurrence", {"work": work, **arguments})
    return Planned(part, name, LAYERS, contestant)


def _counts(size: Size) -> tuple[int, ...]:
    return (size.runs, 1) if size.quick else tuple(size.growth["runs"])


def _networks(size: Size) -> list[Planned]:
    """Networks side by side; memory as it was estimated, and as it was."""
    return [
        _train("networks", f"{count} networks", size.training("mid", count), with_estimate=True)
        for count in _counts(size)
    ]


def _kernel(size: Size) -> list[Planned]:
    """The recurrence alone: the loop beside the kernel, with their errors."""
    works = {count: size.training("mid", count) for count in _counts(size)}
    return [
        _layer("kernel", f"{way}, {count} networks", work._replace(recurrence=way))
        for count, work in works.items()
        for way in _WAYS
    ]


def _steps(size: Size) -> list[Planned]:
    """The whole step with the kernel."""
    return [
        _train(
            "steps",
            f"kernel, {count} networks",
            size.training("mid", count)._replace(recurrence="kernel"),
        )
        for count in _counts(size)[:2]
    ]


def _peers(size: Size) -> list[Planned]:
    """PyTorch with cuDNN, one network after another and under streams; plain Flax under vmap."""
    work, few = size.training("mid", size.runs), size.training("mid", min(size.runs, 20))
    flax = {
        "flax, one network": Contestant("plain_flax", "one_by_one", {"work": work}),
        **{
            f"flax, {of.runs} networks under vmap": Contestant(
                "plain_flax", "side_by_side", {"work": of}
            )
            for of in (few, work)
        },
    }
    on_device = {"work": work, "on_device": True}
    torch = {
        "torch, one network": Contestant("plain_torch", "one_by_one", on_device),
        f"torch, {few.runs} streams": Contestant("plain_torch", "under_streams", {"work": few}),
    }
    contestants = (torch if installed("torch") else {}) | flax
    return [Planned("peers", name, STEPS, each) for name, each in contestants.items()]


def _shapes(size: Size) -> list[Planned]:
    """Real lengths, and words."""
    return [
        _train("shapes", f"{name}, {way}", size.training(name, size.runs)._replace(recurrence=way))
        for way in _WAYS
        for name in ("real", "lexical")
    ]


def _precision(size: Size) -> list[Planned]:
    """Speed, and the loss after the same epochs, in products of less precision."""
    work = size.training("mid", min(size.runs, 20))
    return [
        _train("precision", precision, work._replace(precision=precision))
        for precision in PRECISIONS
    ]


def _where(size: Size) -> list[Planned]:
    """Where the time of a step goes: convolutions, recurrence (kernel), longer epochs (host)."""
    work = size.training("mid", size.runs)
    longer = work._replace(steps=4 * work.steps)
    convolutions = Contestant("layers", "convolutions", {"work": work})
    return [
        Planned("where", "convolutions", LAYERS, convolutions),
        _train("where", f"{longer.steps} steps an epoch", longer),
    ]


def _streaming(size: Size) -> list[Planned]:
    """Frames on the host, which come in windows, beside frames on the device."""
    work = size.training("mid", min(size.runs, 20))
    work = work._replace(steps=4 * work.steps)  # so that a window holds several batches
    return [
        _train("streaming", name, work._replace(is_streamed=is_streamed))
        for name, is_streamed in (("on the device", False), ("streamed", True))
    ]


def _launches(size: Size) -> list[Planned]:
    """The kernel with other blocks, products and widths."""
    work = size.training("mid", size.runs)._replace(recurrence="kernel")
    wider = work._replace(network=replace(work.network, gru_width=2 * work.network.gru_width))
    variants: Mapping[str, tuple[Training, dict[str, Any]]] = {
        "2 warps": (work, {"warps": 2}),
        "8 warps": (work, {"warps": 8}),
        "32 rows": (work, {"rows": 32, "warps": 8}),
        "tensorfloat32": (work._replace(precision="tensorfloat32"), {}),
        "tensorfloat32, 1 warp": (work._replace(precision="tensorfloat32"), {"warps": 1}),
        "bfloat16": (work._replace(precision="bfloat16"), {"dtype": "bfloat16"}),
        "twice as wide": (wider, {}),
        "twice as wide, loop": (wider._replace(recurrence="loop"), {}),
    }
    return [_layer("launches", name, of, **more) for name, (of, more) in variants.items()]


PARTS: dict[str, CheckPart] = {  # the most important first
    "networks": CheckPart(110, _networks),
    "kernel": CheckPart(60, _kernel),
    "steps": CheckPart(70, _steps),
    "peers": CheckPart(60, _peers),
    "shapes": CheckPart(70, _shapes),
    "precision": CheckPart(60, _precision),
    "where": CheckPart(60, _where),
    "streaming": CheckPart(60, _streaming),
    "launches": CheckPart(40, _launches),
}
