"""Many networks as one, by hand, as an expert would write it in PyTorch. Needs the extra [bench].

    python -m experiments.benchmark.contestants.stacked_torch NAME JSON   (by experiments.benchmark)

Grouped convolutions, the GRU's input projection of all frames at once, and its recurrence as a loop
of batched matrix products over `unbind`, which autograd goes back through.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.functional import conv1d, cross_entropy, max_pool1d, relu

from experiments.benchmark.contestants.plain_torch import Plain, Reversal
from experiments.benchmark.rounds import serve
from experiments.benchmark.work import Network, draw_batches, draw_lengths, padded_facts


class Stacked(nn.Module):
    """The networks `nets` [M]: logits [M, B, 3] and [M, B, 2] of a batch for each."""

    def __init__(self, nets: Sequence[Plain]):
        super().__init__()
        self.network, self.count = nets[0].network, len(nets)
        width = self.network.gru_width

        def parameter(of):
            return nn.Parameter(torch.stack([of(net).detach() for net in nets]))

        def dense(name):
            kernel = parameter(lambda net: getattr(net, name).weight.T)
            return nn.ParameterList([kernel, parameter(lambda net: getattr(net, name).bias[None])])

        def gru(i):
            def of(net, name):
                return getattr(net.gru, f"{name}_l{i}")

            def bias(net):  # only the new state's inner bias stands apart
                inner = of(net, "bias_hh").clone().detach()
                inner[2 * width :] = 0
                return (of(net, "bias_ih") + inner)[None]

            return nn.ParameterList(
                [
                    parameter(lambda net: of(net, "weight_ih").T),
                    parameter(bias),
                    parameter(lambda net: of(net, "weight_hh").T),
                    parameter(lambda net: of(net, "bias_hh")[None, 2 * width :]),
                ]
            )

        self.kernels, self.biases = nn.ParameterList(), nn.ParameterList()
        for i in range(self.network.conv_layers):
            kernel = parameter(lambda net, i=i: net.convolutions[i].weight)
            self.kernels.append(nn.Parameter(kernel.detach().flatten(0, 1)))
            bias = parameter(lambda net, i=i: net.convolutions[i].bias)
            self.biases.append(nn.Parameter(bias.detach().flatten()))
        self.gru = nn.ModuleList(gru(i) for i in range(self.network.gru_layers))
        self.dense, self.emotion, self.gender = dense("dense"), dense("emotion"), dense("gender")

    def forward(self, x, length, lambda_):
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


def _dense(x, layer):
    kernel, bias = layer
    return torch.baddbmm(bias, x, kernel)


def _gru(x, kernel, bias, recurrent, inner):
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


def losses(net: Stacked, batch, lambda_: float) -> torch.Tensor:
    """[M], of each network what `plain_torch.loss` is of one."""
    x, length, *labels = batch
    both = zip(net(x, length, lambda_), labels)
    return sum(
        cross_entropy(logits.transpose(1, 2), codes.long(), reduction="none").mean(1)
        for logits, codes in both
    )


def stack_batches(batches: Sequence[tuple]) -> list[torch.Tensor]:
    """Batches of `draw_batches`, of one length, as `Stacked` takes them."""
    x, *rest = (np.stack(column) for column in zip(*batches))  # x [M, B, T, F]
    count, size, time, bands = x.shape
    x = np.ascontiguousarray(x.transpose(1, 0, 3, 2)).reshape(size, count * bands, time)
    return [torch.from_numpy(array) for array in (x, *rest)]


def stacked(network: dict, runs: int, batch: int, frames: int, steps: int):
    """A round is `steps` steps of `runs` networks, each on its own batch."""
    room = int(draw_lengths(frames, runs * batch).max())
    drawn = draw_batches(Network(**network), batch, frames, runs, room)
    batches = stack_batches(drawn)
    net = Stacked([Plain(Network(**network)) for _ in range(runs)])
    adam = torch.optim.Adam(net.parameters(), 1e-3)

    def once() -> dict[str, float]:
        for _ in range(steps):
            adam.zero_grad(set_to_none=True)
            losses(net, batches, 0.5).sum().backward()
            adam.step()
        return {}

    facts = padded_facts(drawn) | {"threads": torch.get_num_threads()}
    return facts | {"units": runs * steps}, once


if __name__ == "__main__":
    serve({"stacked": stacked})
