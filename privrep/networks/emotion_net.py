"""The emotion network: encoders, the representation h, the emotion head, the adversaries.

The network knows no reversal and no loss: what an adversary's gradient does to the encoders is the
defence's business (`defences.py`).
"""

from collections.abc import Callable, Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core import FrozenDict

from privrep.networks.encoders import MLP
from privrep.types import Utterances

PLACEMENTS = ("joint", "modality", "acoustic", "lexical")
INPUTS = ("plain", "standardised")  # of an adversary
GIVEN = ("none", "emotion")  # what an adversary knows beside its view
JOINT = "joint"


class EmotionNet(nn.Module):
    """Encoders of one or two modalities with an emotion head and adversaries.

    Attributes:
      encoders: {modality: encoder}, joined in the order of their names. Frozen, as `private` is, so
        that a network can be hashed and compiled in.
      num_classes: of the emotion task.
      private: {attribute: number of classes}, an adversary for each.
      placement: "joint", one adversary per attribute on h; "modality", one on each modality's part;
        a modality, on its part. Of all attributes, or {attribute: placement}.
      adversary_layers, adversary_width: hidden layers; an adversary of each depth named.
      num_adversaries: so many of each depth, from different starts. Together they are the m that
        read the same view for the same attribute.
      adversary_input: "plain", or "standardised": a view in units of its moments (`Units`).
      adversary_given: "emotion": an adversary is told the true emotion, so that it learns what a
        view gives away beyond it.
    """

    encoders: FrozenDict[str, nn.Module]
    num_classes: int
    private: FrozenDict[str, int]
    placement: str | FrozenDict[str, str] = JOINT
    adversary_layers: tuple[int, ...] = (1,)
    adversary_width: int = 64
    num_adversaries: int = 1
    adversary_input: str = "plain"
    adversary_given: str = "none"

    def setup(self):
        self.emotion_head = nn.Dense(self.num_classes)
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

    def _depths(self):
        return self.adversary_layers * self.num_adversaries

    def _names(self, view):
        count = len(self._depths())
        return [f"{view}_{i}" for i in range(count)] if count > 1 else [view]

    def numbered(self) -> dict[str, int]:
        """{name of its parameters: which of the m of its view}, of every adversary."""
        return {
            f"adversaries_{attribute}_{name}": i
            for attribute in self.private
            for view in self.views(attribute)
            for i, name in enumerate(self._names(view))
        }

    def views(self, attribute: str | None = None) -> tuple[str, ...]:
        """The views of h that adversaries read, of one attribute or of all."""
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

    def emotion(self, h: jax.Array) -> jax.Array:
        """[B, D] -> logits [B, C]."""
        return self.emotion_head(h)

    def adversary(
        self, attribute: str, views: Mapping[str, jax.Array], task: jax.Array
    ) -> dict[str, jax.Array]:
        """{view: logits [B, m, classes of the attribute]}, for each view in `views(attribute)`.

        Args:
          task: int32[B], the true emotion, -1 unknown; looked at by adversaries that are told it.
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

    def __call__(self, utterances: Utterances):
        """Every output once: what `init` runs to make the parameters."""
        views = self.encode(utterances)
        emotion = self.emotion(views[JOINT])
        task = emotion.argmax(-1)  # any will do
        return emotion, {a: self.adversary(a, views, task) for a in self.private}


def adversary_of(net: EmotionNet, params: Mapping, task: jax.Array) -> Callable:
    """adversary(attribute, views, frozen=False) -> {view: logits [B, m, classes]}.

    Of frozen ones no gradient reaches the parameters, and the views' gradient is the same.
    """

    def adversary(attribute: str, views: Mapping[str, jax.Array], frozen: bool = False):
        used = jax.lax.stop_gradient(params) if frozen else params
        return net.apply({"params": used}, attribute, views, task, method="adversary")

    return adversary


class Units(nn.Module):
    """(view - mean) / deviation, of moments that are parameters but learn nothing by gradient.

    They are those of the latest views (`adversaries.py`), of training and validation alike, so
    that what an adversary says of an utterance depends on no other. [B, D] -> [B, D].
    """

    @nn.compact
    def __call__(self, view):
        mean = self.param("mean", nn.initializers.zeros, view.shape[-1:])
        deviation = self.param("deviation", nn.initializers.ones, view.shape[-1:])
        mean, deviation = jax.lax.stop_gradient((mean, deviation))
        return (view - mean[None]) / deviation[None]


class Adversary(nn.Module):
    """A dense network that guesses a private attribute during training. [B, D] -> [B, C]."""

    num_classes: int
    num_layers: int
    width: int

    @nn.compact
    def __call__(self, h):
        return nn.Dense(self.num_classes)(MLP(self.num_layers, self.width)(h, train=False))
