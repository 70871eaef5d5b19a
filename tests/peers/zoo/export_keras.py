#!/usr/bin/env python3
"""Exports keras.applications networks with Keras's own answers, as ONNX's backend tests lay them out.

    python3 export_keras.py FOLDER keras/NAME[:SIZE] ...        e.g. keras/EfficientNetB0:224

Keras exports them itself, with the batch open; the data hold two samples. Says "made FOLDER/..." for
each; what is there is not made again. Needs tensorflow-cpu, keras, tf2onnx and onnx.
"""
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="-1")

import keras
import numpy as np
import onnx
from onnx import numpy_helper


def randomise(model):
    """Statistics and scales as a trained network might have them, so that every layer counts."""
    noise = np.random.default_rng(7)
    for layer in model._flatten_layers():
        for weight in layer.weights:
            kind = weight.path.split("/")[-1]
            if kind in ("moving_mean", "beta", "bias"):
                weight.assign(noise.normal(size=weight.shape) * 0.1)
            elif kind in ("moving_variance", "gamma"):
                weight.assign(noise.random(weight.shape) + 0.5)


def export(name, size, folder):
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3))
    randomise(model)
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    x = np.random.default_rng(3).uniform(0, 255, (2, size, size, 3)).astype("float32")
    answer = np.asarray(model(x, training=False))  # before: Keras exports what has been called
    model.export(os.path.join(folder, "model.onnx"), format="onnx", verbose=False)
    graph = onnx.load(os.path.join(folder, "model.onnx"), load_external_data=False).graph
    for kind, value, end in (("input", x, graph.input[0]), ("output", answer, graph.output[0])):
        with open(os.path.join(data, f"{kind}_0.pb"), "wb") as out:
            out.write(numpy_helper.from_array(value, end.name).SerializeToString())
    keras.backend.clear_session()


def main():
    for job in sys.argv[2:]:
        name, _, size = job.removeprefix("keras/").partition(":")
        folder = os.path.join(sys.argv[1], f"keras_{name}")
        try:
            if not os.path.exists(f"{folder}/test_data_set_0/output_0.pb"):
                export(name, int(size or 224), folder)
            print("made", folder, flush=True)
        except Exception as error:  # of many classes
            reason = (str(error) or type(error).__name__).splitlines()[0][:200]
            print(f"failed keras_{name}: {reason}", flush=True)


if __name__ == "__main__":
    main()
