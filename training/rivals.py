"""How label and Grad-CAM are had elsewhere: Keras with a gradient tape, and pytorch-grad-cam; for `realtime.timing`.

Both run the network of ``training.model`` at the size and with the classes of the model they are compared with. Its
weights are random: they do not change how long anything takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from realtime.timing import Way
from realtime.ways import frames_of


def rival_ways(size: int, classes: int) -> list[Way]:
    """Those that can be tried; a package that is missing shows when its way starts."""
    return [
        Way("Keras predict, then GradientTape", _gradient_tape, (size, classes)),
        Way("pytorch-grad-cam", _pytorch_grad_cam, (size, classes)),
    ]


def _gradient_tape(size: int, classes: int) -> Callable[[], object]:
    """As notebooks have it: ``predict`` for the label, then the model once more under a tape for the map."""
    from training.backend import load_backend

    load_backend()
    import keras
    import tensorflow as tf

    from training.model import build_model

    model = build_model(classes, size)
    both = keras.Model(model.input, [model.get_layer("block5_conv3").output, model.output])
    frame = frames_of(size, 1).astype(np.float32)

    def job() -> Any:
        best = int(model.predict(frame, verbose=0)[0].argmax())
        with tf.GradientTape() as tape:
            activations, logits = both(frame)
            chosen = logits[:, best]
        weights = tf.reduce_mean(tape.gradient(chosen, activations), axis=(1, 2), keepdims=True)
        return best, tf.nn.relu(tf.reduce_sum(weights * activations, axis=-1)).numpy()

    return job


def _pytorch_grad_cam(size: int, classes: int) -> Callable[[], object]:
    import torch
    from pytorch_grad_cam import GradCAM
    from torch import nn

    from training.model import BLOCKS

    layers: list[Any] = []
    channels = 3
    for _, count, filters in BLOCKS:
        for _ in range(count):
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    explained = layers[-2]  # block5_conv3, behind its ReLU
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 256), nn.ReLU(), nn.Linear(256, classes)]
    model = nn.Sequential(*layers, *head).eval()
    frame = torch.from_numpy(frames_of(size, 1).astype(np.float32).transpose(0, 3, 1, 2) / 255.0)
    cam = GradCAM(model=model, target_layers=[explained])

    def job() -> Any:
        maps = cam(input_tensor=frame, targets=None)  # the most probable class, in one go
        return int(cam.outputs.argmax()), maps

    return job
