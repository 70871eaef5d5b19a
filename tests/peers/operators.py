#!/usr/bin/env python3
"""Single operators with random shapes, attributes and values, Kiln beside ONNX Runtime.

    python3 tests/peers/operators.py build/release/compiler/cli/kiln [--count N] [--seed S] [--only OP]

Each model is one node on an open batch; Kiln's plan runs at batch 2 and the values are compared with
ONNX Runtime's, optimisation off, as are those of the model that Kiln exports the plan as. What Kiln
refuses is counted by its message. Exit status 1 when values differ. Needs numpy, onnx and
onnxruntime.
"""
import argparse
import collections
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

F, I = np.float32, np.int64


class Case:
    """A node, its run-time inputs (first dim: the batch, where open) and its constants."""

    def __init__(self, op, opset, attributes=None, outputs=1):
        self.op, self.opset, self.attributes = op, opset, attributes or {}
        self.inputs, self.outputs, self.result = [], outputs, np.dtype(np.uint8)

    def run_time(self, value, open_batch=True):
        self.inputs.append(("run", value, open_batch))
        return self

    def constant(self, value):
        self.inputs.append(("constant", value, False))
        return self

    def model(self):
        graph_inputs, constants, names = [], [], []
        for k, (kind, value, open_batch) in enumerate(self.inputs):
            names.append(f"x{k}")
            dtype = helper.np_dtype_to_tensor_dtype(value.dtype)
            if kind == "constant":
                constants.append(onnx.numpy_helper.from_array(value, f"x{k}"))
            else:
                dims = ["N" if open_batch and d == 0 else n for d, n in enumerate(value.shape)]
                graph_inputs.append(helper.make_tensor_value_info(f"x{k}", dtype, dims))
        outputs = [f"y{k}" for k in range(self.outputs)]
        domain, _, op = self.op.rpartition(".")
        node = helper.make_node(op, names, outputs, domain=domain, **self.attributes)
        ends = [onnx.ValueInfoProto(name=name) for name in outputs]
        model = helper.make_model(helper.make_graph([node], "g", graph_inputs, ends, constants),
                                  opset_imports=[helper.make_opsetid("", self.opset),
                                                 helper.make_opsetid("com.microsoft", 1)])
        model.ir_version = 10
        if domain:  # which shape inference does not know: of the first input's type
            model.graph.output[0].CopyFrom(helper.make_tensor_value_info(
                outputs[0], helper.np_dtype_to_tensor_dtype(self.result), None))
        elif not ends[0].HasField("type"):
            inferred = onnx.shape_inference.infer_shapes(model)
            for k, end in enumerate(inferred.graph.output):
                model.graph.output[k].CopyFrom(end)
        return model


def floats(r, *shape, low=-2.0, high=2.0):
    return r.uniform(low, high, shape).astype(F)


def integers(r, low, high, *shape):
    return r.integers(low, high, shape, endpoint=True).astype(I)


def shape(r, least=2, most=5):
    return [2] + [int(n) for n in r.integers(1, 6, r.integers(least, most) - 1)]


def unary(op, opset, low=-3.0, high=3.0, **attributes):
    return lambda r: Case(op, opset, attributes).run_time(floats(r, *shape(r), low=low, high=high))


def binary(op, opset, kind):
    def make(r):
        dims = shape(r)
        other = [n if r.random() < 0.7 else 1 for n in dims]
        other[0] = dims[0]
        attributes = {}
        if op == "Mod":
            attributes["fmod"] = 1 if kind == "f" else int(r.integers(2))
        values = {"f": lambda s: floats(r, *s) + F(0.01), "i": lambda s: integers(r, 1, 9, *s),
                  "b": lambda s: r.random(s) < 0.5}[kind]
        a, b = values(dims), values(other)
        if kind == "i":
            a = a * integers(r, -1, 1, *dims)
        return Case(op, opset, attributes).run_time(a).run_time(b)
    return make


def group_norm(r):
    groups, per = int(r.integers(1, 4)), int(r.integers(1, 4))
    dims = [2, groups * per] + [int(n) for n in r.integers(1, 6, r.integers(1, 4))]
    opset = int(r.choice([18, 21]))
    scales = groups if opset == 18 else groups * per
    return Case("GroupNormalization", opset, {"num_groups": groups}).run_time(
        floats(r, *dims)).constant(floats(r, scales)).constant(floats(r, scales))


