"""A Keras training as a user writes it. python ker.py LR."""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np

from lrtui.integrations.keras import LrtuiCallback


def main(lr, folder="", epochs=6, batches=4):
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(8 * batches, 4)).astype("float32")
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    )
    schedule = keras.optimizers.schedules.CosineDecay(float(lr), epochs * batches)
    model.compile(keras.optimizers.Adam(schedule), "mse")
    y = x.sum(1, keepdims=True)
    model.fit(x, y, 8, epochs, validation_data=(x, y), callbacks=[LrtuiCallback()], verbose=0)
    return [float(each.sum(dtype="float64")) for each in model.get_weights()]


if __name__ == "__main__":
    main(sys.argv[1], epochs=int(sys.argv[2]), batches=int(sys.argv[3]))
