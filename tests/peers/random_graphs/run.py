#!/usr/bin/env python3
"""Random small networks on Kiln and on ONNX Runtime, its optimisation off.

    python3 tests/peers/random_graphs/run.py build/release [FIRST-SEED] [COUNT] [--show]

Each seed's network (build.py) runs once on ONNX Runtime and in several of graph_worker's variants on
Kiln: always with exact convolutions, twice in variants that the seed draws, and now and then layer by
layer at two batches. Without a seed, today's are taken. Prints what differs, is refused or crashes, with
its seed; --show prints the network of the first seed instead. Exit status 1 when something was found.
Needs onnx, onnxruntime and numpy.
"""
import argparse
import collections
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from build import build

VARIANTS = ["default", "speed", "min", "unfused", "half", "direct", "winograd2", "winograd4",
            "winograd6"]
LAYERS = 0.25  # the share of networks that are checked layer by layer
PATIENCE = 60  # seconds that an answer may take


class Worker:
    """A process of graph_worker, started anew when it has died."""

    def __init__(self, program):
        self.program, self.process = program, None

    def ask(self, line):
        if self.process is None:
            self.process = subprocess.Popen([self.program], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            answer = self.process.stdout.readline().decode(errors="replace").strip() if ready else ""
        except BrokenPipeError:
            answer = ""
        if answer == "":
            self.process.kill()
            code = self.process.wait()
            self.process = None
            return f"no answer in {PATIENCE} s" if code == -9 else f"died with {code}"
        return answer


def run_reference(model, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                           providers=["CPUExecutionProvider"])
    answers = dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))
    for value in answers.values():  # of windows wholly in the padding it takes another maximum
        value[value == np.finfo(np.float32).min] = -np.inf
    return answers


def write_case(folder, model, feeds, answers):
    data = os.path.join(folder, "test_data_set_0")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(data)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    for kind, values in (("input", feeds), ("output", answers)):
        for place, (name, value) in enumerate(values.items()):
            with open(f"{data}/{kind}_{place}.pb", "wb") as out:
                out.write(numpy_helper.from_array(np.asarray(value), name).SerializeToString())


def check(seed, folder, worker, counts):
    made = build(seed)
    if made is None:
        counts["empty"] += 1
        return
    model, feeds, description = made
    try:
        answers = run_reference(model, feeds)
    except Exception:  # of many classes
        counts["refused by ONNX Runtime"] += 1
        return
    write_case(folder, model, feeds, answers)
    draw = random.Random(seed)
    variants = ["exact"] + draw.sample(VARIANTS, 2)
    if draw.random() < LAYERS:
        variants.append("layers")
    failures = []
    for variant in variants:
        answer = worker.ask(f"{folder} {variant} {draw.choice([1, 1, 1, 2])}")
        counts["runs"] += 1
        if answer != "ok":
            failures.append(f"{variant}: {answer}")
    counts["different" if failures else "alike"] += 1
    if failures:
        print(f"{seed}, {description}\n  " + "\n  ".join(failures), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", help="build folder")
    parser.add_argument("first", type=int, nargs="?", default=int(time.time()) // 86400 * 100000)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    if arguments.show:
        made = build(arguments.first)
        print(onnx.printer.to_text(made[0]) if made else "empty")
        return 0
    onnxruntime.set_default_logger_severity(4)
    worker = Worker(os.path.join(arguments.build, "tests", "peers", "graph_worker"))
    counts, start = collections.Counter(), time.time()
    with tempfile.TemporaryDirectory(prefix="kiln-graphs-") as folder:
        for seed in range(arguments.first, arguments.first + arguments.count):
            check(seed, os.path.join(folder, "case"), worker, counts)
    print(f"seeds from {arguments.first}: " +
          ", ".join(f"{number} {what}" for what, number in counts.items()) +
          f", {time.time() - start:.0f} s")
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
