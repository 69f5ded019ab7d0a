"""The emotion network: encoders, the representation h, the emotion head, the adversaries.

The network contains no gradient reversal and no loss: the defence (`unlearning/defences.py`)
decides how the gradient of an adversary changes the encoders.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core import FrozenDict

from privrep.networks.encoders import MLP
from privrep.types import Utterances

PLACEMENTS = ("joint", "modality", "acoustic", "lexical")
INPUTS = ("plain", "standardised")  # of an adversary
GIVEN = ("none", "emotion")  # further input of an adversary, in addition to its view
JOINT = "joint"


class EmotionNet(nn.Module):
    """Encoders of one or two modalities with an emotion head and adversaries.

    Attributes:
      encoders: {modality: encoder}; their outputs are concatenated in the order of their names.
        Frozen, as `private` is, so that a network is hashable and can be compiled in.
      num_classes: of the emotion task; 1 for the single output of a regression.
      private: {attribute: number of classes} of the attributes that adversaries predict.
      head_layers: of the emotion head: 1 is linear; of 2 the first is hidden.
      head_width: units of the hidden layer.
      head_dropout: the probability that a hidden unit is dropped in training.
      placement: "joint" for one adversary per attribute on h; "modality" for one on the part of h
        of each modality; the name of a modality for one on its part. One value for all attributes,
        or {attribute: placement}.
      adversary_layers: numbers of hidden layers; there is an adversary of each depth.
      adversary_width: units of a hidden layer.
      num_adversaries: the number of adversaries of each depth, with different initial parameters.
        All adversaries of a view and an attribute together are the m of the logits [B, m, C].
      adversary_input: "plain", or "standardised" for views standardised by their moments (`Units`).
      further: {task: number of classes} of tasks that heads of their own learn besides emotion:
        what a head asks for, h keeps.
      adversary_given: "emotion" for adversaries that also read the true emotion, so that they learn
        what a view reveals beyond it; or "none".
    """

    encoders: FrozenDict[str, nn.Module]
    num_classes: int
    private: FrozenDict[str, int]
    head_layers: int = 1
    head_width: int = 64
    head_dropout: float = 0.0
    placement: str | FrozenDict[str, str] = JOINT
    adversary_layers: tuple[int, ...] = (1,)
    adversary_width: int = 64
    num_adversaries: int = 1
    adversary_input: str = "plain"
    adversary_given: str = "none"
    further: FrozenDict[str, int] = FrozenDict()

    @property
    def is_regression(self) -> bool:
        """Whether the emotion head predicts a rating; a task of classes has two at least."""
        return self.num_classes == 1

    def setup(self) -> None:
        hidden = self.head_layers - 1, self.head_width, self.head_dropout
        self.emotion_head: nn.Dense | DeepHead = (
            DeepHead(self.num_classes, *hidden) if hidden[0] else nn.Dense(self.num_classes)
        )
        self.further_heads = {task: nn.Dense(size) for task, size in self.further.items()}
        self.adversaries = {
            attribute: {
                name: Adversary(size, depth, self.adversary_width)
                for view in self.views(attribute)
                for name, depth in zip(self._names(view), self._depths())
            }
            for attribute, size in self.private.items()
        }
        if self.adversary_input == "standardised" and self.private:
            self.units = {view: Units() for view in self.views()}

    def _depths(self) -> tuple[int, ...]:
        return self.adversary_layers * self.num_adversaries

    def _names(self, view: str) -> list[str]:
        """The names of the adversaries of a view."""
        count = len(self._depths())
        return [f"{view}_{i}" for i in range(count)] if count > 1 else [view]

    def numbered(self) -> dict[str, int]:
        """{name of its parameters: its number among the m of its view}, of every adversary."""
        return {
            f"adversaries_{attribute}_{name}": i
            for attribute in self.private
            for view in self.views(attribute)
            for i, name in enumerate(self._names(view))
        }

    def views(self, attribute: str | None = None) -> tuple[str, ...]:
        """The views of h that the adversaries of one attribute read, or of all attributes."""
        if attribute is None:
            return tuple(sorted({view for a in self.private for view in self.views(a)}))
        place = self.placement if isinstance(self.placement, str) else self.placement[attribute]
        return tuple(sorted(self.encoders)) if place == "modality" else (place,)

    def encode(self, utterances: Utterances, train: bool = False) -> dict[str, jax.Array]:
        """{modality: [B, D of the modality], "joint": h, [B, D]}, h their concatenation."""
        views = {
            name: encoder(utterances, train) for name, encoder in sorted(self.encoders.items())
        }
        return views | {JOINT: jnp.concatenate(list(views.values()), -1)}

    def emotion(self, h: jax.Array, train: bool = False) -> jax.Array:
        """[B, D] -> logits [B, C], or of a regression the predictions [B, 1]."""
        head = self.emotion_head
        return head(h, train) if isinstance(head, DeepHead) else head(h)

    def further_tasks(self, h: jax.Array) -> dict[str, jax.Array]:
        """[B, D] -> {task: logits [B, C]} of the tasks of `further`."""
        return {task: head(h) for task, head in self.further_heads.items()}

    def adversary(
        self, attribute: str, views: Mapping[str, jax.Array], task: jax.Array
    ) -> dict[str, jax.Array]:
        """{view: logits [B, m, classes of the attribute]}, for each view in `views(attribute)`.

        Args:
          task: int32[B], the true emotion, -1 unknown; read with `adversary_given="emotion"`.
        """
        logits = {}
        for view in self.views(attribute):
            x = views[view]
            if self.adversary_input == "standardised":
                x = self.units[view](x)
            if self.adversary_given == "emotion":
                x = jnp.concatenate([x, jax.nn.one_hot(task, self.num_classes)], -1)
            heads = [self.adversaries[attribute][name] for name in self._names(view)]
            logits[view] = jnp.stack([head(x) for head in heads], 1)
        return logits

    def __call__(self, utterances: Utterances) -> tuple[jax.Array, dict[str, dict]]:
        """Computes every output once, for `init` to create the parameters."""
        views = self.encode(utterances)
        emotion = self.emotion(views[JOINT])
        self.further_tasks(views[JOINT])
        task = emotion.argmax(-1)  # its values do not matter
        return emotion, {a: self.adversary(a, views, task) for a in self.private}


def adversary_of(net: EmotionNet, params: Mapping, task: jax.Array) -> Callable:
    """The function adversary(attribute, views, frozen=False) -> {view: logits [B, m, classes]}.

    No gradient reaches the parameters of a frozen adversary; the gradient of the views is the same.
    """

    def adversary(attribute: str, views: Mapping[str, jax.Array], frozen: bool = False) -> Any:
        used = jax.lax.stop_gradient(params) if frozen else params
        return net.apply({"params": used}, attribute, views, task, method="adversary")

    return adversary


class Units(nn.Module):
    """(view - mean) / deviation, with moments that are parameters without a gradient.

    `unlearning/adversaries.py` sets them to the moments of the latest training views. Validation
    uses the same ones, so that the logits of an utterance do not depend on the others of its
    batch; the objective takes those of its batch in their place. [B, D] -> [B, D].
    """

    @nn.compact
    def __call__(self, view: jax.Array) -> jax.Array:
        mean = self.param("mean", nn.initializers.zeros, view.shape[-1:], jnp.float32)
        deviation = self.param("deviation", nn.initializers.ones, view.shape[-1:], jnp.float32)
        mean, deviation = jax.lax.stop_gradient((mean, deviation))
        return (view - mean[None]) / deviation[None]


class DeepHead(nn.Module):
    """An emotion head with hidden layers: ReLU and dropout after each. [B, D] -> [B, C].

    Its parameters have other names than those of the linear head, so that nobody takes the kernel
    of its last layer, which reads hidden units, for one that reads h.
    """

    num_classes: int
    num_hidden: int
    width: int
    dropout: float = 0.0

    @nn.compact
    def __call__(self, h: jax.Array, train: bool) -> jax.Array:
        hidden = MLP(self.num_hidden, self.width, dropout=self.dropout)(h, train)
        return nn.Dense(self.num_classes)(hidden)


class Adversary(nn.Module):
    """A dense network that predicts a private attribute during training. [B, D] -> [B, C]."""

    num_classes: int
    num_layers: int
    width: int

    @nn.compact
    def __call__(self, h: jax.Array) -> jax.Array:
        return nn.Dense(self.num_classes)(MLP(self.num_layers, self.width)(h, train=False))
