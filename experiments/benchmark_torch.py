"""The network as one would write it in PyTorch, eager, one after another. Needs the extra [bench].

    python -m experiments.benchmark_torch NAME JSON      (started by experiments.benchmark)

It trains on the same few batches again and again and scores nothing, which is less than this
project's own training does.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, max_pool1d, relu

from experiments.benchmark_rounds import serve
from experiments.benchmark_work import CLASSES, PRIVATE_CLASSES, Network, draw_batches


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, lambda_):
        ctx.lambda_ = lambda_
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.lambda_ * gradient, None


class Plain(nn.Module):
    """Logits of emotion [B, 3] and gender [B, 2] from frames [B, T, F]."""

    def __init__(self, network: Network):
        super().__init__()
        self.network = network
        sizes = [network.bands] + [network.num_kernels] * network.conv_layers
        self.convolutions = nn.ModuleList(
            nn.Conv1d(size, network.num_kernels, network.kernel_width, padding="same")
            for size in sizes[:-1]
        )
        self.gru = nn.GRU(sizes[-1], network.gru_width, network.gru_layers, batch_first=True)
        self.dense = nn.Linear(network.gru_width, network.dense_width)
        self.emotion = nn.Linear(network.dense_width, CLASSES)
        self.gender = nn.Linear(network.dense_width, PRIVATE_CLASSES)

    def forward(self, x, length, lambda_):
        mask = (torch.arange(x.shape[1])[None] < length[:, None]).to(x.dtype)
        x = x.transpose(1, 2)
        for i, convolution in enumerate(self.convolutions):
            x = relu(convolution(x)) * mask[:, None]
            if self.network.conv_pool > 1 and i < self.network.conv_layers - 1:
                x = max_pool1d(x, 2)
                mask = mask[:, ::2][:, : x.shape[2]]
        states, _ = self.gru(x.transpose(1, 2))
        h = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        h = relu(self.dense(h))
        return self.emotion(h), self.gender(_Reversal.apply(h, lambda_))


def one_by_one(network: dict, runs: int, batch: int, frames: int, steps: int):
    """A round is `steps` steps of one network, each batch padded to its own longest."""
    del runs
    drawn = draw_batches(Network(**network), batch, frames, steps, room=0)
    batches = [[torch.from_numpy(array) for array in one] for one in drawn]
    net = Plain(Network(**network))
    adam = torch.optim.Adam(net.parameters(), 1e-3)

    def once() -> dict[str, float]:
        for x, length, emotion, gender in batches:
            adam.zero_grad(set_to_none=True)
            logits = net(x, length, 0.5)
            loss = cross_entropy(logits[0], emotion.long()) + cross_entropy(
                logits[1], gender.long()
            )
            loss.backward()
            adam.step()
        return {}

    useful = sum(int(length.sum()) for _, length, *_ in batches)
    computed = sum(x.shape[0] * x.shape[1] for x, *_ in batches)
    facts = {"units": steps, "computed_per_useful": computed / useful}
    return facts | {"useful_frames": useful / (steps * batch)}, once


if __name__ == "__main__":
    serve({"one_by_one": one_by_one})
