"""The emotion network: encoders, the representation h, the emotion head, the adversaries.

The network knows no reversal and no loss: what an adversary's gradient does to the encoders is the
defence's business (`defences.py`).
"""

from collections.abc import Callable, Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core import FrozenDict

from privrep.encoders import MLP
from privrep.utterances import Utterances

PLACEMENTS = ("joint", "modality")
JOINT = "joint"


class EmotionNet(nn.Module):
    """Encoders of one or two modalities with an emotion head and adversaries.

    Attributes:
      encoders: {modality: encoder}, joined in the order of their names. Frozen, as `private` is, so
        that a network can be hashed and compiled in.
      num_classes: of the emotion task.
      private: {attribute: number of classes}, an adversary for each.
      placement: "joint", one adversary per attribute on h; "modality", one on each modality's part.
      adversary_layers, adversary_width: hidden layers of an adversary.
    """

    encoders: FrozenDict[str, nn.Module]
    num_classes: int
    private: FrozenDict[str, int]
    placement: str = JOINT
    adversary_layers: int = 1
    adversary_width: int = 64

    def setup(self):
        self.emotion_head = nn.Dense(self.num_classes)
        self.adversaries = {
            attribute: {view: self._adversary(size) for view in self.views()}
            for attribute, size in self.private.items()
        }

    def _adversary(self, num_classes):
        return Adversary(num_classes, self.adversary_layers, self.adversary_width)

    def views(self) -> tuple[str, ...]:
        """The views of h that adversaries read."""
        return (JOINT,) if self.placement == JOINT else tuple(sorted(self.encoders))

    def encode(self, utterances: Utterances, train: bool = False) -> dict[str, jax.Array]:
        """{modality: [B, D of the modality], "joint": h, [B, D]}, h their concatenation."""
        views = {
            name: encoder(utterances, train) for name, encoder in sorted(self.encoders.items())
        }
        return views | {JOINT: jnp.concatenate(list(views.values()), -1)}

    def emotion(self, h: jax.Array) -> jax.Array:
        """[B, D] -> logits [B, C]."""
        return self.emotion_head(h)

    def adversary(self, attribute: str, views: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """{view: logits [B, classes of the attribute]}, one for each view in `views()`."""
        return {
            view: head(views[view]) for view, head in sorted(self.adversaries[attribute].items())
        }

    def __call__(self, utterances: Utterances):
        """Every output once: what `init` runs to make the parameters."""
        views = self.encode(utterances)
        adversaries = {attribute: self.adversary(attribute, views) for attribute in self.private}
        return self.emotion(views[JOINT]), adversaries


def adversary_of(net: EmotionNet, params: Mapping) -> Callable:
    """adversary(attribute, views, frozen=False) -> {view: logits [B, classes of the attribute]}.

    Of a frozen one no gradient reaches its parameters, and the views' gradient is the same.
    """

    def adversary(attribute: str, views: Mapping[str, jax.Array], frozen: bool = False):
        used = jax.lax.stop_gradient(params) if frozen else params
        return net.apply({"params": used}, attribute, views, method="adversary")

    return adversary


class Adversary(nn.Module):
    """A dense network that guesses a private attribute during training. [B, D] -> [B, C]."""

    num_classes: int
    num_layers: int
    width: int

    @nn.compact
    def __call__(self, h):
        return nn.Dense(self.num_classes)(MLP(self.num_layers, self.width)(h, train=False))
