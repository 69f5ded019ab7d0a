"""Many networks as one, by hand, as an expert would write it in PyTorch. Needs the extra [bench].

Grouped convolutions, the GRU's input projection of all frames at once, and its recurrence as a loop
of batched matrix products over `unbind`, which autograd goes back through.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.functional import conv1d, cross_entropy, max_pool1d, relu

from experiments.benchmark.contestants.plain_torch import PlainTorch, Reversal
from experiments.benchmark.rounds import Started
from experiments.benchmark.work import Training, draw_batches


class Stacked(nn.Module):
    """The networks `nets` [M]: logits [M, B, 3] and [M, B, 2] of a batch for each."""

    def __init__(self, nets: Sequence[PlainTorch]) -> None:
        super().__init__()
        self.network, self.count = nets[0].network, len(nets)
        width = 2 * self.network.gru_width  # of the two gates

        def stacked_parameter(name: str) -> torch.Tensor:
            return torch.stack([net.get_parameter(name).detach() for net in nets])

        def dense(name: str) -> nn.ParameterList:
            weight, bias = (stacked_parameter(f"{name}.{part}") for part in ("weight", "bias"))
            return nn.ParameterList([weight.transpose(1, 2), bias[:, None]])

        def gru(i: int) -> nn.ParameterList:
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            kernel, recurrent, bias, inner = (stacked_parameter(f"gru.{n}_l{i}") for n in names)
            # Only the inner bias of the new state stands apart from the bias of the input.
            bias = torch.cat([bias[:, :width] + inner[:, :width], bias[:, width:]], 1)
            kernel, recurrent = kernel.transpose(1, 2), recurrent.transpose(1, 2)
            return nn.ParameterList([kernel, bias[:, None], recurrent, inner[:, None, width:]])

        layers = [f"convolutions.{i}" for i in range(self.network.conv_layers)]
        kernels = [stacked_parameter(f"{layer}.weight").flatten(0, 1) for layer in layers]
        self.kernels = nn.ParameterList(kernels)
        biases = [stacked_parameter(f"{layer}.bias").flatten() for layer in layers]
        self.biases = nn.ParameterList(biases)
        self.gru = nn.ModuleList(gru(i) for i in range(self.network.gru_layers))
        self.dense, self.emotion, self.gender = map(dense, ("dense", "emotion", "gender"))

    def forward(
        self, x: torch.Tensor, length: torch.Tensor, lambda_: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """x float[B, M * F, T], length int[M, B]."""
        size = len(x)
        mask = (torch.arange(x.shape[-1])[None, None] < length[..., None]).to(x.dtype)
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases)):
            x = relu(conv1d(x, kernel, bias, padding="same", groups=self.count))
            x = x.view(size, self.count, -1, x.shape[-1]) * mask.transpose(0, 1)[:, :, None]
            x = x.flatten(1, 2)
            if self.network.conv_pool > 1 and i < self.network.conv_layers - 1:
                x = max_pool1d(x, 2, ceil_mode=True)
                mask = mask[..., ::2]
        states = x.view(size, self.count, -1, x.shape[-1]).permute(3, 1, 0, 2)  # [T, M, B, C]
        for layer in self.gru:
            states = _gru(states, *layer)
        weight = mask.permute(2, 0, 1)[..., None]
        h = (states * weight).sum(0) / weight.sum(0).clamp(min=1)
        h = relu(_dense(h, self.dense))
        return _dense(h, self.emotion), _dense(Reversal.apply(h, lambda_), self.gender)


def _dense(x: torch.Tensor, layer: nn.ParameterList) -> torch.Tensor:
    kernel, bias = layer
    return torch.baddbmm(bias, x, kernel)


def _gru(
    x: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor,
    recurrent: torch.Tensor,
    inner: torch.Tensor,
) -> torch.Tensor:
    """[T, M, B, C] -> [T, M, B, H]."""
    time, count, size, _ = x.shape
    width = inner.shape[-1]
    rows = x.transpose(0, 1).reshape(count, time * size, -1)
    gates = torch.baddbmm(bias, rows, kernel).view(count, time, size, -1).transpose(0, 1)
    start = torch.cat([inner.new_zeros(count, 1, 2 * width), inner], -1)
    h, states = x.new_zeros(count, size, width), []
    for gate in gates.unbind(0):
        product = torch.baddbmm(start, h, recurrent)
        two, new = gate.split([2 * width, width], -1)
        inner_two, inner_new = product.split([2 * width, width], -1)
        r, z = torch.sigmoid(two + inner_two).chunk(2, -1)
        h = torch.lerp(torch.tanh(torch.addcmul(new, r, inner_new)), h, z)
        states.append(h)
    return torch.stack(states)


def losses(net: Stacked, batch: Sequence[torch.Tensor], lambda_: float) -> torch.Tensor:
    """[M], of each network the `plain_torch.loss`."""
    x, length, emotion, gender = batch
    logits = net(x, length, lambda_)
    emotion_loss, gender_loss = (
        cross_entropy(scores.transpose(1, 2), codes.long(), reduction="none").mean(1)
        for scores, codes in zip(logits, (emotion, gender))
    )
    return emotion_loss + gender_loss


def stack_batches(batches: Sequence[Sequence[np.ndarray]]) -> list[torch.Tensor]:
    """Batches of `draw_batches`, of one length, as `Stacked` takes them."""
    x, *labels = (np.stack(column) for column in zip(*batches))  # x [M, B, T, F]
    count, size, time, bands = x.shape
    x = np.ascontiguousarray(x.transpose(1, 0, 3, 2)).reshape(size, count * bands, time)
    return [torch.from_numpy(array) for array in (x, *labels)]


def stacked(work: Training) -> Started:
    """A round is `steps` steps of `runs` networks, each on its own batch."""
    batches = stack_batches(draw_batches(work, work.runs, work.frames))
    net = Stacked([PlainTorch(work.network) for _ in range(work.runs)])
    adam = torch.optim.Adam(net.parameters(), 1e-3)

    def run_round() -> dict[str, float]:
        for _ in range(work.steps):
            adam.zero_grad(set_to_none=True)
            losses(net, batches, 0.5).sum().backward()
            adam.step()
        return {}

    return Started(work.runs * work.steps, run_round)
