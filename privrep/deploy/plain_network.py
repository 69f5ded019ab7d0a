"""A model of log-Mel frames or words in its plain layers, for batches whose size is left open.

The layers are those that define the fast ones (`networks/kernels/`), so that `jax.export` can write
them for any number of utterances and any length.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from privrep.deploy.description import AcousticInput, Description, LexicalInput
from privrep.networks.emotion_net import EmotionNet
from privrep.networks.encoders import ACTIVATIONS, POOLINGS
from privrep.networks.kernels.convolution import max_pool, plain_convolution
from privrep.networks.kernels.gru import plain_gru
from privrep.unlearning.emotion_subspace import lift
from privrep.unlearning.kept_space import STEP, rounded, send_kept
from privrep.unlearning.person_release import PERSON_RELEASES
from privrep.unlearning.releases import Learned
from privrep.unlearning.stand_ins import number_of

Params = Mapping[str, Any]


def encoded(
    encoders: Mapping[str, Any], params: Params, inputs: Mapping[str, tuple[jax.Array, jax.Array]]
) -> jax.Array:
    """h before release float32[B, D], of modules in `encoders.ENCODERS`.

    Args:
      encoders: {modality: module}.
      params: of the network.
      inputs: {modality: values and lengths}: frames float32[B, T, F], T a multiple of the last
        rate, or word vectors float32[B, L, E], with int32[B].
    """
    views = []
    for modality, encoder in sorted(encoders.items()):
        values, length = inputs[modality]
        of_encoder = params[f"encoders_{modality}"]
        x = values.swapaxes(0, 1)
        if modality == "acoustic":
            x, length = _convolved(encoder, of_encoder, x, length)
        views.append(_to_vector(encoder, of_encoder, x, length))
    return jnp.concatenate(views, -1)


def _mask(length: jax.Array, x: jax.Array) -> jax.Array:
    time = jax.lax.broadcasted_iota(jnp.int32, x.shape[:2], 0)
    return (time < length[None]).astype(x.dtype)[..., None]


def _convolved(
    encoder: Any, params: Params, x: jax.Array, length: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """`kernels/convolution.stack` of x [T, B, F], and the lengths of its output."""
    mask = _mask(length, x)
    x = x * mask
    for i in range(encoder.conv_layers):
        x = plain_convolution(x, params[f"kernel_{i}"]) + params[f"bias_{i}"][None, None]
        x = ACTIVATIONS[encoder.activation](x)
        if encoder.conv_pool > 1 and i + 1 < encoder.conv_layers:
            length = -(-length // encoder.conv_pool)
            halved = _mask(length, x[:: encoder.conv_pool])
            x, mask = max_pool(x, mask, halved), halved
        else:
            x = x * mask
    return x, length


def _to_vector(encoder: Any, params: Params, x: jax.Array, length: jax.Array) -> jax.Array:
    of_gru = params["GRU_0"]
    for i in range(encoder.gru_layers):
        gates = x @ of_gru[f"kernel_{i}"] + of_gru[f"bias_{i}"][None, None]
        x = plain_gru(gates, of_gru[f"recurrent_{i}"], of_gru[f"inner_bias_{i}"])
    time = jax.lax.broadcasted_iota(jnp.int32, x.shape[:2], 0)
    pool = POOLINGS[encoder.pooling]
    h = pool(jnp.zeros(x.shape[1:], x.dtype), x, time, length)
    for i in range(encoder.dense_layers):
        dense = params["MLP_0"][f"Dense_{i}"]
        activation: Callable = ACTIVATIONS[encoder.activation]
        h = activation(h @ dense["kernel"] + dense["bias"][None])
    return h


def sender(
    net: EmotionNet,
    description: Description,
    params: Params,
    learned: Learned,
    constants: Mapping[str, Any],
) -> Callable[[Mapping[str, jax.Array]], jax.Array]:
    """The function of a batch of utterances, {name: array}, to their released h float32[B, D].

    What is factorised is factorised here, so that the function holds plain operations only.

    Args:
      net: of `network.network`.
      learned: by the release.
      constants: the arrays of `model_folder.Model.inputs`.
    """
    classes = description.task.num_outputs
    is_decision = description.release == "decision" and (net.head_layers > 1 or classes > 1)
    lifted, answers, edges = None, None, jnp.zeros(0)
    if net.head_layers == 1 and description.release in ("posterior", "decision"):
        head = params["emotion_head"]
        kernel, bias = jnp.asarray(head["kernel"]), jnp.asarray(head["bias"])
        lifted = lift(jnp.eye(classes), kernel)
        answers = lift(jnp.eye(classes) - bias[None], kernel)
    elif learned.stand_ins is not None:
        answers, edges = map(jnp.asarray, learned.stand_ins)

    def emotion(h: jax.Array) -> jax.Array:
        # The type of `apply` has a second form, with changed variables; here nothing changes.
        return net.apply({"params": params}, h, method="emotion")  # type: ignore[return-value]

    def released(batch: Mapping[str, jax.Array], h: jax.Array) -> jax.Array:
        if "person_mean" in batch:
            h = h - batch["person_mean"]
        if description.release in PERSON_RELEASES:
            person = jax.tree.map(jnp.asarray, learned.person)
            z = h @ person.encode
            if "person_turn" in batch:
                z = jnp.einsum("bi,bij->bj", z, batch["person_turn"])
            h = rounded(z, person.step[None]) @ person.decode
            return h if description.relative else h + person.mean[None]
        if not bool(learned.protects) or description.release == "none":
            return h
        if is_decision:
            assert answers is not None
            return answers[number_of(emotion(h), edges)]
        h = send_kept(h, jax.tree.map(jnp.asarray, learned.space))
        if lifted is None or description.release == "decision":
            return h
        posterior = rounded(jax.nn.softmax(emotion(h)), STEP)
        return (posterior - params["emotion_head"]["bias"][None]) @ lifted

    def send(batch: Mapping[str, jax.Array]) -> jax.Array:
        with jax.default_matmul_precision("float32"):
            inputs = {}
            if description.acoustic is not None:
                inputs["acoustic"] = _frames(description.acoustic, constants, batch)
            if description.lexical is not None:
                words = _words(description.lexical, params, constants, batch)
                inputs["lexical"] = words, batch["num_words"]
            return released(batch, encoded(net.encoders, params, inputs))

    return send


def _frames(
    acoustic: AcousticInput, constants: Mapping[str, Any], batch: Mapping[str, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """The frames that the encoder reads; in float16 between, as in training."""
    x = batch["frames"].astype(jnp.float16)
    if acoustic.normalise == "speaker":
        mean, deviation = batch["frame_mean"][:, None], batch["frame_deviation"][:, None]
        x = ((x.astype(jnp.float32) - mean) / deviation).astype(jnp.float16)
    x = x.astype(jnp.float32)
    if acoustic.normalise == "train":
        x = (x - constants["frame_mean"][None, None]) * constants["frame_scale"][None, None]
    return x, batch["num_frames"]


def _words(
    lexical: LexicalInput,
    params: Params,
    constants: Mapping[str, Any],
    batch: Mapping[str, jax.Array],
) -> jax.Array:
    if lexical.kind == "ready":
        return batch["words"].astype(jnp.float16).astype(jnp.float32)
    is_learned = lexical.kind == "learned"
    table = params["encoders_lexical"]["table"] if is_learned else constants["word_vectors"]
    return jnp.asarray(table)[batch["word_numbers"]]
