#!/usr/bin/env python3
"""Head training: Kiln against PyTorch, interleaved, medians of ratios.

    python3 tests/peers/train_speed.py build/release/compiler/cli/kiln [--threads 1] [--rounds 5]

Two heads: softmax on 2048 features (1000 samples, batch 32, 100 epochs) and VGG16's last three
layers, 25088-4096-4096-10 (64 samples, batch 32). Both sides get the same numbers, optimizer and
batches; data are in memory before the clock starts. Needs torch and numpy.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np
import torch


def kiln_seconds(kiln, data, head, optimizer, epochs, threads):
    result = subprocess.run(
        [kiln, "train", "--from-scratch", data, "--head", head, "-o", data + ".plan", "--json",
         "--optimizer", optimizer, "--learning-rate", "0.001", "--epochs", str(epochs),
         "--validation", "0", "--no-checkpoint", "--no-calibration", "--last-weights",
         "--threads", str(threads)], capture_output=True, text=True, check=True)
    return json.loads(result.stdout)["seconds"]


def torch_seconds(x, y, widths, optimizer, epochs, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    layers = []
    for k in range(len(widths) - 1):
        layers += [torch.nn.Linear(widths[k], widths[k + 1]), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
    step = kinds[optimizer](net.parameters(), lr=0.001)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    start = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(y))
        for at in range(0, len(y), 32):
            pick = order[at:at + 32]
            loss = torch.nn.functional.cross_entropy(net(x[pick]), y[pick])
            step.zero_grad()
            loss.backward()
            step.step()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kiln")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cases = [("softmax on 2048", 1000, [2048, 10], "softmax", 100),
             ("VGG16 fc6-fc8", 64, [25088, 4096, 4096, 10], "4096:relu,4096:relu,softmax", 4)]
    random = np.random.RandomState(0)
    print(f"{'head':18} {'optimizer':10} {'threads':>7} {'kiln s':>9} {'torch s':>9} {'ratio':>7}")
    with tempfile.TemporaryDirectory() as folder:
        for name, samples, widths, head, epochs in cases:
            x = random.rand(samples, widths[0]).astype(np.float32)
            y = random.randint(0, 10, samples).astype(np.int64)
            y[:10] = np.arange(10)
            np.save(os.path.join(folder, "d-x.npy"), x)
            np.save(os.path.join(folder, "d-y.npy"), y)
            for optimizer in ("sgd", "adam"):
                for threads in options.threads:
                    ours, theirs = [], []
                    for _ in range(options.rounds):
                        data = os.path.join(folder, "d-x.npy")
                        ours.append(kiln_seconds(options.kiln, data, head, optimizer, epochs,
                                                 threads))
                        theirs.append(torch_seconds(x, y, widths, optimizer, epochs, threads))
                    ratio = statistics.median(b / a for a, b in zip(ours, theirs))
                    print(f"{name:18} {optimizer:10} {threads:7} {statistics.median(ours):9.3f} "
                          f"{statistics.median(theirs):9.3f} {ratio:7.2f}", flush=True)


if __name__ == "__main__":
    main()
