"""Blocks of several operators that Kiln computes as one, in the forms of exporters, and near misses of them.
Each function adds one such block to a network.Network, or raises Skip."""
import numpy as np

from network import Skip


# ---- Helpers -------------------------------------------------------------------------------------

def reduce_mean(net, x, axes, keep=1, op="ReduceMean"):
    as_input = net.opset >= 18 or (op == "ReduceSum" and net.opset >= 13)
    attributes = {} if keep and net.draw.random() < .5 else dict(keepdims=keep)
    if as_input:
        return net.emit(op, [x, net.ints(axes)], **attributes)
    return net.emit(op, [x], axes=list(axes), **attributes)


def clip(net, x, low, high):
    if net.opset < 11:
        return net.emit("Clip", [x], min=float(low), max=float(high))
    return net.emit("Clip", [x, net.floats(low), net.floats(high)])


def function(net, x):
    """Any function of one element, or none, or one after the other."""
    draw = net.draw
    kind = draw.choice(["Relu", "Relu", "Sigmoid", "Sigmoid", "HardSigmoid", "HardSigmoid", "Tanh", "LeakyRelu", "Elu",
                        "Softplus", "Clip", "Swish", "HSig", "none", "Abs", "Exp", "Softsign", "two", "Neg", "Gelu",
                        "HSwish", "Mish", "scale", "Sqrt"])
    if kind == "Clip":
        return clip(net, x, *draw.choice([(0, 6), (0, 1), (-1, 1), (.5, .5), (.2, .8), (-6, 0)]))
    if kind == "Swish":
        return net.emit("Mul", [x, net.emit("Sigmoid", [x])])
    if kind in ("HSig", "HSwish"):
        y = clip(net, net.emit("Add", [x, net.floats(3.)]), 0, 6)
        y = net.emit("Div", [y, net.floats(6.)])
        return net.emit("Mul", [y, x]) if kind == "HSwish" else y
    if kind == "HardSigmoid":
        return net.emit(kind, [x], **draw.choice([{}, dict(alpha=1 / 6.), dict(alpha=-.3, beta=.4), dict(alpha=.5, beta=2.)]))
    if kind == "two":
        return function(net, function(net, x))
    if kind == "scale":
        return net.emit(draw.choice(["Mul", "Add"]), [x, net.floats(draw.choice([.5, 2., -1., 3.]))])
    if kind == "Gelu":
        return gelu(net, x)
    if kind == "Mish":
        return net.emit("Mul", [x, net.emit("Tanh", [net.emit("Softplus", [x])])])
    if kind == "Sqrt":
        return net.emit("Sqrt", [net.emit("Abs", [x])])
    if kind == "Exp":
        x = clip(net, x, -5, 3)
    return x if kind == "none" else net.emit(kind, [x])


def gelu(net, x):
    draw = net.draw
    if net.opset < 9 or draw.random() < .5:  # by tanh
        cube = net.emit("Pow", [x, net.floats(3.)]) if draw.random() < .5 else net.emit(
            "Mul", [x, net.emit("Mul", [x, x])])
        inner = net.emit("Add", [x, net.emit("Mul", [cube, net.floats(.044715)])])
        inner = net.emit("Tanh", [net.emit("Mul", [inner, net.floats(.7978845608)])])
    else:
        inner = net.emit("Mul", [x, net.floats(.70710678)]) if draw.random() < .5 else net.emit(
            "Div", [x, net.floats(1.41421356)])
        inner = net.emit("Erf", [inner])
    if draw.random() < .5:
        y = net.emit("Mul", [net.emit("Add", [inner, net.floats(1.)]), net.emit("Mul", [x, net.floats(.5)])])
    else:
        y = net.emit("Mul", [net.emit("Mul", [x, net.emit("Add", [inner, net.floats(1.)])]), net.floats(.5)])
    return y


def some_map(net, least=1, most=700):
    return net.pick(lambda h: len(h) == 4 and least <= np.prod(h[2:]) < most and h[1] <= 96)


