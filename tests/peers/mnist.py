#!/usr/bin/env python3
"""Three dense networks on MNIST, Kiln and Keras with the same settings and pictures.

    KERAS_BACKEND=torch python3 tests/peers/mnist.py build/release/compiler/cli/kiln MNIST-FOLDER

The first 8,000 pictures of t10k train, the other 2,000 validate; pixels / 255, SGD with a learning
rate of 0.01, batch 64, 5 epochs, categorical cross-entropy. Validation accuracy after the last epoch,
mean and range over seeds 1 to 5. Needs keras and a backend of it (torch, jax or tensorflow).
"""
import gzip
import json
import os
import subprocess
import sys
import tempfile

import keras
import numpy as np

NETWORKS = [("784-64-10 tanh", [(64, "tanh")]),
            ("784-64-32-10 tanh", [(64, "tanh"), (32, "tanh")]),
            ("784-64-32-10 relu", [(64, "relu"), (32, "relu")])]


def kiln_accuracy(kiln, images, layers, seed, plan):
    head = ",".join(f"{units}:{activation}" for units, activation in layers) + ",softmax"
    result = subprocess.run(
        [kiln, "train", "--from-scratch", "--head", head, images, "-o", plan, "--json",
         "--validation", "0.2", "--validation-last", "--no-standardize", "--optimizer", "sgd",
         "--learning-rate", "0.01", "--batch-size", "64", "--epochs", "5", "--last-weights",
         "--no-checkpoint", "--seed", str(seed)], capture_output=True, text=True, check=True)
    return json.loads(result.stdout)["history"][-1]["val_accuracy"]


def keras_accuracy(x, y, layers, seed):
    keras.utils.set_random_seed(seed)
    net = keras.Sequential([keras.layers.Input((784,))] +
                           [keras.layers.Dense(units, activation) for units, activation in layers] +
                           [keras.layers.Dense(10, "softmax")])
    net.compile(keras.optimizers.SGD(0.01), "categorical_crossentropy", metrics=["accuracy"])
    fit = net.fit(x[:8000], y[:8000], batch_size=64, epochs=5, verbose=0,
                  validation_data=(x[8000:], y[8000:]))
    return fit.history["val_accuracy"][-1]


def described(values):
    return f"{np.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})"


def main():
    kiln, folder = sys.argv[1], sys.argv[2]
    images = os.path.join(folder, "t10k-images-idx3-ubyte.gz")
    with gzip.open(images) as file:
        x = np.frombuffer(file.read()[16:], np.uint8).reshape(-1, 784).astype(np.float32) / 255
    with gzip.open(os.path.join(folder, "t10k-labels-idx1-ubyte.gz")) as file:
        y = keras.utils.to_categorical(np.frombuffer(file.read()[8:], np.uint8), 10)
    print("| Network | Kiln | Keras |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for name, layers in NETWORKS:
            ours = [kiln_accuracy(kiln, images, layers, seed, scratch + "/net.plan")
                    for seed in range(1, 6)]
            theirs = [keras_accuracy(x, y, layers, seed) for seed in range(1, 6)]
            print(f"| {name} | {described(ours)} | {described(theirs)} |", flush=True)


if __name__ == "__main__":
    main()
