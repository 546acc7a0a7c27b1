"""The network: VGG16 with a small head, flat, with its preprocessing inside, for any Keras backend."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

# name of the block, number of its convolutions, their filters
BLOCKS = (("block1", 2, 64), ("block2", 2, 128), ("block3", 3, 256), ("block4", 3, 512), ("block5", 3, 512))
CONVOLUTIONS = tuple(f"{block}_conv{i + 1}" for block, count, _ in BLOCKS for i in range(count))
MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet, as the published VGG16 weights expect it
# Random first kernels are scaled down, so that activations have the size that the published weights give: tens.
_FIRST_SCALE = 1 / 32
WIDTHS = tuple(filters for _, count, filters in BLOCKS for _ in range(count))
_CHANNELS = "channels_last"  # said to every layer: a user's keras.json may hold the other order


def build_model(
    classes: int,
    image_size: int,
    *,
    dense_units: int = 256,
    dropout: float = 0.5,
    seed: int = 0,
    widths: Sequence[int] = WIDTHS,
) -> keras.Model:
    """float32 [N, S, S, 3] RGB 0..255 -> float32 [N, classes] logits, with random weights drawn from ``seed``.

    widths: the filters of the 13 convolutions, fewer than VGG16's in a network of ``reeflens slim``.
    The preprocessing is part of the model and made of built-in parts only, so the saved file loads in safe mode.
    """
    rgb = keras.Input((image_size, image_size, 3), name="rgb", dtype="float32")
    x = keras.ops.flip(rgb, axis=-1)
    x = layers.Rescaling(1.0, offset=[-mean for mean in MEAN_BGR], name="minus_mean")(x)
    number = 0
    for block, count, _ in BLOCKS:
        for i in range(count):
            scale = 2.0 * _FIRST_SCALE**2 if number == 0 else 2.0
            x = layers.Conv2D(
                widths[number],
                3,
                padding="same",
                activation="relu",
                data_format=_CHANNELS,
                # He: keeps the size of activations through thirteen ReLUs, which Keras' default would shrink
                kernel_initializer=keras.initializers.VarianceScaling(scale, "fan_in", seed=seed + number),
                name=f"{block}_conv{i + 1}",
            )(x)
            number += 1
        x = layers.MaxPooling2D(2, data_format=_CHANNELS, name=f"{block}_pool")(x)
    x = layers.GlobalAveragePooling2D(data_format=_CHANNELS, name="gap")(x)
    x = layers.Dense(
        dense_units, activation="relu", kernel_initializer=keras.initializers.HeNormal(seed=seed + 101), name="hidden"
    )(x)
    x = layers.Dropout(dropout, seed=seed, name="dropout")(x)
    logits = layers.Dense(
        classes, kernel_initializer=keras.initializers.GlorotUniform(seed=seed + 102), dtype="float32", name="logits"
    )(x)
    return keras.Model(rgb, logits, name="reeflens")


def layer_before(unfreeze: str) -> str:
    """The layer whose output is the last that never changes when ``unfreeze`` is the first block trained."""
    names = [block for block, _, _ in BLOCKS]
    if unfreeze == "none":
        return "gap"
    position = names.index(unfreeze)
    return f"{names[position - 1]}_pool" if position else "minus_mean"


def centred(pictures: np.ndarray) -> np.ndarray:
    """What the layer "minus_mean" says of RGB pictures [N, S, S, 3], float32."""
    return pictures[..., ::-1].astype(np.float32) - np.array(MEAN_BGR, np.float32)


def build_trunk(model: keras.Model, cuts: tuple[str, ...], *, mixed_precision: bool = False) -> keras.Model:
    """The part of ``model`` up to each of the named layers, sharing its weights; one output per cut.

    mixed_precision: its convolutions compute in bfloat16; it then is a copy with weights of its own, in float32.
    """
    if not mixed_precision:
        return keras.Model(model.input, [model.get_layer(cut).output for cut in cuts], name="trunk")
    names = [layer.name for layer in model.layers]
    first, last = names.index("minus_mean"), max(names.index(cut) for cut in cuts)
    outputs = {"minus_mean": model.get_layer("minus_mean").output}
    for layer in model.layers[first + 1 : last + 1]:
        copy = _copy(layer, mixed_precision=layer.name != "gap")
        outputs[layer.name] = copy(outputs[names[names.index(layer.name) - 1]])
    trunk = keras.Model(model.input, [outputs[cut] for cut in cuts], name="trunk")
    copy_weights(model, trunk)
    return trunk


def build_tail(
    model: keras.Model, cut: str, *, learns: str | None = None, mixed_precision: bool = False
) -> keras.Model:
    """A copy of everything in ``model`` after the layer ``cut``, with weights of its own.

    learns: all of it is trainable, or with this only what stands behind that layer. mixed_precision: it computes in
    bfloat16, with weights and logits in float32; not float16, whose range VGG16's activations may leave.
    """
    names = [layer.name for layer in model.layers]
    features = keras.Input(model.get_layer(cut).output.shape[1:], name="features", dtype="float32")
    x = features
    for layer in model.layers[names.index(cut) + 1 :]:
        copy = _copy(layer, mixed_precision=mixed_precision and layer.name != "logits")
        copy.trainable = learns is None or names.index(layer.name) > names.index(learns)
        x = copy(x)
    tail = keras.Model(features, x, name=f"after_{cut}")
    copy_weights(model, tail)
    return tail


def _copy(layer: keras.layers.Layer, *, mixed_precision: bool) -> keras.layers.Layer:
    """Its like, with new weights."""
    config = layer.get_config()
    if mixed_precision:
        config["dtype"] = "mixed_bfloat16"
    return layer.__class__.from_config(config)


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copies the weights of every layer that both models have under the same name."""
    wanted = {layer.name: layer for layer in target.layers}
    for layer in source.layers:
        if layer.name in wanted and layer.weights:
            wanted[layer.name].set_weights(layer.get_weights())


def predict(model: keras.Model, inputs: np.ndarray, batch_size: int) -> np.ndarray:
    """The single output of ``model`` for all rows of ``inputs`` (any dtype), float32."""
    parts = [
        keras.ops.convert_to_numpy(model.predict_on_batch(inputs[i : i + batch_size].astype(np.float32)))
        for i in range(0, len(inputs), batch_size)
    ]
    return np.concatenate(parts).astype(np.float32)


def observe(tail: keras.Model, inputs: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """The averages of the last block [N, K] and the logits [N, classes] for all rows of ``inputs``, float32.

    tail: of ``build_tail``, or the whole network; when it starts at "gap" its inputs are the averages.
    """
    if all(layer.name != "gap" for layer in tail.layers):
        return inputs.astype(np.float32), predict(tail, inputs, batch_size)
    both = keras.Model(tail.input, [tail.get_layer("gap").output, tail.output], name="observed")
    parts = [
        [keras.ops.convert_to_numpy(found) for found in both.predict_on_batch(rows.astype(np.float32))]
        for rows in (inputs[i : i + batch_size] for i in range(0, len(inputs), batch_size))
    ]
    averages, logits = (np.concatenate(part).astype(np.float32) for part in zip(*parts, strict=True))
    return averages, logits