def conv(net, x, outputs, inputs, kernel=1, **attributes):
    group = attributes.get("group", 1)
    weights = net.weight([outputs, inputs // group, kernel, kernel])
    operands = [x, weights] + ([net.weight([outputs], kind="unit")] if net.draw.random() < .7 else [])
    return net.emit("Conv", operands, **attributes)


def squeeze(net, x, axes):
    return net.emit("Squeeze", [x], axes=axes) if net.opset < 13 else net.emit("Squeeze", [x, net.ints(axes)])


def unsqueeze(net, x, axes):
    return net.emit("Unsqueeze", [x], axes=axes) if net.opset < 13 else net.emit("Unsqueeze", [x, net.ints(axes)])


# ---- Gates ---------------------------------------------------------------------------------------

def gates(net, x, dims):
    """Gates of x's channels, as exporters and careless people write them: [N, C, 1, ...]."""
    draw, channels, spatial = net.draw, dims[1], len(dims) - 2
    axes = list(range(2, len(dims)))
    keep = draw.choice([0, 1])
    if draw.random() < .5:
        keep, y = 1, net.emit("GlobalAveragePool", [x])
    else:
        axes = draw.sample(axes, len(axes)) if draw.random() < .3 else axes
        y = reduce_mean(net, x, [a - len(dims) if draw.random() < .5 else a for a in axes], keep,
                        draw.choice(["ReduceMean"] * 6 + ["ReduceSum", "ReduceMax"]))
    state = "map" if keep else "row"  # [N, C, 1, ...] or [N, C]
    if draw.random() < .12:
        net.add(y, dims[:2] + ([1] * spatial if keep else []))
    hidden = draw.choice([1, 2, 3, 4, 8, 12, 17])
    sizes = draw.choice([[channels], [hidden, channels], [hidden, channels], [hidden, channels], [1, channels]])
    for outputs in sizes:
        inputs = channels if outputs is sizes[0] else sizes[0]
        kind = draw.choice(["conv", "conv", "gemm", "matmul"]) if spatial <= 3 else "gemm"
        if kind == "conv":
            if state == "row":
                y = unsqueeze(net, y, axes_of(spatial)) if draw.random() < .5 else net.emit(
                    "Reshape", [y, net.ints([0, inputs] + [1] * spatial)])
                state = "map"
            operands = [y, net.weight([outputs, inputs] + [1] * spatial)]
            if draw.random() < .7:
                operands.append(net.weight([outputs], kind="unit"))
            attributes = {}
            if draw.random() < .1:  # the one position that it computes lies in the padding
                attributes = dict(pads=draw.choice([[1] + [0] * (spatial - 1) + [0] * spatial,
                                                    [0] * spatial + [1] + [0] * (spatial - 1),
                                                    [1] * (2 * spatial)]), strides=[3] * spatial)
            y = net.emit("Conv", operands, **attributes)
        else:
            if state == "map":
                y = draw.choice([
                    lambda: net.emit("Flatten", [y]),
                    lambda: net.emit("Reshape", [y, net.ints([0, -1])]),
                    lambda: squeeze(net, y, axes_of(spatial)),
                    lambda: net.emit("Reshape", [net.emit("Transpose", [y], perm=[0] + axes_of(spatial) + [1]),
                                                 net.ints([0, -1])])])()
                state = "row"
            if kind == "gemm":
                transposed = draw.choice([0, 1])
                operands = [y, net.weight([outputs, inputs] if transposed else [inputs, outputs])]
                bias = draw.choice([None, [outputs], [1, outputs], [1], [], "rows", "rows"])
                if bias == "rows":
                    bias = [dims[0], 1] if not net.open_batch else [outputs]
                if bias is None and net.opset < 11:
                    bias = [outputs]
                if bias is not None:
                    operands.append(net.weight(bias, kind="unit"))
                y = net.emit("Gemm", operands, transB=transposed,
                             **draw.choice([{}, {}, {}, dict(alpha=.5), dict(beta=2.)]))
            else:
                y = net.emit("MatMul", [y, net.weight([inputs, outputs])])
                if draw.random() < .6:
                    y = net.emit("Add", [y, net.weight([outputs], kind="unit")])
        if draw.random() < .15:  # a norm between
            constants = [net.weight([outputs], k) for k in ("unit", "unit", "unit", "positive")]
            y = net.emit("BatchNormalization", [y] + constants)
        y = function(net, y)
        if draw.random() < .07:
            net.add(y, [dims[0], outputs] + ([1] * spatial if state == "map" else []))
    if state == "row":
        y = unsqueeze(net, y, axes_of(spatial)) if draw.random() < .5 else net.emit(
            "Reshape", [y, net.ints([0, channels] + [1] * spatial)])
    if draw.random() < .1 and net.opset >= 8:
        y = net.emit("Expand", [y, net.ints([1, 1] + dims[2:])])
    return y


def axes_of(spatial):
    return list(range(2, 2 + spatial))


def add_gated(net):
    """A map times gates; then what may take the scale over."""
    draw = net.draw
    x, dims = net.pick(lambda h: 3 <= len(h) <= 5 and h[1] <= 96)
    if draw.random() < .35 and len(dims) == 4:
        channels = draw.choice([5, 7, 16, 24, 33, 64])
        x = function(net, conv(net, x, channels, dims[1]))
        dims = [dims[0], channels] + dims[2:]
    gate = gates(net, x, dims)
    y = net.emit("Mul", draw.choice([[x, gate], [gate, x]]))
    if draw.random() < .15:  # the same gates for another map
        other = function(net, x)
        net.add(net.emit("Mul", draw.choice([[other, gate], [gate, other]])), dims)
    if draw.random() < .15:
        net.add(y, dims)
    behind_scale(net, x, y, dims)


def behind_scale(net, x, y, dims):
    draw = net.draw
    kind = draw.choice(["conv", "conv", "conv", "add", "add", "function", "two", "none", "concat", "pair"])
    if draw.random() < .15:
        y = function(net, y)
    if kind == "conv" and len(dims) == 4:
        outputs = draw.choice([1, 2, 3, 4, 5, 8, 17, 40])
        stride = draw.choice([1, 1, 1, 2])
        pads = draw.choice([[0] * 4] * 4 + [[1] * 4, [1, 0, 0, 1]])
        size = [(d + pads[k] + pads[k + 2] - 1) // stride + 1 for k, d in enumerate(dims[2:])]
        y = conv(net, y, outputs, dims[1], strides=[stride] * 2, pads=pads)
        if draw.random() < .2:
            net.add(y, [dims[0], outputs] + size)
        if draw.random() < .3:
            y = function(net, y)
        if outputs == dims[1] and size == dims[2:] and draw.random() < .7:
            y = net.emit("Add", [y, x])
        elif draw.random() < .3:  # a residual that fits
            other = conv(net, x, outputs, dims[1], strides=[stride] * 2, pads=pads)
            y = net.emit("Add", draw.choice([[y, other], [other, y]]))
        net.add(function(net, y) if draw.random() < .4 else y, [dims[0], outputs] + size)
        return
    if kind == "add":
        y = net.emit("Add", draw.choice([[x, y], [y, x], [y, y], [function(net, x), y]]))
        y = function(net, y) if draw.random() < .5 else y
    if kind == "function":
        y = function(net, y)
    if kind == "concat":
        y = net.emit("Concat", draw.choice([[x, y], [y, x], [y, y]]), axis=1)
        dims = [dims[0], 2 * dims[1]] + dims[2:]
    if kind == "two":
        net.add(net.emit("Relu", [y]), dims)
    if kind == "pair" and len(dims) == 4:  # an addition of two that are scaled
        other = net.emit("Mul", [function(net, x), gates(net, x, dims)])
        y = net.emit("Add", [y, other])
    net.add(y, dims)


def add_eca(net):
    """Gates by a convolution along the channels, or of the means alone."""
    x, dims = some_map(net, 2)
    y = net.emit("GlobalAveragePool", [x])
    if net.draw.random() < .6:
        y = net.emit("Reshape", [y, net.ints([0, 1, dims[1]])])
        y = net.emit("Conv", [y, net.weight([1, 1, 3])], pads=[1, 1])
        y = net.emit("Sigmoid", [y])
        y = net.emit("Reshape", [y, net.ints([0, dims[1], 1, 1])])
    else:
        y = function(net, y)
    behind_scale(net, x, net.emit("Mul", [x, y]), dims)


def add_context(net):
    """Global context: positions weighed by a softmax."""
    x, dims = some_map(net, 2)
    positions = int(np.prod(dims[2:]))
    weights = conv(net, x, 1, dims[1])
    weights = net.emit("Reshape", [weights, net.ints([0, 1, positions])])
    weights = net.emit("Softmax", [weights], axis=2)
    flat = net.emit("Reshape", [x, net.ints([0, dims[1], positions])])
    if net.draw.random() < .7:
        y = net.emit("MatMul", [flat, net.emit("Reshape", [weights, net.ints([0, positions, 1])])])
        y = net.emit("Reshape", [y, net.ints([0, dims[1], 1, 1])])
    else:
        y = reduce_mean(net, net.emit("Mul", [flat, weights]), [2], 1, "ReduceSum")
        y = net.emit("Reshape", [y, net.ints([0, dims[1], 1, 1])])
    y = function(net, conv(net, y, dims[1], dims[1]))
    net.add(net.emit(net.draw.choice(["Add", "Mul"]), [x, y]), dims)


# ---- Convolutions --------------------------------------------------------------------------------

def add_wide(net):
    """3x3 convolutions of many channels: Winograd's, with strides, asymmetric padding, groups, sums."""
    draw = net.draw
    x, dims = some_map(net, 4, 300)
    if dims[1] < 8 and draw.random() < .8:
        width = draw.choice([8, 16, 24, 32, 48, 64])
        x, dims = conv(net, x, width, dims[1]), [dims[0], width] + dims[2:]
    group = draw.choice([1, 1, 1, 2, 4]) if dims[1] % 4 == 0 else 1
    outputs = group * draw.choice([1, 4, 7, 8, 16, 20])
    stride = draw.choice([[1, 1], [2, 2], [2, 2], [2, 2], [1, 2], [2, 1]])
    pads = draw.choice([[1] * 4, [1] * 4, [0] * 4, [0, 0, 1, 1], [1, 1, 0, 0], [2, 1, 0, 1], [2] * 4])
    dilations = draw.choice([[1, 1]] * 5 + [[2, 2], [1, 2]])
    size = [(d + pads[k] + pads[k + 2] - 2 * dilations[k] - 1) // stride[k] + 1 for k, d in enumerate(dims[2:])]
    if min(size) < 1:
        raise Skip()
    attributes = dict(strides=stride, pads=pads, dilations=dilations, group=group)
    y = conv(net, x, outputs, dims[1], 3, **attributes)
    if draw.random() < .3:
        y = net.emit("Add", [y, conv(net, x, outputs, dims[1], 3, **attributes)])
    y = function(net, y)
    net.add(y, [dims[0], outputs] + size)


def add_depthwise(net):
    draw = net.draw
    x, dims = some_map(net, 4, 700)
    if draw.random() < .6:
        width = draw.choice([1, 3, 8, 16, 24, 40, 65])
        x, dims = conv(net, x, width, dims[1]), [dims[0], width] + dims[2:]
    kernel, stride = draw.choice([2, 3, 5, 5, 5, 7, 9]), draw.choice([1, 2, 2, 3])
    most = kernel - 1
    pads = [kernel // 2] * 4 if draw.random() < .6 else [draw.randint(0, most) for _ in range(4)]
    dilation = draw.choice([1, 1, 1, 1, 2])
    size = [(d + pads[k] + pads[k + 2] - (kernel - 1) * dilation - 1) // stride + 1 for k, d in enumerate(dims[2:])]
    if min(size) < 1:
        raise Skip()
    y = conv(net, x, dims[1], dims[1], kernel, group=dims[1], strides=[stride] * 2, pads=pads,
             dilations=[dilation] * 2)
    if draw.random() < .5:
        y = function(net, y)
    net.add(y, [dims[0], dims[1]] + size)


def add_branches(net):
    """Several convolutions of one map, joined or added up."""
    draw = net.draw
    x, dims = some_map(net, 4, 300)
    outputs = draw.choice([1, 3, 4, 8, 16])
    parts, kinds = [], draw.choice([[1, 1], [3, 1], [3, 3], [3, 1, 5], [1, 0], [3, 1, 0]])
    for kernel in kinds:
        if kernel == 0:
            if outputs != dims[1]:
                continue
            constants = [net.weight([dims[1]], k) for k in ("unit", "unit", "unit", "positive")]
            parts.append(net.emit("BatchNormalization", [x] + constants))
            continue
        y = conv(net, x, outputs, dims[1], kernel, pads=[kernel // 2] * 4)
        if draw.random() < .3:
            constants = [net.weight([outputs], k) for k in ("unit", "unit", "unit", "positive")]
            y = net.emit("BatchNormalization", [y] + constants)
        parts.append(function(net, y) if draw.random() < .25 else y)
    if draw.random() < .2:
        net.add(parts[0], [dims[0], outputs] + dims[2:])
    if draw.random() < .5:
        net.add(net.emit("Concat", parts, axis=1), [dims[0], outputs * len(parts)] + dims[2:])
        return
    y = parts[0]
    for part in parts[1:]:
        y = net.emit("Add", [y, part])
    net.add(function(net, y), [dims[0], outputs] + dims[2:])


def add_cut(net):
    """A map split by channels, its parts computed apart and joined."""
    draw = net.draw
    x, dims = net.pick(lambda h: len(h) == 4 and h[1] >= 2 and np.prod(h[2:]) < 300)
    count = draw.choice([k for k in (2, 3, 4) if dims[1] >= k])
    cuts = sorted(draw.sample(range(1, dims[1]), count - 1))
    if dims[1] % count == 0 and draw.random() < .6:
        cuts = [dims[1] // count * k for k in range(1, count)]
    sizes = [b - a for a, b in zip([0] + cuts, cuts + [dims[1]])]
    parts = net.emit("Split", [x], outs=count, axis=1, split=sizes) if net.opset < 13 else net.emit(
        "Split", [x, net.ints(sizes)], outs=count, axis=1)
    made = []
    for part, size in zip(parts, sizes):
        kind = draw.choice(["none", "depthwise", "conv", "function", "chain", "sum"])
        if kind == "depthwise":
            part = conv(net, part, size, size, 3, group=size, pads=[1] * 4)
        elif kind == "conv":
            part = conv(net, part, size, size)
        elif kind == "function":
            part = function(net, part)
        elif kind == "chain" and made and sizes[len(made) - 1] == size:
            part = net.emit("Add", [part, made[-1]])
            part = conv(net, part, size, size, 3, pads=[1] * 4)
        elif kind == "sum" and size == sizes[0]:
            part = net.emit("Mul", [part, parts[0]])
        made.append(part)
    if draw.random() < .3:
        draw.shuffle(made)
    net.add(net.emit("Concat", made, axis=1), dims)


def add_affine(net):
    """Numbers around activations, which convolutions, bounds and functions may take in."""
    draw = net.draw
    x, dims = some_map(net, 1, 400)
    y = conv(net, x, dims[1], dims[1]) if draw.random() < .7 else x
    for _ in range(draw.randint(1, 4)):
        kind = draw.choice(["number", "number", "channels", "function", "bounds"])
        if kind == "function":
            y = function(net, y)
        elif kind == "bounds":
            y = draw.choice([lambda: net.emit("Relu", [y]), lambda: clip(net, y, 0, 6), lambda: clip(net, y, -1, 2),
                             lambda: clip(net, y, -6, -1)])()
        else:
            shape = draw.choice([[], [1], [1, 1, 1, 1]]) if kind == "number" else [dims[1], 1, 1]
            values = net.noise.standard_normal(shape).astype(np.float32)
            if draw.random() < .1:
                values = np.zeros(shape, np.float32)
            op = draw.choice(["Mul", "Add", "Sub", "Div", "Mul", "Add"])
            if op == "Div":
                values = np.abs(values) + np.float32(.5)
            operands = [y, net.const(np.asarray(values, np.float32))]
            y = net.emit(op, operands[::-1] if op != "Div" and draw.random() < .4 else operands)
    if draw.random() < .6:
        outputs = draw.choice([1, 4, 6])
        pads = draw.choice([0, 1])
        if min(dims[2:]) + 2 * pads < 3:
            raise Skip()
        y = conv(net, y, outputs, dims[1], 3, pads=[pads] * 4)
        dims = [dims[0], outputs] + [d + 2 * pads - 2 for d in dims[2:]]
    net.add(y, dims)


# ---- Norms and attention -------------------------------------------------------------------------

def normalised(net, x, axes):
    draw = net.draw
    mean = reduce_mean(net, x, axes)
    centred = net.emit("Sub", [x, mean])
    square = net.emit("Pow", [centred, net.floats(2.)]) if draw.random() < .5 else net.emit("Mul", [centred, centred])
    spread = net.emit("Sqrt", [net.emit("Add", [reduce_mean(net, square, axes), net.floats(1e-2)])])
    return net.emit("Div", [centred, spread])


def add_norm(net):
    draw = net.draw
    x, dims = some_map(net, 2, 400)
    kind = draw.choice(["group", "channels", "last", "grn", "rms", "group1"])
    if kind.startswith("group"):
        groups = 1 if kind == "group1" else draw.choice([g for g in range(1, dims[1] + 1) if dims[1] % g == 0])
        if np.prod(dims[1:]) // groups < 4:
            raise Skip()
        y = net.emit("Reshape", [x, net.ints([0, groups, -1])])
        y = net.emit("InstanceNormalization", [y, net.weight([groups], "positive"), net.weight([groups], "unit")],
                     epsilon=1e-2)
        y = net.emit("Reshape", [y, net.ints([0] + dims[1:])])
        y = net.emit("Mul", [y, net.weight([dims[1], 1, 1], "unit")])
        y = net.emit("Add", [y, net.weight([dims[1], 1, 1], "unit")])
    elif kind == "channels":
        if dims[1] < 4:
            raise Skip()
        y = normalised(net, x, [1])
        y = net.emit("Add", [net.emit("Mul", [y, net.weight([dims[1], 1, 1], "unit")]),
                             net.weight([1, dims[1], 1, 1], "unit")])
    elif kind in ("last", "rms", "grn"):
        y = net.emit("Transpose", [x], perm=[0, 2, 3, 1])
        if kind == "grn":
            length = reduce_mean(net, y, [1, 2], 1, "ReduceL2")
            mean = reduce_mean(net, length, [-1])
            part = net.emit("Div", [length, net.emit("Add", [mean, net.floats(1e-2)])])
            part = net.emit("Mul", [y, part])
            part = net.emit("Add", [net.emit("Mul", [part, net.weight([dims[1]], "unit")]), net.weight([dims[1]], "unit")])
            y = net.emit("Add", [part, y])
        elif kind == "rms":
            square = reduce_mean(net, net.emit("Mul", [y, y]), [-1])
            y = net.emit("Div", [y, net.emit("Sqrt", [net.emit("Add", [square, net.floats(1e-2)])])])
            y = net.emit("Mul", [y, net.weight([dims[1]], "unit")])
        else:
            if dims[1] < 4:
                raise Skip()
            y = normalised(net, y, [-1])
            y = net.emit("Add", [net.emit("Mul", [y, net.weight([dims[1]], "unit")]), net.weight([dims[1]], "unit")])
        if draw.random() < .6:  # linear layers on a map
            y = net.emit("MatMul", [y, net.weight([dims[1], 4 * dims[1]])])
            y = function(net, net.emit("Add", [y, net.weight([4 * dims[1]], "unit")]))
            y = net.emit("MatMul", [y, net.weight([4 * dims[1], dims[1]])])
            y = net.emit("Mul", [y, net.weight([dims[1]], "unit")]) if draw.random() < .5 else y
        y = net.emit("Transpose", [y], perm=[0, 3, 1, 2])
        if draw.random() < .5:
            y = net.emit("Add", [y, x])
    net.add(y, dims)


def add_patches(net):
    """Unfolded patches, a product, folded again: as MobileViT."""
    draw = net.draw
    x, dims = net.pick(lambda h: len(h) == 4 and h[1] <= 48 and np.prod(h[2:]) < 400)
    sides = [draw.choice([p for p in (1, 2, 3, 4) if d % p == 0]) for d in dims[2:]]
    counts = [d // p for d, p in zip(dims[2:], sides)]
    area, number, channels = sides[0] * sides[1], counts[0] * counts[1], dims[1]
    y = net.emit("Reshape", [x, net.ints([-1, sides[0], counts[1], sides[1]])])
    y = net.emit("Transpose", [y], perm=[0, 2, 1, 3])
    y = net.emit("Reshape", [y, net.ints([-1, channels, number, area])])
    y = net.emit("Transpose", [y], perm=[0, 3, 2, 1])
    if draw.random() < .6:
        y = net.emit("Reshape", [y, net.ints([-1, number, channels])])
    if draw.random() < .7:
        y = net.emit("MatMul", [y, net.weight([channels, channels])])
    y = function(net, y)
    if draw.random() < .3:
        y = net.emit("Softmax", [y], axis=-1) if net.opset >= 13 else y
    y = net.emit("Reshape", [y, net.ints([-1, area, number, channels])])
    y = net.emit("Transpose", [y], perm=[0, 3, 2, 1])
    y = net.emit("Reshape", [y, net.ints([-1, counts[1], sides[0], sides[1]])])
    y = net.emit("Transpose", [y], perm=[0, 2, 1, 3])
    net.add(net.emit("Reshape", [y, net.ints([-1] + dims[1:])]), dims)


def add_windows(net):
    """Windows of a channels-last map, as Swin's, moved round now and then."""
    draw = net.draw
    x, dims = net.pick(lambda h: len(h) == 4 and h[1] <= 32 and np.prod(h[2:]) < 300)
    sides = [draw.choice([p for p in (1, 2, 3, 4, 5) if d % p == 0]) for d in dims[2:]]
    counts = [d // p for d, p in zip(dims[2:], sides)]
    y = net.emit("Transpose", [x], perm=[0, 2, 3, 1])
    y = net.emit("Reshape", [y, net.ints([-1, counts[0], sides[0], counts[1], sides[1], dims[1]])])
    y = net.emit("Transpose", [y], perm=[0, 1, 3, 2, 4, 5])
    y = net.emit("Reshape", [y, net.ints([-1, sides[0] * sides[1], dims[1]])])
    if draw.random() < .7 and net.opset >= 13:
        scores = net.emit("MatMul", [y, net.emit("Transpose", [y], perm=[0, 2, 1])])
        scores = net.emit("Mul", [scores, net.floats(.3)])
        y = net.emit("MatMul", [net.emit("Softmax", [scores], axis=-1), y])
    else:
        y = net.emit("MatMul", [y, net.weight([dims[1], dims[1]])])
    y = net.emit("Reshape", [y, net.ints([-1, counts[0], counts[1], sides[0], sides[1], dims[1]])])
    y = net.emit("Transpose", [y], perm=[0, 1, 3, 2, 4, 5])
    y = net.emit("Reshape", [y, net.ints([-1, dims[2], dims[3], dims[1]])])
    net.add(net.emit("Transpose", [y], perm=[0, 3, 1, 2]), dims)


def add_star(net):
    draw = net.draw
    x, dims = some_map(net, 1, 400)
    if draw.random() < .5:  # relu(x)^2 * a + b
        y = net.emit("Relu", [x])
        y = net.emit("Mul", [y, y]) if draw.random() < .5 else net.emit("Pow", [y, net.floats(2.)])
        y = net.emit("Mul", [y, net.floats(.8944)])
        y = net.emit("Add", [y, net.floats(-.4472)])
    else:
        width = draw.choice([4, 8, 12])
        a, b = conv(net, x, width, dims[1]), conv(net, x, width, dims[1])
        y = net.emit("Mul", [clip(net, a, 0, 6), b])
        y = conv(net, y, dims[1], width)
        y = net.emit("Add", [y, x])
    net.add(y, dims)


def add_gelu(net):
    x, dims = net.pick(lambda h: len(h) >= 2)
    net.add(gelu(net, x), dims)


def add_narrow_softmax(net):
    """Softmax along a narrow or far axis, scaled or not."""
    x, dims = net.pick(lambda h: len(h) >= 3)
    y = x
    if net.draw.random() < .4:
        y = net.emit("Mul", [y, net.floats(net.draw.choice([.125, 4., -1.]))])
    axis = net.draw.randint(1, len(dims) - 1)
    if net.opset < 13:
        raise Skip()
    net.add(net.emit("Softmax", [y], axis=axis), dims)


# (function, how often)
FUSIONS = [(add_gated, 16), (add_eca, 3), (add_context, 3), (add_wide, 8), (add_depthwise, 5), (add_branches, 4),
           (add_cut, 4), (add_affine, 6), (add_norm, 5), (add_patches, 3), (add_windows, 3), (add_star, 2),
           (add_gelu, 2), (add_narrow_softmax, 1)]
