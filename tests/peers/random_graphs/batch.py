"""The batch put behind other dims, as attention and patches do, and brought back. Each function adds one such
group to a network.Network, or raises Skip."""
import numpy as np

from network import Skip


def transposed(net, x, dims, order):
    return net.emit("Transpose", [x], perm=order), [dims[k] for k in order]


def add_attention(net):
    """Queries, keys and values of [N*k, T, C], cut apart behind a transposition that puts 3 in front."""
    x, dims = net.pick(lambda h: len(h) == 3 and h[1] <= 40 and h[2] <= 40)
    draw, heads, size = net.draw, net.draw.randint(1, 3), net.draw.randint(1, 4)
    if net.opset < 11:
        raise Skip()
    patches = draw.choice([d for d in range(1, dims[1] + 1) if dims[1] % d == 0])
    tokens = dims[1] // patches
    y = net.emit("Reshape", [x, net.ints([-1, tokens, dims[2]])])
    y = net.emit("MatMul", [y, net.weight([dims[2], 3 * heads * size])])
    y = net.emit("Reshape", [y, net.ints([-1, tokens, 3, heads, size])])
    y = net.emit("Transpose", [y], perm=[2, 0, 3, 1, 4])
    kind, parts = draw.choice(["gather", "slice", "split"]), []
    if kind == "split":
        parts = net.emit("Split", [y] + ([net.ints([1, 1, 1])] if net.opset >= 13 else []), outs=3, axis=0)
    for k in range(3):
        if kind == "gather":
            index = net.const(np.array(k, np.int64), "i")
            parts.append(net.emit("Gather", [y, index], axis=0))
            continue
        part = parts[k] if kind == "split" else net.emit(
            "Slice", [y, net.ints([k]), net.ints([k + 1]), net.ints([0])])
        part = net.emit("Squeeze", [part], axes=[0]) if net.opset < 13 else net.emit(
            "Squeeze", [part, net.ints([0])])
        parts[k:k + 1] = [part]
    keys = net.emit("Transpose", [parts[1]], perm=[0, 1, 3, 2])
    scores = net.emit("MatMul", [parts[0], keys])
    if draw.random() < .5:
        factor = net.const(np.array(draw.choice([.25, .5, 3.]), np.float32), "s")
        scores = net.emit(draw.choice(["Mul", "Div"]), [scores, factor])
    for shape in ([1, heads, tokens, tokens], [tokens], [heads, 1, tokens]):
        if draw.random() < .3:
            scores = net.emit("Add", [scores, net.weight(shape, "unit")])
    weights = net.emit("Softmax", [scores], axis=3)
    if draw.random() < .3:  # the other product's transpose
        y = net.emit("MatMul", [net.emit("Transpose", [parts[2]], perm=[0, 1, 3, 2]),
                                net.emit("Transpose", [weights], perm=[0, 1, 3, 2])])
        y = net.emit("Transpose", [y], perm=[0, 1, 3, 2])
    else:
        y = net.emit("MatMul", [weights, parts[2]])
    y = net.emit("Transpose", [y], perm=[0, 2, 1, 3])
    net.add(net.emit("Reshape", [y, net.ints([-1, dims[1], heads * size])]),
            [dims[0], dims[1], heads * size])


def step_behind(net, x, dims, at):
    """One operator on a tensor whose batch is dims[at]: the new tensor, its dims and batch's axis."""
    draw = net.draw
    others = [k for k in range(len(dims)) if k != at]
    axis = draw.choice(others)
    kind = draw.choice(["unary", "constant", "softmax", "slice", "gather", "concat", "reduce", "matmul"])
    if kind == "unary":
        return net.emit(draw.choice(["Relu", "Tanh", "Neg", "Sigmoid"]), [x]), dims, at
    if kind == "constant":
        shape = [d if k != at and draw.random() < .5 else 1 for k, d in enumerate(dims)]
        return net.emit(draw.choice(["Add", "Mul", "Sub"]), [x, net.weight(shape, "unit")]), dims, at
    if kind == "softmax" and (net.opset >= 13 or axis > at):
        return net.emit("Softmax", [x], axis=axis), dims, at
    if kind == "slice" and net.opset >= 10:
        start = draw.randint(0, dims[axis] - 1)
        out = dims[:axis] + [dims[axis] - start] + dims[axis + 1:]
        return net.emit("Slice", [x, net.ints([start]), net.ints([2 ** 31 - 1]), net.ints([axis])]), out, at
    if kind == "gather":
        index = net.const(np.array(draw.randint(0, dims[axis] - 1), np.int64), "i")
        return net.emit("Gather", [x, index], axis=axis), dims[:axis] + dims[axis + 1:], at - (axis < at)
    if kind == "concat":
        out = dims[:axis] + [2 * dims[axis]] + dims[axis + 1:]
        return net.emit("Concat", [x, net.emit("Neg", [x])], axis=axis), out, at
    if kind == "reduce" and net.opset < 18:
        out = dims[:axis] + [1] + dims[axis + 1:]
        return net.emit(draw.choice(["ReduceMean", "ReduceMax"]), [x], axes=[axis], keepdims=1), out, at
    if kind == "matmul" and at < len(dims) - 1:
        width = draw.randint(1, 5)
        return net.emit("MatMul", [x, net.weight([dims[-1], width])]), dims[:-1] + [width], at
    return x, dims, at


def add_moved(net):
    x, dims = net.pick(lambda h: 2 <= len(h) <= 4)
    draw, at = net.draw, 0
    if draw.random() < .4 and len(dims) > 2:  # a dim joins the batch
        divisor = draw.choice([d for d in range(1, dims[1] + 1) if dims[1] % d == 0])
        dims = [dims[0] * divisor, dims[1] // divisor] + dims[2:]
        x = net.emit("Reshape", [x, net.ints([-1] + dims[1:])])
    order = list(range(len(dims)))
    draw.shuffle(order)
    (x, dims), at = transposed(net, x, dims, order), order.index(0)
    for _ in range(draw.randint(1, 5)):
        if len(dims) < 2:
            break
        x, dims, at = step_behind(net, x, dims, at)
        if int(np.prod(dims)) > 20000:
            raise Skip()
    others = [k for k in range(len(dims)) if k != at]
    draw.shuffle(others)
    x, dims = transposed(net, x, dims, [at] + others)
    rest = int(np.prod(dims)) // net.batch
    net.add(net.emit("Reshape", [x, net.ints([-1, rest])]), [net.batch, rest])


BATCH = [(add_attention, 3), (add_moved, 6)]