def mvn(r):
    dims = [2] + [int(n) for n in r.integers(2, 6, 3)]
    axes = sorted(int(a) for a in r.choice([1, 2, 3], r.integers(1, 4), replace=False))
    return Case("MeanVarianceNormalization", 13, {"axes": axes}).run_time(floats(r, *dims))


def one_hot(r):
    dims = shape(r, 1, 4)
    axis, depth = int(r.integers(1, len(dims) + 1)), int(r.integers(1, 6))
    axis = axis if r.random() < 0.5 else axis - len(dims) - 1
    return Case("OneHot", 13, {"axis": axis}).run_time(integers(r, -7, 7, *dims)).constant(
        np.array(depth, I)).constant(floats(r, 2))


def hardmax(r):
    dims = shape(r)
    axis = int(r.integers(1, len(dims)))
    return Case("Hardmax", int(r.choice([11, 13])), {"axis": axis}).run_time(
        integers(r, -3, 3, *dims).astype(F))


def trilu(r):
    dims = shape(r, 3, 5)
    return Case("Trilu", 14, {"upper": int(r.integers(2))}).run_time(floats(r, *dims)).constant(
        np.array(r.integers(-4, 5), I))


def cumulative(r):
    dims = shape(r)
    axis = int(r.integers(1, len(dims)))
    attributes = {"exclusive": int(r.integers(2)), "reverse": int(r.integers(2))}
    value = floats(r, *dims) if r.random() < 0.7 else integers(r, -9, 9, *dims)
    return Case("CumSum", 14, attributes).run_time(value).constant(np.array(axis, I))


def along(r):
    dims = shape(r)
    axis = int(r.integers(1, len(dims)))
    others = [n if d in (0, axis) else int(r.integers(1, n + 1)) for d, n in enumerate(dims)]
    others[axis] = int(r.integers(1, 6))
    return dims, others, axis


def gather_elements(r):
    dims, others, axis = along(r)
    return Case("GatherElements", 13, {"axis": axis}).run_time(floats(r, *dims)).run_time(
        integers(r, -dims[axis], dims[axis] - 1, *others))


def scatter_elements(r):
    dims, others, axis = along(r)
    others[axis] = min(others[axis], dims[axis])
    reduction = str(r.choice(["none", "add", "mul", "max", "min"]))
    indices = np.argsort(r.random(others[:axis] + [dims[axis]] + others[axis + 1:]), axis)
    indices = np.take(indices, range(others[axis]), axis).astype(I)
    return Case("ScatterElements", 18, {"axis": axis, "reduction": reduction}).run_time(
        floats(r, *dims)).run_time(indices).run_time(floats(r, *others))


def gather_nd(r):
    dims = shape(r, 2, 5)
    batch_dims = int(r.integers(1, len(dims)))
    length = int(r.integers(1, len(dims) - batch_dims + 1))
    tuples = dims[:batch_dims] + [int(n) for n in r.integers(1, 4, r.integers(0, 3))]
    indices = np.stack([integers(r, -dims[batch_dims + d], dims[batch_dims + d] - 1, *tuples)
                        for d in range(length)], -1)
    return Case("GatherND", 12, {"batch_dims": batch_dims}).run_time(
        floats(r, *dims)).run_time(indices)


def scatter_nd(r):
    dims = shape(r, 1, 4)
    length = int(r.integers(1, len(dims) + 1))
    count = int(r.integers(1, 4))
    reduction = str(r.choice(["none", "add", "mul", "max", "min"]))
    indices = np.stack([integers(r, -n, n - 1, count) for n in dims[:length]], -1)
    if reduction == "none":
        indices = indices[:1]
    return Case("ScatterND", 18, {"reduction": reduction}).run_time(floats(r, *dims), False).constant(
        indices).run_time(floats(r, len(indices), *dims[length:]), False)


def grid_sample(r):
    dims = [2, int(r.integers(1, 4)), int(r.integers(1, 6)), int(r.integers(1, 6))]
    reach = float(r.choice([1.0, 1.5, 4.0]))
    attributes = {"mode": str(r.choice(["bilinear", "nearest", "bicubic"])),
                  "padding_mode": str(r.choice(["zeros", "border", "reflection"])),
                  "align_corners": int(r.integers(2))}
    if attributes["padding_mode"] == "reflection" and attributes["align_corners"] == 1:
        dims[2:] = [n + 1 for n in dims[2:]]  # mirrors of a single pixel divide by 0 in ONNX Runtime
    grid = floats(r, 2, int(r.integers(1, 6)), int(r.integers(1, 6)), 2, low=-reach, high=reach)
    return Case("GridSample", 16, attributes).run_time(floats(r, *dims)).run_time(grid)


