"""The network as one would write it in PyTorch, eager, one after another. Needs the extra [bench].

It trains on the same few batches again and again and scores nothing, which is less work than
privrep's own training does.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy, max_pool1d, relu
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from experiments.benchmark.rounds import Started
from experiments.benchmark.work import CLASSES, PRIVATE_CLASSES, Network, Training, draw_batches


class Reversal(torch.autograd.Function):
    """Forward x; backward -lambda_ times the gradient."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, lambda_: float) -> torch.Tensor:
        ctx.lambda_ = lambda_
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.lambda_ * gradient, None


class PlainTorch(nn.Module):
    """Logits of emotion [B, 3] and gender [B, 2] from frames [B, T, F].

    `packed` hands the GRU a packed sequence, which leaves padded steps out.
    """

    def __init__(self, network: Network, packed: bool = False) -> None:
        super().__init__()
        self.network, self.packed = network, packed
        sizes = [network.bands] + [network.num_kernels] * network.conv_layers
        self.convolutions = nn.ModuleList(
            nn.Conv1d(size, network.num_kernels, network.kernel_width, padding="same")
            for size in sizes[:-1]
        )
        self.gru = nn.GRU(sizes[-1], network.gru_width, network.gru_layers, batch_first=True)
        self.dense = nn.Linear(network.gru_width, network.dense_width)
        self.emotion = nn.Linear(network.dense_width, CLASSES)
        self.gender = nn.Linear(network.dense_width, PRIVATE_CLASSES)

    def forward(
        self, x: torch.Tensor, length: torch.Tensor, lambda_: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        mask = (torch.arange(x.shape[1])[None] < length[:, None]).to(x.dtype)
        x = x.transpose(1, 2)
        for i, convolution in enumerate(self.convolutions):
            x = relu(convolution(x)) * mask[:, None]
            if self.network.conv_pool > 1 and i < self.network.conv_layers - 1:
                x = max_pool1d(x, 2, ceil_mode=True)
                mask = mask[:, ::2]
        states = self._states(x.transpose(1, 2), mask.sum(1))
        h = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        h = relu(self.dense(h))
        return self.emotion(h), self.gender(Reversal.apply(h, lambda_))

    def _states(self, x: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        if not self.packed:
            return self.gru(x)[0]
        rows = pack_padded_sequence(x, length.long(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.gru(rows)[0], batch_first=True, total_length=x.shape[1])[0]


def loss(net: nn.Module, batch: Sequence[torch.Tensor], lambda_: float) -> torch.Tensor:
    """The mean cross-entropy of emotion plus that of gender, which is minimised."""
    x, length, emotion, gender = batch
    logits = net(x, length, lambda_)
    return cross_entropy(logits[0], emotion.long()) + cross_entropy(logits[1], gender.long())


def one_by_one(work: Training, packed: bool = False) -> Started:
    """A round is `steps` steps of one network, each batch padded to its own longest."""
    drawn = draw_batches(work, work.steps, room=0)
    batches = [[torch.from_numpy(array) for array in batch] for batch in drawn]
    net = PlainTorch(work.network, packed)
    adam = torch.optim.Adam(net.parameters(), 1e-3)

    def run_round() -> dict[str, float]:
        for batch in batches:
            adam.zero_grad(set_to_none=True)
            loss(net, batch, 0.5).backward()
            adam.step()
        return {}

    return Started(work.steps, run_round)
