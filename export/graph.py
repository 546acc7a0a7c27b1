"""The deployed arithmetic as one tf.function of forward operators, so that Grad-CAM survives the conversion to ONNX.

Grad-CAM (Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
ICCV 2017) of a class c at a layer with activations A [H, W, K]:

    alpha_k = 1 / (H W) * sum over cells of d y_c / d A_k        (eq. 1; y_c is the logit, before the softmax)
    map     = ReLU(sum over k of alpha_k A_k)                    (eq. 2)

A gradient tape cannot be exported (tf2onnx has no ReluGrad, no MaxPoolGrad), but behind block5_conv3 this network has
only a max-pooling, a global average, Dense(relu) and Dense(C), and there the sum of eq. 1 needs no tape:

- with the averages g, the hidden units h = ReLU(g V + b) and the logits y = h U + d, the chain rule gives
  d y_c / d g_k = sum over j of U[j, c] [h_j > 0] V[k, j]: the class's row of U, masked by the hidden ReLU, times V;
- the average over P pooled cells gives each of them 1 / P of that, and P cells make the sum d y_c / d g_k again;
- max-pooling hands the gradient of each pooled cell whole to one cell of its window. Windows do not overlap, so cells
  change places but their sum does not; a last row or column that no window covers gets zero and adds nothing.

Hence alpha_k = 1 / (H W) * d y_c / d g_k exactly, with H and W of A also where H is odd and pooling drops a row.
Dropout is the identity at inference. ``oracle`` computes the same with a tape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from realtime.contract import ModelContract
from realtime.errors import ContractError, ExportError
from realtime.unknown import TINY, UnknownScore

HEAD = [("GlobalAveragePooling2D", "gap"), ("Dense", "hidden"), ("Dense", "logits")]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A trained model taken apart at the explained layer.

    network: float32 [N, S, S, 3] RGB 0..255 -> activations of the explained layer, float32 [N, G, G, K].
    pool, average: the layers from the activations to g [N, K]. hidden, logits: the Dense layers.
    """

    network: Any
    pool: Any
    average: Any
    hidden: Any
    logits: Any


def take_apart(model: Any, contract: ModelContract) -> Parts:
    """The parts of a run's Keras model.

    Raises ContractError when labels or input size contradict the model, ExportError when the layers behind
    ``contract.cam_layer`` are not those for which the closed form holds.
    """
    import keras

    size = contract.input_size
    if tuple(model.input_shape) != (None, size, size, 3):
        raise ContractError(f"input_size: {size} in contract.json, but model.keras takes {list(model.input_shape)}")
    if tuple(model.output_shape) != (None, len(contract.labels)):
        raise ContractError(
            f"labels: {len(contract.labels)} in contract.json, but model.keras answers {list(model.output_shape)}"
        )
    names = [layer.name for layer in model.layers]
    if contract.cam_layer not in names:
        raise ContractError(f"cam_layer: model.keras has no layer named {contract.cam_layer!r}")
    at = names.index(contract.cam_layer)
    head = [layer for layer in model.layers[at + 1 :] if not isinstance(layer, keras.layers.Dropout)]
    if [(type(layer).__name__, layer.name) for layer in head[1:]] != HEAD or type(head[0]).__name__ != "MaxPooling2D":
        raise ExportError(
            f"behind {contract.cam_layer} expected max-pooling, gap, hidden and logits, found "
            f"{', '.join(layer.name for layer in head) or 'nothing'}; Grad-CAM has no closed form for such a head"
        )
    pool, average, hidden, logits = head
    if (
        tuple(pool.pool_size) != tuple(pool.strides)
        or pool.padding != "valid"
        or hidden.activation is not keras.activations.relu
        or logits.activation is not keras.activations.linear
    ):
        raise ExportError(
            f"behind {contract.cam_layer} expected pooling without overlap or padding, relu in the hidden layer and "
            "linear logits; Grad-CAM has no closed form for another head"
        )
    network = keras.Model(model.input, model.layers[at].output, name="network")
    return Parts(network, pool, average, hidden, logits)


def deployed(parts: Parts, contract: ModelContract, unknown: UnknownScore) -> Any:
    """The tf.function that is exported: (frames, explain) -> its outputs by name, as in ``realtime.contract``.

    frames: uint8 [N, S, S, 3] RGB. explain: int64 [N]; any negative value means the most probable class. A value of C
    or more is the caller's error, which ``realtime.engine`` refuses.
    unknown: the constants of its score; K of theirs and of the averages agree, else ContractError.
    Weights are read as variables inside the function: an eager tensor captured here would become a graph input.
    """
    size, grid = contract.input_size, contract.cam_size
    if unknown.prototypes.shape[1] != parts.average.output.shape[-1]:
        raise ContractError(
            f"unknown.npz: prototypes of {unknown.prototypes.shape[1]} features, but the last block has "
            f"{parts.average.output.shape[-1]}"
        )

    prototypes = np.ascontiguousarray(unknown.prototypes.T)

    def function(frames: tf.Tensor, explain: tf.Tensor) -> dict[str, tf.Tensor]:
        activations = parts.network(tf.cast(frames, tf.float32), training=False)
        averages = parts.average(parts.pool(activations))
        hidden = parts.hidden(averages)
        logits = parts.logits(hidden)
        probabilities = tf.nn.softmax(logits / contract.temperature)
        # tf.argmax, because keras.ops.argmax lowers to Bitcast, which tf2onnx cannot convert.
        explained = tf.where(explain < 0, tf.argmax(logits, axis=-1), explain)
        rows = tf.gather(tf.transpose(parts.logits.kernel), explained)
        # The sign of a ReLU's output is its mask: 1 where the unit is on, 0 where it is off.
        slopes = tf.matmul(rows * tf.sign(hidden), parts.hidden.kernel, transpose_b=True)
        alphas = slopes / (grid * grid * contract.cam_scale)
        # Channels first, as ONNX has them, so that the converter's own transposes cancel; then eq. 2 is one product.
        planes = tf.reshape(tf.transpose(activations, (0, 3, 1, 2)), (-1, activations.shape[-1], grid * grid))
        cam = tf.nn.relu(tf.reshape(tf.matmul(tf.expand_dims(alphas, 1), planes), (-1, grid, grid)))
        # realtime.unknown, in operators that tf2onnx knows (its reduce_logsumexp would need IsFinite).
        top = tf.reduce_max(logits, axis=-1)
        energy = -(top + tf.math.log(tf.reduce_sum(tf.exp(logits - tf.expand_dims(top, -1)), axis=-1)))
        lengths = tf.sqrt(tf.maximum(tf.reduce_sum(averages * averages, axis=-1, keepdims=True), TINY))
        nearest = tf.reduce_max(tf.matmul(averages / lengths, prototypes), axis=-1)
        inner = unknown.energy_weight * energy + unknown.distance_weight * (1.0 - nearest) + unknown.offset
        return {"probabilities": probabilities, "unknown": tf.sigmoid(inner), "cam": cam}

    return tf.function(
        function,
        input_signature=[
            tf.TensorSpec((None, size, size, 3), tf.uint8, name="frames"),
            tf.TensorSpec((None,), tf.int64, name="explain"),
        ],
    )