def roi_align(r):
    dims = [int(r.integers(1, 3)), int(r.integers(1, 4)), int(r.integers(2, 9)),
            int(r.integers(2, 9))]
    count = int(r.integers(1, 4))
    corners = floats(r, count, 4, low=-2, high=10)
    corners[:, 2:] = np.abs(corners[:, 2:]) / 2 + corners[:, :2]
    attributes = {"mode": str(r.choice(["avg", "max"])), "output_height": int(r.integers(1, 4)),
                  "output_width": int(r.integers(1, 4)), "sampling_ratio": int(r.integers(0, 4)),
                  "spatial_scale": float(r.choice([1.0, 0.5])),
                  "coordinate_transformation_mode": str(r.choice(["half_pixel",
                                                                  "output_half_pixel"]))}
    return Case("RoiAlign", 16, attributes).run_time(floats(r, *dims), False).run_time(
        corners, False).run_time(integers(r, 0, dims[0] - 1, count), False)


def einsum(r):
    equation, dims = [("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
                      ("bchw,cd->bdhw", [(2, 3, 4, 5), (3, 6)]),
                      ("bhid,bhjd->bhij", [(2, 3, 4, 5), (2, 3, 2, 5)]),
                      ("bhij,bhjd->bihd", [(2, 3, 4, 5), (2, 3, 5, 6)]),
                      ("...ij,...jk->...ik", [(2, 3, 4, 5), (2, 3, 5, 2)]),
                      ("bij->bji", [(2, 3, 4)]), ("bij->bj", [(2, 3, 4)]),
                      ("bi,bj->bij", [(2, 3), (2, 4)]), ("bi,bi->b", [(2, 3), (2, 3)]),
                      ("bi,ij,jk->bk", [(2, 3), (3, 4), (4, 5)]),
                      ("bnc,bc->bn", [(2, 3, 4), (2, 4)]), ("bii->bi", [(2, 3, 3)]),
                      ("biji->bj", [(2, 3, 4, 3)]), ("b...ii->b...i", [(2, 5, 3, 3)]),
                      ("bij,bjk->bik", [(2, 3, 1), (2, 4, 5)]),
                      ("...ij,...jk->...ik", [(2, 1, 4, 5), (2, 3, 5, 2)])][int(r.integers(16))]
    case = Case("Einsum", 12, {"equation": equation})
    for d in dims:
        case.run_time(floats(r, *d), d[0] == 2 and "b" in equation or "..." in equation)
    return case


def compress(r):
    dims = shape(r)
    axis = int(r.integers(1, len(dims)))
    condition = r.random(dims[axis]) < 0.6
    condition[0] = True
    return Case("Compress", 11, {"axis": axis}).run_time(floats(r, *dims)).constant(condition)


def reduce(op):
    def make(r):
        dims = shape(r)
        axes = sorted(int(a) for a in r.choice(range(1, len(dims)), 1 + int(r.integers(len(dims) - 1)),
                                               replace=False))
        return Case(op, 13, {"axes": axes, "keepdims": int(r.integers(2))}).run_time(
            floats(r, *dims, low=0.0, high=4.0))
    return make


def unpool(r):
    dims = [1, int(r.integers(1, 3)), int(r.integers(1, 4)), int(r.integers(1, 4))]
    kernel = [2, 3]
    size = dims[0] * dims[1] * np.prod([(n - 1) * 2 + k for n, k in zip(dims[2:], kernel)])
    indices = r.choice(int(size), int(np.prod(dims)), replace=False).astype(I).reshape(dims)
    return Case("MaxUnpool", 11, {"kernel_shape": kernel, "strides": [2, 2]}).run_time(
        floats(r, *dims), False).run_time(indices, False)


def batch_norm(r):
    dims = [2, 3] + [int(n) for n in r.integers(1, 5, r.integers(0, 3))]
    attributes = {"training_mode": 1, "momentum": 0.7}
    case = Case("BatchNormalization", 15, attributes, 3).constant(floats(r, *dims))
    for low in (0.5, -1.0, -1.0, 0.5):
        case.constant(floats(r, 3, low=low, high=2.0))
    return case


def lp_pool(r):
    spatial = int(r.integers(1, 4))
    kernel = [int(n) for n in r.integers(1, 4, spatial)]
    opset = int(r.choice([11, 18]))
    attributes = {"p": int(r.integers(1, 4)), "kernel_shape": kernel,
                  "strides": [int(n) for n in r.integers(1, 3, spatial)],
                  "pads": [int(r.integers(0, k)) for k in kernel + kernel]}
    if opset == 18:
        attributes["ceil_mode"] = int(r.integers(2))
        attributes["dilations"] = [int(n) for n in r.integers(1, 3, spatial)]
    dims = [2, int(r.integers(1, 4))] + [int(n) for n in r.integers(6, 9, spatial)]
    return Case("LpPool", opset, attributes).run_time(floats(r, *dims))


def global_lp_pool(r):
    dims = [2, int(r.integers(1, 4))] + [int(n) for n in r.integers(1, 7, r.integers(1, 4))]
    return Case("GlobalLpPool", 13, {"p": int(r.integers(1, 4))}).run_time(floats(r, *dims))


def quantization(case, r):
    return case.constant(np.array(r.choice([0.25, 0.5, 0.1]), F)).constant(
        np.array(r.integers(0, 255), np.uint8))


def levels(r, *dims):
    return r.integers(0, 256, dims, np.uint8)


def qlinear_where(r):
    dims = shape(r)
    case = Case("com.microsoft.QLinearWhere", 13).run_time(r.random(dims) < 0.5)
    for _ in range(2):
        quantization(case.run_time(levels(r, *dims)), r)
    return quantization(case, r)


def qlinear_pool(op):
    def make(r):
        last = int(r.integers(2))
        dims = [2, int(r.integers(1, 4)), int(r.integers(3, 7)), int(r.integers(3, 7))]
        attributes = {"channels_last": last}
        if op == "AveragePool":
            attributes.update(kernel_shape=[int(n) for n in r.integers(1, 4, 2)],
                              strides=[int(n) for n in r.integers(1, 3, 2)])
        x = levels(r, *dims)
        case = Case("com.microsoft.QLinear" + op, 13, attributes)
        return quantization(quantization(case.run_time(x.transpose(0, 2, 3, 1) if last else x), r), r)
    return make


def blocks(op):
    def make(r):
        dims, block = [int(n) for n in r.integers(1, 7, 3)], int(r.integers(1, 4))
        axis = int(r.integers(3))
        scales = [-(-n // block) if d == axis else n for d, n in enumerate(dims)]
        block = -(-dims[axis] // scales[axis])  # ONNX Runtime wants the smallest
        x = floats(r, *dims) if op == "QuantizeLinear" else levels(r, *dims)
        return Case(op, 21, {"axis": axis, "block_size": block}).run_time(x, False).constant(
            floats(r, *scales, low=0.01, high=0.1)).constant(levels(r, *scales))
    return make


MAKERS = {
    "Sin": unary("Sin", 13), "Cos": unary("Cos", 13), "Tan": unary("Tan", 13, -1.4, 1.4),
    "Asin": unary("Asin", 13, -1, 1), "Acos": unary("Acos", 13, -1, 1), "Atan": unary("Atan", 13),
    "Sinh": unary("Sinh", 13), "Cosh": unary("Cosh", 13), "Asinh": unary("Asinh", 13),
    "Acosh": unary("Acosh", 13, 1, 9), "Atanh": unary("Atanh", 13, -0.99, 0.99),
    "ThresholdedRelu": unary("ThresholdedRelu", 13, alpha=0.5),
    "Shrink": unary("Shrink", 13, lambd=0.7, bias=0.2), "IsNaN": unary("IsNaN", 13),
    "IsInf": unary("IsInf", 13), "LessOrEqual": binary("LessOrEqual", 16, "f"),
    "LessOrEqual i": binary("LessOrEqual", 16, "i"),
    "GreaterOrEqual": binary("GreaterOrEqual", 16, "f"), "Xor": binary("Xor", 13, "b"),
    "Mod f": binary("Mod", 13, "f"), "Mod i": binary("Mod", 13, "i"),
    "GroupNormalization": group_norm, "MeanVarianceNormalization": mvn, "OneHot": one_hot,
    "Hardmax": hardmax, "Trilu": trilu, "CumSum": cumulative, "GatherElements": gather_elements,
    "ScatterElements": scatter_elements, "GatherND": gather_nd, "ScatterND": scatter_nd,
    "GridSample": grid_sample, "RoiAlign": roi_align, "Einsum": einsum, "Compress": compress,
    "ReduceLogSum": reduce("ReduceLogSum"), "ReduceLogSumExp": reduce("ReduceLogSumExp"),
    "MaxUnpool": unpool, "LpPool": lp_pool, "GlobalLpPool": global_lp_pool,
    "QLinearWhere": qlinear_where, "QLinearAveragePool": qlinear_pool("AveragePool"),
    "QLinearGlobalAveragePool": qlinear_pool("GlobalAveragePool"),
    "QuantizeLinear blocks": blocks("QuantizeLinear"),
    "DequantizeLinear blocks": blocks("DequantizeLinear"),
}


def expected(model, feeds):
    """model: bytes, or the path of a file."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options,
                                           providers=["CPUExecutionProvider"])
    names = {value.name for value in session.get_inputs()}
    return session.run([f"y{k}" for k in range(len(session.get_outputs()))],
                       {name: value for name, value in feeds.items() if name in names})


def found(kiln, folder, case):
    plan, out = os.path.join(folder, "plan"), os.path.join(folder, "out")
    arguments = [kiln, "run", plan, "--output", out]
    result = subprocess.run([kiln, "compile", os.path.join(folder, "model.onnx"), "-o", plan, "-q"],
                            capture_output=True, text=True)
    if result.returncode != 0:
        return result.stderr
    if "batch fixed" in result.stderr:
        return "batch fixed: " + result.stderr.rsplit(": ", 1)[-1]
    for k, (kind, value, _) in enumerate(case.inputs):
        if kind == "run":
            np.save(os.path.join(folder, f"x{k}.npy"), value)
            arguments += ["--input", f"x{k}=" + os.path.join(folder, f"x{k}.npy")]
    result = subprocess.run(arguments, capture_output=True, text=True)
    if result.returncode != 0:
        return result.stderr
    return [np.load(os.path.join(out, f"y{k}.npy")) for k in range(case.outputs)]


def exported(kiln, folder, feeds):
    path = os.path.join(folder, "exported.onnx")
    result = subprocess.run([kiln, "export", os.path.join(folder, "plan"), "-o", path],
                            capture_output=True, text=True)
    return expected(path, feeds) if result.returncode == 0 else None


def widened(values):  # differences of bytes would wrap
    return values.astype(np.int64) if values.dtype == np.uint8 else values


def compare(kiln, name, seed):
    """None: alike. A text: refused. A pair of arrays: different."""
    case = MAKERS[name](np.random.default_rng(seed))
    model = case.model()
    feeds = {f"x{k}": value for k, (kind, value, _) in enumerate(case.inputs) if kind == "run"}
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, os.path.join(folder, "model.onnx"))
        theirs = expected(model.SerializeToString(), feeds)
        ours = found(kiln, folder, case)
        if isinstance(ours, str):
            return ours.strip().rsplit(".onnx: ", 1)[-1]
        again = exported(kiln, folder, feeds) or theirs
    step = 1 if "QLinear" in case.op else 0  # ONNX Runtime's own rounding of halves differs there
    for a, b in list(zip(ours, theirs)) + list(zip(again, theirs)):
        close = a.shape == b.shape and np.allclose(widened(a), widened(b), 2e-5, 5e-6 + step,
                                                   equal_nan=True)
        if not close:
            return case, a, b
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kiln")
    parser.add_argument("--count", type=int, default=20, help="models an operator")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    options = parser.parse_args()
    kiln, bad = os.path.abspath(options.kiln), 0
    for name in [options.only] if options.only else MAKERS:
        refused = collections.Counter()
        for seed in range(options.seed, options.seed + options.count):
            result = compare(kiln, name, seed)
            if isinstance(result, str):
                refused[result] += 1
            elif result is not None:
                case, ours, theirs = result
                bad += 1
                print(f"{name}, seed {seed}: differs; {case.attributes}, "
                      f"{[v.shape for _, v, _ in case.inputs]}\n{ours}\n{theirs}")
        print(f"{name}: {options.count} models, {sum(refused.values())} refused", dict(refused))
    sys.exit(1 if bad > 0 else 0)


if __name__ == "__main__":
    main()
