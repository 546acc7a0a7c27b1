"""What the exported graph is checked against: the trained model itself, and Grad-CAM by an automatic gradient.

Nothing here knows the closed form of ``graph``: the tape differentiates whatever stands behind the explained layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from realtime.contract import ModelContract
from realtime.unknown import UnknownScore


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What the trained model says of N frames.

    probabilities: float32 [N, C]. unknown: float64 [N], by the plain arithmetic of ``realtime.unknown``.
    cam: float32 [N, G, G], divided by ``cam_scale`` like the exported one.
    kink: bool [N], a hidden unit is so near the corner of its ReLU that rounding decides whether it is on. The
    gradient jumps there, either side of the jump is right, and two maps of such a frame cannot be compared.
    """

    probabilities: NDArray[np.float32]
    unknown: NDArray[np.float64]
    cam: NDArray[np.float32]
    kink: NDArray[np.bool_]


class Oracle:
    """A run's Keras model, asked in float32 and eagerly."""

    # Of the largest pre-activation of the same frame. Two float32 runs of this network differ by some 1e-6 of it.
    NEAR = 1e-5

    def __init__(self, model: Any, contract: ModelContract, unknown: UnknownScore) -> None:
        import keras

        layer = model.get_layer(contract.cam_layer)
        hidden = model.get_layer("hidden")
        self._contract = contract
        self._unknown = unknown
        self._network = keras.Model(model.input, layer.output)
        self._tail = keras.Model(layer.output, [hidden.input, model.output])
        self._hidden = hidden

    def largest_activation(self, frames: NDArray[np.uint8]) -> float:
        """The highest output of any convolution over these frames, uint8 [N, S, S, 3] RGB."""
        import keras

        peaks = [
            keras.ops.max(layer.output) for layer in self._network.layers if isinstance(layer, keras.layers.Conv2D)
        ]
        probe = keras.Model(self._network.input, peaks)
        return max(float(peak) for i in range(len(frames)) for peak in probe(tf.cast(frames[i : i + 1], tf.float32)))

    def ask(self, frames: NDArray[np.uint8], explain: NDArray[np.int64]) -> Truth:
        """frames: uint8 [N, S, S, 3] RGB. explain: int64 [N], a class for every frame."""
        activations = self._network(tf.cast(frames, tf.float32), training=False)
        with tf.GradientTape() as tape:
            tape.watch(activations)
            averages, logits = self._tail(activations, training=False)
            # Frames do not see each other, so the gradient of the sum holds the gradient of each.
            chosen = tf.reduce_sum(tf.gather(logits, explain, axis=1, batch_dims=1))
        alphas = tf.reduce_mean(tape.gradient(chosen, activations), axis=(1, 2), keepdims=True)
        cam = tf.nn.relu(tf.reduce_sum(alphas * activations, axis=-1)) / self._contract.cam_scale
        before = np.abs(tf.matmul(averages, self._hidden.kernel) + self._hidden.bias)
        return Truth(
            probabilities=tf.nn.softmax(logits / self._contract.temperature).numpy(),
            unknown=self._unknown(averages.numpy(), logits.numpy()),
            cam=cam.numpy(),
            # Exactly zero is no matter of rounding: such a unit has no weights.
            kink=((before > 0) & (before < self.NEAR * before.max(axis=1, keepdims=True))).any(axis=1),
        )
