#!/usr/bin/env python3
"""Converts a convolutional ONNX network of f32 to a TFLite file, for LiteRT to be measured on.

    python3 to_tflite.py MODEL.onnx MODEL.tflite

Does what TensorFlow's converter would: batch norms go into convolutions, activations into what they
follow, channels come last, the batch is one. Takes the operators below; says which it cannot take. Needs
numpy, onnx and ai-edge-litert.
"""
import sys

import numpy as np
import onnx
from onnx import numpy_helper
import flatbuffers
from ai_edge_litert import schema_py_generated as schema

NONE = schema.ActivationFunctionType.NONE
RELU = schema.ActivationFunctionType.RELU
RELU6 = schema.ActivationFunctionType.RELU6
TYPES = {np.dtype(np.float32): schema.TensorType.FLOAT32, np.dtype(np.int32): schema.TensorType.INT32}


class Unsupported(Exception):
    pass


class Value:
    """A tensor of the TFLite model. shape is channels-last."""

    def __init__(self, index, shape, rectified=False, spatial=None):
        self.index, self.shape, self.rectified = index, shape, rectified
        self.spatial = spatial  # (height, width, channels) that a Flatten has hidden


class Converter:
    def __init__(self, model):
        self.graph = model.graph
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.consumers = {}
        for node in model.graph.node:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)
        for output in model.graph.output:
            self.consumers.setdefault(output.name, []).append(None)
        self.values, self.done = {}, set()
        self.tensors, self.operators, self.codes = [], [], []
        self.buffers = [schema.BufferT()]

    # ---- Building blocks

    def tensor(self, name, shape, dtype=np.dtype(np.float32), data=None):
        t = schema.TensorT()
        t.name, t.shape, t.type = name, [int(d) for d in shape], TYPES[dtype]
        t.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), dtype=np.uint8)
            t.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(t)
        return len(self.tensors) - 1

    def constant(self, array, dtype=np.float32):
        array = np.asarray(array, dtype=dtype)
        return self.tensor(f"constant{len(self.tensors)}", array.shape, array.dtype, array)

    def emit(self, code, inputs, shape, options=None, kind=0, name=None, **about):
        if code not in self.codes:
            self.codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = self.codes.index(code)
        operator.inputs = [i.index if isinstance(i, Value) else i for i in inputs]
        value = Value(self.tensor(name or f"value{len(self.tensors)}", shape), tuple(shape), **about)
        operator.outputs = [value.index]
        operator.builtinOptions, operator.builtinOptionsType = options, kind
        self.operators.append(operator)
        return value

    def sole_consumer(self, name):
        consumers = self.consumers.get(name, [])
        return consumers[0] if len(consumers) == 1 else None

    def skip_to(self, node):
        self.done.add(id(node))
        return node.output[0]

    def array(self, name, what):
        if name not in self.constants:
            raise Unsupported(f"{what} that are computed")
        return self.constants[name]

    def clip_kind(self, node):
        low = self.constants.get(node.input[1]) if len(node.input) > 1 else None
        high = self.constants.get(node.input[2]) if len(node.input) > 2 else None
        if low is None or float(low) != 0 or high is None or float(high) != 6:
            raise Unsupported("Clip other than to 0..6")
        return RELU6

    def activation(self, output):
        """The activation that follows, if it is the value's only use: (kind, its output)."""
        node = self.sole_consumer(output)
        if node is not None and node.op_type == "Relu":
            return RELU, self.skip_to(node)
        if node is not None and node.op_type == "Clip":
            return self.clip_kind(node), self.skip_to(node)
        return NONE, output

    def norm(self, node):
        """A batch norm as (scale, bias)."""
        scale, bias, mean, variance = (self.array(n, "statistics") for n in node.input[1:5])
        epsilon = attribute(node, "epsilon", 1e-5)
        factor = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
        return factor, bias - mean * factor

    def pad(self, x, begin, end):
        around = [[0, 0], [begin[0], end[0]], [begin[1], end[1]], [0, 0]]
        shape = (1, *(np.array(x.shape[1:3]) + begin + end), x.shape[3])
        return self.emit(schema.BuiltinOperator.PAD, [x, self.constant(around, np.int32)], shape,
                         schema.PadOptionsT(), schema.BuiltinOptions.PadOptions,
                         rectified=x.rectified)

    def padded(self, x, pads, kernel, stride, dilation=(1, 1), ceil=False, zeros=False):
        """(x, TFLite's padding, output size), after a PAD where SAME is something else or where
        what is padded must count as zeros."""
        begin, end, size = np.array(pads[:2]), np.array(pads[2:]), np.array(x.shape[1:3])
        reach = (np.array(kernel) - 1) * np.array(dilation) + 1
        stride = np.array(stride)
        if ceil:
            end = end + (-(size + begin + end - reach)) % stride
        output = (size + begin + end - reach) // stride + 1
        same = np.maximum((-(-size // stride) - 1) * stride + reach - size, 0)
        if not begin.any() and not end.any():
            return x, schema.Padding.VALID, output
        if not zeros and (same // 2 == begin).all() and (same - same // 2 == end).all():
            return x, schema.Padding.SAME, output
        return self.pad(x, begin, end), schema.Padding.VALID, output

    # ---- Operators: each returns (name of the value, value)

    def conv(self, node):
        x = self.values[node.input[0]]
        weights = self.array(node.input[1], "weights").astype(np.float64)
        if weights.ndim != 4 or attribute(node, "auto_pad", b"NOTSET") != b"NOTSET":
            raise Unsupported("Conv with auto_pad, or not in two dimensions")
        outputs, kernel = weights.shape[0], weights.shape[2:]
        bias = np.zeros(outputs) if len(node.input) < 3 else self.array(node.input[2], "biases")
        output, following = node.output[0], self.sole_consumer(node.output[0])
        if following is not None and following.op_type == "BatchNormalization":
            factor, shift = self.norm(following)
            weights, bias = weights * factor[:, None, None, None], bias * factor + shift
            output = self.skip_to(following)
        activation, output = self.activation(output)
        groups = attribute(node, "group", 1)
        stride, dilation = attribute(node, "strides", [1, 1]), attribute(node, "dilations", [1, 1])
        x, padding, size = self.padded(x, attribute(node, "pads", [0] * 4), kernel, stride, dilation)
        depthwise = groups == x.shape[3] and groups > 1
        if depthwise:
            options = schema.DepthwiseConv2DOptionsT()
            options.depthMultiplier = outputs // groups
            kind = schema.BuiltinOptions.DepthwiseConv2DOptions
            code = schema.BuiltinOperator.DEPTHWISE_CONV_2D
            weights = weights.transpose(1, 2, 3, 0)
        else:
            options, kind = schema.Conv2DOptionsT(), schema.BuiltinOptions.Conv2DOptions
            code, weights = schema.BuiltinOperator.CONV_2D, weights.transpose(0, 2, 3, 1)
        options.padding, options.fusedActivationFunction = padding, activation
        options.strideH, options.strideW = stride
        options.dilationHFactor, options.dilationWFactor = dilation
        return output, self.emit(code, [x, self.constant(weights), self.constant(bias)],
                                 (1, *size, outputs), options, kind, rectified=activation != NONE)

    def batch_norm(self, node):
        x, (factor, shift) = self.values[node.input[0]], self.norm(node)
        x = self.emit(schema.BuiltinOperator.MUL, [x, self.constant(factor)], x.shape,
                      schema.MulOptionsT(), schema.BuiltinOptions.MulOptions)
        return self.sum(node.output[0], [x, self.constant(shift)], x.shape)

    def sum(self, output, inputs, shape):
        options = schema.AddOptionsT()
        options.fusedActivationFunction, output = self.activation(output)
        return output, self.emit(schema.BuiltinOperator.ADD, inputs, shape, options,
                                 schema.BuiltinOptions.AddOptions,
                                 rectified=options.fusedActivationFunction != NONE)

    def add(self, node):
        a, b = (self.values.get(name) for name in node.input)
        if a is None or b is None or a.shape != b.shape:
            raise Unsupported("Add of other than two computed tensors of one shape")
        return self.sum(node.output[0], [a, b], a.shape)

    def activate(self, node):
        x = self.values[node.input[0]]
        kind = RELU if node.op_type == "Relu" else self.clip_kind(node)
        code = schema.BuiltinOperator.RELU if kind == RELU else schema.BuiltinOperator.RELU6
        return node.output[0], self.emit(code, [x], x.shape, rectified=True)

    def pool(self, node):
        x, maximum = self.values[node.input[0]], node.op_type == "MaxPool"
        kernel = attribute(node, "kernel_shape", None)
        stride, pads = attribute(node, "strides", [1, 1]), attribute(node, "pads", [0] * 4)
        if attribute(node, "dilations", [1, 1]) != [1, 1]:
            raise Unsupported("pooling with dilation")
        if kernel == [1, 1] and stride == [1, 1] and not any(pads):
            return node.output[0], x
        ceil = attribute(node, "ceil_mode", 0) == 1
        counted = attribute(node, "count_include_pad", 0) == 1
        before = x
        x, padding, size = self.padded(x, pads, kernel, stride, ceil=ceil,
                                       zeros=counted and not maximum)
        # PAD adds zeros: right for a maximum of what is not negative, for an average that counts them.
        if x is not before and not (x.rectified if maximum else counted and not ceil):
            raise Unsupported(f"{node.op_type} with such padding")
        options = schema.Pool2DOptionsT()
        options.padding = padding
        options.strideH, options.strideW = stride
        options.filterHeight, options.filterWidth = kernel
        code = schema.BuiltinOperator.MAX_POOL_2D if maximum else schema.BuiltinOperator.AVERAGE_POOL_2D
        return node.output[0], self.emit(code, [x], (1, *size, x.shape[3]), options,
                                         schema.BuiltinOptions.Pool2DOptions, rectified=x.rectified)

    def global_average(self, node):
        x, options = self.values[node.input[0]], schema.ReducerOptionsT()
        options.keepDims = True
        return node.output[0], self.emit(schema.BuiltinOperator.MEAN,
                                         [x, self.constant([1, 2], np.int32)], (1, 1, 1, x.shape[3]),
                                         options, schema.BuiltinOptions.ReducerOptions)

    def concat(self, node):
        inputs = [self.values[name] for name in node.input]
        if attribute(node, "axis", None) != 1 or any(len(x.shape) != 4 for x in inputs):
            raise Unsupported("Concat other than of channels")
        options = schema.ConcatenationOptionsT()
        options.axis = 3
        shape = (*inputs[0].shape[:3], sum(x.shape[3] for x in inputs))
        return node.output[0], self.emit(schema.BuiltinOperator.CONCATENATION, inputs, shape, options,
                                         schema.BuiltinOptions.ConcatenationOptions,
                                         rectified=all(x.rectified for x in inputs))

    def flatten(self, node):
        x = self.values[node.input[0]]
        if attribute(node, "axis", 1) != 1:
            raise Unsupported("Flatten with an axis other than 1")
        options, shape = schema.ReshapeOptionsT(), (1, int(np.prod(x.shape)))
        options.newShape = list(shape)
        spatial = x.shape[1:] if len(x.shape) == 4 and x.shape[1] * x.shape[2] > 1 else None
        return node.output[0], self.emit(schema.BuiltinOperator.RESHAPE,
                                         [x, self.constant(shape, np.int32)], shape, options,
                                         schema.BuiltinOptions.ReshapeOptions, spatial=spatial)

    def gemm(self, node):
        x, weights = self.values[node.input[0]], self.array(node.input[1], "weights")
        if attribute(node, "transA", 0) or any(attribute(node, n, 1.0) != 1 for n in ("alpha", "beta")):
            raise Unsupported("Gemm that scales or transposes its input")
        weights = weights if attribute(node, "transB", 0) else weights.T
        outputs = weights.shape[0]
        if x.spatial is not None:
            height, width, channels = x.spatial
            weights = weights.reshape(outputs, channels, height, width).transpose(0, 2, 3, 1)
            weights = weights.reshape(outputs, -1)
        bias = self.array(node.input[2], "biases") if len(node.input) > 2 else np.zeros(outputs)
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction, output = self.activation(node.output[0])
        return output, self.emit(schema.BuiltinOperator.FULLY_CONNECTED,
                                 [x, self.constant(weights), self.constant(bias)], (1, outputs),
                                 options, schema.BuiltinOptions.FullyConnectedOptions)

    def same(self, node):
        return node.output[0], self.values[node.input[0]]

    OPERATORS = {"Conv": conv, "BatchNormalization": batch_norm, "Add": add, "Relu": activate,
                 "Clip": activate, "MaxPool": pool, "AveragePool": pool, "Concat": concat,
                 "GlobalAveragePool": global_average, "Flatten": flatten, "Gemm": gemm,
                 "Identity": same, "Dropout": same}

    # ---- The model

    def convert(self):
        inputs = [i for i in self.graph.input if i.name not in self.constants]
        dims = [d.dim_value for d in inputs[0].type.tensor_type.shape.dim]
        if len(inputs) != 1 or len(dims) != 4 or len(self.graph.output) != 1:
            raise Unsupported("other than one picture in, one tensor out")
        shape = (1, dims[2], dims[3], dims[1])
        first = Value(self.tensor("input", shape), shape)
        self.values[inputs[0].name] = first
        for node in self.graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        for node in self.graph.node:
            if node.op_type == "Constant" or id(node) in self.done:
                continue
            if node.op_type not in self.OPERATORS:
                raise Unsupported(f"operator {node.op_type}")
            name, value = self.OPERATORS[node.op_type](self, node)
            self.values[name] = value
        return self.pack(first, self.values[self.graph.output[0].name])

    def pack(self, first, last):
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs, graph.name = [first.index], [last.index], "main"
        model.version, model.subgraphs, model.buffers = 3, [graph], self.buffers
        model.description, model.operatorCodes = "", []
        for code in self.codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode = entry.deprecatedBuiltinCode = code
            # Grouped convolutions came with version 6; version 1 of the others has all that is used.
            entry.version = 6 if code == schema.BuiltinOperator.CONV_2D else 1
            model.operatorCodes.append(entry)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        return builder.Output()


def attribute(node, name, default):
    for a in node.attribute:
        if a.name == name:
            return onnx.helper.get_attribute_value(a)
    return default


def main():
    try:
        data = Converter(onnx.load(sys.argv[1])).convert()
    except Unsupported as reason:
        sys.exit(f"the conversion to TFLite does not take {reason}")
    with open(sys.argv[2], "wb") as out:
        out.write(data)


if __name__ == "__main__":
    main()
