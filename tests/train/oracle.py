#!/usr/bin/env python3
"""Loss curves of a small network in NumPy, double precision: what tests/unit/test_trainer.c expects.

Writes tests/unit/oracle_losses.h. The data, the initial weights and the order of samples come from
the library's counted random numbers, written again here. Run it after changing the test's network:

    python3 tests/train/oracle.py > tests/unit/oracle_losses.h
"""
import numpy as np

MASK = (1 << 64) - 1
FEATURES, HIDDEN, CLASSES, SAMPLES, BATCH, EPOCHS = 20, 8, 3, 320, 32, 5


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def bits(seed, stream, index):
    base = mix((seed + 0x9E3779B97F4A7C15) & MASK) ^ mix((stream * 0xD1B54A32D192ED03 + 1) & MASK)
    return mix((base + (index + 1) * 0x9E3779B97F4A7C15) & MASK)


def uniform(seed, stream, index):
    return (bits(seed, stream, index) >> 40) * 2.0**-24


def glorot(seed, layer, units, inputs):
    limit = np.sqrt(6 / (inputs + units))
    values = [limit * (2 * uniform(seed, 1000 + layer, k) - 1) for k in range(units * inputs)]
    return np.array(values, np.float32).astype(np.float64).reshape(units, inputs)


def data():
    y = np.array([bits(5, 1, n) % CLASSES for n in range(SAMPLES)])
    x = np.array([[uniform(5, 2, n * FEATURES + k) + (0.5 if k % CLASSES == y[n] else 0)
                   for k in range(FEATURES)] for n in range(SAMPLES)], np.float32)
    return x.astype(np.float64), y


class Optimizer:
    def __init__(self, kind, rate):
        self.kind, self.rate, self.state, self.t = kind, rate, {}, 0

    def step(self, parameters, gradients):
        self.t += 1
        for k, (w, g) in enumerate(zip(parameters, gradients)):
            m, s = self.state.get(k, (np.zeros_like(w), np.zeros_like(w)))
            if self.kind == "sgd":
                w -= self.rate * g
            elif self.kind in ("momentum", "nesterov"):
                m = 0.9 * m + g
                w -= self.rate * (g + 0.9 * m if self.kind == "nesterov" else m)
            elif self.kind == "rmsprop":
                s = 0.9 * s + 0.1 * g * g
                w -= self.rate * g / (np.sqrt(s) + 1e-7)
            elif self.kind == "lion":
                w -= self.rate * (0.05 * w + np.sign(0.9 * m + 0.1 * g))
                m = 0.99 * m + 0.01 * g
            else:
                if self.kind == "adamw":
                    w -= self.rate * 0.05 * w
                m = 0.9 * m + 0.1 * g
                s = 0.999 * s + 0.001 * g * g
                w -= self.rate * (m / (1 - 0.9**self.t)) / (np.sqrt(s / (1 - 0.999**self.t)) + 1e-7)
            self.state[k] = (m, s)


def curve(kind, rate):
    x, y = data()
    w1, b1 = glorot(11, 0, HIDDEN, FEATURES), np.zeros(HIDDEN)
    w2, b2 = glorot(11, 1, CLASSES, HIDDEN), np.zeros(CLASSES)
    optimizer, losses = Optimizer(kind, rate), []
    for _ in range(EPOCHS):
        for at in range(0, SAMPLES, BATCH):
            xb, yb = x[at:at + BATCH], y[at:at + BATCH]
            h = np.tanh(xb @ w1.T + b1)
            z = h @ w2.T + b2
            z -= z.max(1, keepdims=True)
            p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
            losses.append(-np.log(p[np.arange(BATCH), yb]).mean())
            d2 = (p - np.eye(CLASSES)[yb]) / BATCH
            d1 = (d2 @ w2) * (1 - h * h)
            optimizer.step([w1, b1, w2, b2], [d1.T @ xb, d1.sum(0), d2.T @ h, d2.sum(0)])
    return losses


RUNS = [("sgd", 0.5), ("momentum", 0.1), ("nesterov", 0.1), ("rmsprop", 0.005), ("adam", 0.01),
        ("adamw", 0.01), ("lion", 0.005)]

print("/* Made by tests/train/oracle.py: the loss of each of 50 batches. */")
print("static const struct {\n    const char *name;\n    double rate;\n    double losses[50];")
print("} oracle_runs[] = {")
for name, speed in RUNS:
    values = ", ".join(f"{v:.9g}" for v in curve(name, speed))
    print(f'    {{"{name}", {speed}, {{{values}}}}},')
print("};")
