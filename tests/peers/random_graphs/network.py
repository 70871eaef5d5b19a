"""A network that grows: its nodes, constants and tensors so far, and the dice."""
import random

import numpy as np
from onnx import helper, numpy_helper

MOST_ELEMENTS = 60000  # of a tensor
OPSETS = [7, 9, 10, 11, 11, 12, 13, 13, 13, 14, 15, 16, 17, 18, 18, 19, 20, 21, 22, 23]


class Skip(Exception):
    """Nothing in the network suits what was to be added."""


class Network:
    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.noise = np.random.default_rng(seed)
        self.opset = self.draw.choice(OPSETS)
        self.nodes, self.initializers, self.inputs = [], [], []
        self.pool = []  # [name, dims] of each tensor that may be read; dims[0] is the batch
        self.used = set()  # names of those that are
        self.conv_weights = {}  # by dims: some are shared
        self.names = 0
        self.open_batch = self.draw.random() < 0.5
        self.batch = self.draw.choice([1, 1, 2, 3])

    def state(self):
        return (list(self.pool), list(self.nodes), list(self.initializers), set(self.used),
                dict(self.conv_weights))

    def restore(self, state):
        self.pool, self.nodes, self.initializers, self.used, self.conv_weights = state

    def name(self, prefix="t"):
        self.names += 1
        return f"{prefix}{self.names}"

    def const(self, values, prefix="c"):
        """An initializer, or a Constant node now and then."""
        name = self.name(prefix)
        if self.draw.random() < 0.12:
            value = numpy_helper.from_array(values, name)
            self.nodes.append(helper.make_node("Constant", [], [name], value=value))
        else:
            self.initializers.append(numpy_helper.from_array(np.array(values, order="C"), name))
        return name

    def weight(self, dims, kind="fan"):
        """Normal numbers, scaled by the fan-in ("fan") or not ("unit"), or positive ones; exact in half
        precision."""
        if kind == "positive":
            values = self.noise.uniform(0.3, 1.8, dims)
        else:
            values = self.noise.standard_normal(dims)
        if kind == "fan":
            values = values * (1.0 / np.sqrt(max(1, int(np.prod(dims[1:])) if len(dims) > 1 else 1)))
        return self.const(np.asarray(values, np.float32).astype(np.float16).astype(np.float32))

    def ints(self, values):
        return self.const(np.asarray(values, np.int64), "i")

    def floats(self, values):
        return self.const(np.asarray(values, np.float32), "f")

    def emit(self, op, inputs, outs=1, **attributes):
        """Adds a node; the name of its output, or names."""
        names = [self.name() for _ in range(outs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"n{len(self.nodes)}_{op}",
                                           **attributes))
        return names[0] if outs == 1 else names

    def add(self, name, dims):
        if any(d < 1 for d in dims) or int(np.prod(dims)) > MOST_ELEMENTS:
            raise Skip()
        self.pool.append([name, list(dims)])

    def pick(self, fits=lambda dims: True):
        """A tensor to read, often the newest: its name and dims."""
        choices = [t for t in self.pool if fits(t[1])]
        if not choices:
            raise Skip()
        name, dims = choices[-1] if self.draw.random() < 0.55 else self.draw.choice(choices)
        self.used.add(name)
        return name, list(dims)
