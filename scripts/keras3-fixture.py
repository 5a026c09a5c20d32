"""Writes test/golden/weights/keras3.weights.h5 and what it holds (keras3.json): a small model saved by Keras 3 itself.

    KERAS_BACKEND=numpy python scripts/keras3-fixture.py    # keras 3.15.1 with the numpy backend (scipy, jax)
"""
import json
from pathlib import Path

import keras
import numpy as np

folder = Path(__file__).parent.parent / "test" / "golden" / "weights"
layers = keras.layers
image = keras.Input((16, 16, 3))
x = layers.Conv2D(4, 3, name="conv1")(image)
x = layers.BatchNormalization(name="conv1_bn")(x)
x = layers.ReLU(name="conv1_relu")(x)
x = layers.DepthwiseConv2D(3, use_bias=False, name="conv_dw_1")(x)
x = layers.Conv2D(2, 1, use_bias=False, name="conv_pw_1")(x)
x = layers.GlobalAveragePooling2D(name="pool")(x)
inner = keras.Model(image, x, name="trunk")  # as a layer of the next: groups in groups
x = layers.Dense(3, name="predictions")(inner(image))
model = keras.Model(image, x)
random = np.random.default_rng(5)
model.set_weights([random.normal(size=value.shape).astype("f4") for value in model.get_weights()])
model.save_weights(folder / "keras3.weights.h5")
held = {
    f"{layer.name}/{variable.name}": {
        "shape": list(variable.shape),
        "data": np.asarray(variable.value).ravel().tolist(),
    }
    for layer in [*inner.layers, model.layers[-1]]
    for variable in layer.weights
}
(folder / "keras3.json").write_text(json.dumps(held))
