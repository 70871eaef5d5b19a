"""Layers element by element, joins, splits, views and the rest. Each function adds one layer, or a usual
group, to a network.Network, or raises Skip."""
import numpy as np

from network import Skip


def add_concat(net):
    x, dims = net.pick(lambda h: len(h) >= 2)
    ax = net.draw.randint(1, len(dims) - 1)
    names = [x]
    tot = dims[ax]
    c = [
        t for t in net.pool if len(
            t[1]) == len(dims) and all(
            i == ax or t[1][i] == dims[i] for i in range(
                len(dims)))]
    for _ in range(net.draw.randint(1, 3)):
        t = net.draw.choice(c) if net.draw.random() < .8 else None
        if t:
            names.append(t[0])
            tot += t[1][ax]
            net.used.add(t[0])
        elif not net.open_batch:
            shapes = list(dims)
            shapes[ax] = net.draw.randint(1, 3)
            names.append(net.weight(shapes, kind='unit'))
            tot += shapes[ax]
    if net.draw.random() < .3:
        net.draw.shuffle(names)
    o = list(dims)
    o[ax] = tot
    net.add(net.emit('Concat', names, axis=ax if net.draw.random() < .6 else ax - len(dims)), o)


def add_split(net):
    x, dims = net.pick(lambda h: len(h) >= 2)
    axs = [i for i in range(1, len(dims)) if dims[i] >= 2]
    if not axs:
        raise Skip()
    ax = net.draw.choice(axs)
    k = net.draw.randint(2, min(4, dims[ax]))
    cuts = sorted(net.draw.sample(range(1, dims[ax]), k - 1))
    sizes = [b - a for a, b in zip([0] + cuts, cuts + [dims[ax]])]
    attributes = dict(axis=ax if net.draw.random() < .6 else ax - len(dims))
    inputs = [x]
    if net.draw.random() < .3 and dims[ax] % k == 0:
        sizes = [dims[ax] // k] * k
        if net.opset >= 18:
            attributes['num_outputs'] = k
    elif net.opset >= 18 and net.draw.random() < .3:
        c = -(-dims[ax] // k)
        sizes = [c] * (k - 1) + [dims[ax] - c * (k - 1)]
        attributes['num_outputs'] = k
        if sizes[-1] < 1:
            raise Skip()
    elif net.opset < 13:
        attributes['split'] = sizes
    else:
        inputs.append(net.ints(sizes))
    o = net.emit('Split', inputs, outs=k, **attributes)
    for n, z in zip(o, sizes):
        h = list(dims)
        h[ax] = z
        net.add(n, h)


def add_slice(net):
    x, dims = net.pick(lambda h: len(h) >= 2)
    draw = net.draw
    axes = draw.sample(range(1, len(dims)), draw.randint(1, len(dims) - 1))
    strides, en, spatial, out = [], [], [], list(dims)
    for a in axes:
        d = dims[a]
        step = 1 if net.opset < 10 else draw.choice([1, 1, 2, -1, -1, -2, 3])
        if step > 0:
            b = draw.randint(0, d - 1)
            e = draw.choice([d, 2**31 - 1, 2**63 - 1, draw.randint(b + 1, d),
                            draw.randint(b + 1, d) - d if 0 else d])
            ee = min(e, d)
            n = -(-(ee - b) // step)
            if draw.random() < .3:
                b -= d
            if e <= d and e != d and draw.random() < .3:
                e -= d
        else:
            b = draw.choice([d - 1, -1, 2**31 - 1, draw.randint(0, d - 1)])
            bb = min(b if b >= 0 else b + d, d - 1)
            e = draw.choice([-2**31, -2**63 + 1, -d - 1,
                            draw.randint(-1, bb - 1) if bb >= 1 else -d - 1])
            if e == -1:
                e = -d - 1
            ee = e if e >= 0 else -1
            n = -(-(bb - ee) // -step)
        if n < 1:
            raise Skip()
        strides.append(b)
        en.append(e)
        spatial.append(step)
        out[a] = n
    if draw.random() < .4:
        ax = [a - len(dims) for a in axes]
    else:
        ax = axes
    if net.opset < 10:
        o = net.emit('Slice', [x], starts=strides, ends=en, axes=axes)
    else:
        inputs = [x, net.ints(strides), net.ints(en), net.ints(ax)]
        if any(v != 1 for v in spatial) or draw.random() < .5:
            inputs.append(net.ints(spatial))
        o = net.emit('Slice', inputs)
    net.add(o, out)


def add_transpose(net):
    x, dims = net.pick(lambda h: len(h) >= 3)
    p = list(range(1, len(dims)))
    net.draw.shuffle(p)
    p = [0] + p
    net.add(net.emit('Transpose', [x], perm=p), [dims[i] for i in p])


def add_tcancel(net):
    x, dims = net.pick(lambda h: len(h) == 4)
    p = [0, 2, 3, 1]
    a = net.emit('Transpose', [x], perm=p)
    net.add(a, [dims[i] for i in p])
    old = net.pool
    net.pool = [old[-1]]
    try:
        for _ in range(net.draw.randint(0, 2)):
            net.draw.choice([add_act, add_binc, add_bin])(net)
        y, h = net.pool[-1]
    finally:
        net.pool = old + net.pool[1:]
    if len(h) != 4:
        return
    q = [0, 3, 1, 2]
    net.add(net.emit('Transpose', [y], perm=q), [h[i] for i in q])


def add_reshape(net):
    x, dims = net.pick(lambda h: len(h) >= 2)
    draw = net.draw
    rest = int(np.prod(dims[1:]))
    k = draw.choice(['flatten', 'reshape', 'reshape', 'squeeze', 'unsqueeze'])
    if k == 'flatten':
        net.add(net.emit('Flatten', [x], axis=1), [dims[0], rest])
        return
    if k == 'unsqueeze':
        if len(dims) > 4:
            raise Skip()
        a = draw.randint(1, len(dims))
        o = dims[:a] + [1] + dims[a:]
        net.add(net.emit('Unsqueeze', [x], axes=[a]) if net.opset < 13 else net.emit(
            'Unsqueeze', [x, net.ints([a if draw.random() < .5 else a - len(o)])]), o)
        return
    if k == 'squeeze':
        c = [i for i in range(1, len(dims)) if dims[i] == 1]
        if not c:
            raise Skip()
        a = draw.sample(c, draw.randint(1, len(c)))
        o = [d for i, d in enumerate(dims) if i not in a]
        if len(o) < 2:
            raise Skip()
        net.add(
            net.emit(
                'Squeeze', [x], axes=sorted(a)) if net.opset < 13 else net.emit(
                'Squeeze', [
                    x, net.ints(a)]), o)
        return
    f = []
    m = rest
    for _ in range(draw.randint(0, 3)):
        ds = [d for d in range(1, m + 1) if m % d == 0]
        d = draw.choice(ds)
        f.append(d)
        m //= d
    f.append(m)
    draw.shuffle(f)
    t = [0] + f
    if draw.random() < .5 and not net.open_batch:
        t[0] = dims[0]
    i = draw.randint(1, len(t) - 1)
    if draw.random() < .5:
        t[i] = -1
    elif draw.random() < .5 and net.open_batch:
        t[0] = -1
    for j in range(1, min(len(t), len(dims))):
        if t[j] == dims[j] and draw.random() < .5:
            t[j] = 0
    net.add(net.emit('Reshape', [x, net.ints(t)]), [dims[0]] + f)


def broadcast_dims(net, dims):
    draw = net.draw
    k = draw.choice(['scalar', 'one', 'chan', 'last', 'mix', 'chan4', 'full'])
    if k == 'scalar':
        return []
    if k == 'one':
        return [1]
    if k == 'chan':
        return [dims[1]] + [1] * (len(dims) - 2)
    if k == 'chan4':
        return [1, dims[1]] + [1] * (len(dims) - 2)
    if k == 'last':
        return [dims[-1]]
    if k == 'full':
        return [1] + dims[1:]
    return [1] + [d if draw.random() < .5 else 1 for d in dims[1:]]


def add_binc(net):
    x, dims = net.pick(lambda h: len(h) >= 2)
    op = net.draw.choice(['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Add', 'Mul', 'Pow', 'PRelu'])
    if op in ('Max', 'Min') and net.opset < 8:
        op = 'Add'
    b = broadcast_dims(net, dims)
    if op == 'Pow':
        y = net.emit('Abs', [x])
        c = net.weight(b, kind='positive') if net.draw.random(
        ) < .5 else net.floats(net.draw.choice([2., .5, 3.]))
        net.add(net.emit('Pow', [y, c]), dims)
        return
    if op == 'PRelu':
        net.add(net.emit('PRelu', [x, net.weight(b, kind='unit')]), dims)
        return
    c = net.weight(b, kind='positive' if op == 'Div' else 'unit')
    inputs = [x, c]
    if op != 'Div' and net.draw.random() < .4:
        inputs = [c, x]
    net.add(net.emit(op, inputs), dims)


def add_bin(net):
    x, dims = net.pick(lambda h: len(h) >= 2)
    op = net.draw.choice(['Add', 'Add', 'Add', 'Sub', 'Mul', 'Max', 'Min', 'Sum', 'Mean'])
    if op in ('Max', 'Min', 'Sum', 'Mean') and net.opset < 8:
        op = 'Add'

    def ok(h): return len(h) <= len(dims) and len(h) >= 2 and h[0] == dims[0] and len(
        h) == len(dims) and all(a == b or a == 1 or b == 1 for a, b in zip(h[1:], dims[1:]))
    c = [t for t in net.pool if ok(t[1])]
    n = 1 if op not in ('Sum', 'Mean', 'Max', 'Min') else net.draw.choice([1, 1, 2])
    ts = [net.draw.choice(c) for _ in range(n)]
    for t in ts:
        net.used.add(t[0])
    o = list(dims)
    for t in ts:
        if not all(a == b or a == 1 or b == 1 for a, b in zip(t[1], o)):
            raise Skip()
        o = [max(a, b) for a, b in zip(t[1], o)]
    inputs = [x] + [t[0] for t in ts]
    if net.draw.random() < .3:
        net.draw.shuffle(inputs)
    net.add(net.emit(op, inputs), o)


def add_act(net):
    x, dims = net.pick()
    draw = net.draw
    operators = [
        'Relu',
        'Relu',
        'Relu',
        'LeakyRelu',
        'Elu',
        'Selu',
        'Sigmoid',
        'HardSigmoid',
        'Tanh',
        'Softplus',
        'Softsign',
        'Abs',
        'Neg',
        'Clip',
        'Clip',
        'Identity',
        'Dropout',
        'Swish',
        'HSwish',
        'HSig',
        'Erf',
        'Exp',
        'SqrtAbs',
        'Recip',
        'Round',
        'Floor',
        'Ceil',
        'Sign',
        'Celu',
        'HardSwish',
        'Mish',
        'Gelu',
        'GeluE']
    op = draw.choice(operators)
    need = dict(Erf=9, Round=11, Sign=9, Celu=12, HardSwish=14, Mish=18, Gelu=20)
    if net.opset < need.get(op, 1):
        raise Skip()
    if op == 'Clip':
        low, high = draw.choice([(0, 6), (-1, 1), (0, None), (None, 1.5),
                                (.25, .75), (None, None), (1, -1), (-6, 0), (0.5, 0.5)])
        if net.opset < 11:
            attributes = {}
            if low is not None:
                attributes['min'] = float(low)
            if high is not None:
                attributes['max'] = float(high)
            if low is not None and high is not None and low > high:
                raise Skip()
            y = net.emit('Clip', [x], **attributes)
        else:
            y = net.emit('Clip', [x, net.floats(low) if low is not None else '',
                         net.floats(high) if high is not None else ''])
    elif op == 'Swish':
        a = net.emit('Sigmoid', [x])
        if draw.random() < .2:
            net.add(a, dims)
        y = net.emit('Mul', draw.choice([[x, a], [a, x]]))
    elif op in ('HSwish', 'HSig'):
        a = net.emit('Add', [x, net.floats(3.)])
        a = net.emit(
            'Clip', [a], min=0., max=6.) if net.opset < 11 else net.emit(
            'Clip', [
                a, net.floats(0.), net.floats(6.)])
        if op == 'HSwish' and draw.random() < .5:
            a = net.emit('Mul', [x, a])
            y = net.emit('Div', [a, net.floats(6.)])
        else:
            a = net.emit('Div', [a, net.floats(6.)]) if draw.random() < .5 else net.emit(
                'Mul', [a, net.floats(np.float32(1) / np.float32(6))])
            if draw.random() < .2:
                net.add(a, dims)
            y = net.emit('Mul', [a, x]) if op == 'HSwish' else a
    elif op == 'SqrtAbs':
        y = net.emit('Sqrt', [net.emit('Abs', [x])])
    elif op == 'Exp':
        y = net.emit('Exp', [net.emit('Clip', [x], min=-5., max=3.) if net.opset <
                     11 else net.emit('Clip', [x, net.floats(-5.), net.floats(3.)])])
    elif op == 'Recip':
        y = net.emit('Reciprocal', [net.emit('Add', [net.emit('Abs', [x]), net.floats(.5)])])
    elif op in ('Round', 'Floor', 'Ceil', 'Sign'):
        # ill conditioned at integers: keep off the main path
        raise Skip()
    elif op == 'LeakyRelu':
        y = net.emit(op, [x], alpha=draw.choice([.1, .01, 0.3, -0.2, 1.5]))
    elif op == 'HardSigmoid':
        y = net.emit(op, [x], **draw.choice([{}, dict(alpha=1 / 6., beta=.5), dict(alpha=-.3, beta=.4)]))
    elif op in ('Elu', 'Celu'):
        y = net.emit(op, [x], alpha=draw.choice([1., .5, 2.]))
    elif op == 'Gelu':
        y = net.emit(op, [x], approximate=draw.choice(['none', 'tanh']))
    elif op == 'GeluE':
        if net.opset < 9:
            raise Skip()
        a = net.emit('Div', [x, net.floats(1.4142135)])
        a = net.emit('Erf', [a])
        a = net.emit('Add', [a, net.floats(1.)])
        a = net.emit('Mul', [x, a])
        y = net.emit('Mul', [a, net.floats(.5)])
    else:
        y = net.emit(op, [x])
    net.add(y, dims)


def add_softmax(net):
    x, dims = net.pick(lambda h: len(h) >= 2)
    ax = net.draw.randint(1, len(dims) - 1)
    a = ax if net.draw.random() < .5 else ax - len(dims)
    attributes = {} if net.draw.random() < .2 else dict(axis=a)
    net.add(net.emit(net.draw.choice(['Softmax', 'LogSoftmax']), [x], **attributes), dims)


def add_reduce(net):
    x, dims = net.pick(lambda h: len(h) >= 2)
    draw = net.draw
    op = draw.choice(['ReduceMean', 'ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceMin',
                     'ReduceL1', 'ReduceL2', 'ReduceSumSquare', 'ReduceProd'])
    ax = sorted(draw.sample(range(1, len(dims)), draw.randint(1, len(dims) - 1)))
    kd = draw.choice([0, 1])
    if op == 'ReduceProd' and np.prod([dims[i] for i in ax]) > 12:
        op = 'ReduceMean'
    axes_given = [a - len(dims) for a in ax] if draw.random() < .4 else ax
    inp = net.opset >= 18 or (net.opset >= 13 and op == 'ReduceSum')
    o = [(1 if i in ax else d) for i, d in enumerate(dims) if kd or i not in ax]
    if len(o) < 2:
        kd = 1
        o = [(1 if i in ax else d) for i, d in enumerate(dims)]
    attributes = dict(keepdims=kd) if not kd or draw.random() < .5 else {}
    net.add(net.emit(op, [x, net.ints(axes_given)], **attributes)
            if inp else net.emit(op, [x], axes=axes_given, **attributes), o)


def add_gather(net):
    x, dims = net.pick(lambda h: len(h) >= 2)
    draw = net.draw
    ax = draw.randint(1, len(dims) - 1)
    d = dims[ax]
    if draw.random() < .3 and len(dims) > 2:
        idx = np.array(draw.randint(-d, d - 1), np.int64)
        o = dims[:ax] + dims[ax + 1:]
    else:
        n = draw.randint(1, 5)
        idx = np.array([draw.randint(-d if net.opset >= 11 else 0, d - 1) for _ in range(n)], np.int64)
        o = dims[:ax] + [n] + dims[ax + 1:]
        if draw.random() < .2:
            idx = idx.reshape(1, n)
            o = dims[:ax] + [1, n] + dims[ax + 1:]
    if len(o) < 2:
        raise Skip()
    if net.opset < 11:
        idx = np.abs(idx) % d
    net.add(net.emit('Gather', [x, net.const(idx)], axis=ax if draw.random()
            < .6 or net.opset < 11 else ax - len(dims)), o)


def add_blocks(net):
    draw = net.draw
    if draw.random() < .5:
        x, dims = net.pick(lambda h: len(h) == 4 and (h[1] % 4 == 0))
        b = 2
        attributes = {} if net.opset < 11 or draw.random(
        ) < .4 else dict(mode=draw.choice(['DCR', 'CRD']))
        net.add(net.emit('DepthToSpace', [x], blocksize=b, **attributes),
                [dims[0], dims[1] // 4, dims[2] * 2, dims[3] * 2])
    else:
        x, dims = net.pick(lambda h: len(h) == 4 and h[2] % 2 == 0 and h[3] % 2 == 0)
        net.add(net.emit('SpaceToDepth', [x], blocksize=2), [
                dims[0], dims[1] * 4, dims[2] // 2, dims[3] // 2])


def add_shuffle(net):
    x, dims = net.pick(lambda h: len(h) == 4 and h[1] > 1)
    divisors = [g for g in range(1, dims[1] + 1) if dims[1] % g == 0]
    g = net.draw.choice(divisors)
    a = net.emit('Reshape', [x, net.ints([0, g, dims[1] // g, dims[2], dims[3]])])
    b = net.emit('Transpose', [a], perm=[0, 2, 1, 3, 4])
    net.add(net.emit('Reshape', [b, net.ints([0, -1, dims[2], dims[3]])]), dims)


def add_expand(net):
    x, dims = net.pick(lambda h: len(h) >= 2)
    draw = net.draw
    if draw.random() < .5:
        if net.opset < 8:
            raise Skip()
        o = [d if d > 1 else draw.choice([1, 2, 3]) for d in dims[1:]]
        t = [1] + [d if draw.random() < .5 and d == q else d if q == 1 else draw.choice([1, d])
                   for d, q in zip(o, dims[1:])]
        o = [max(a, b) for a, b in zip(dims[1:], t[1:])]
        net.add(net.emit('Expand', [x, net.ints(t)]), [dims[0]] + o)
    else:
        t = [1] + [draw.choice([1, 1, 2]) for _ in dims[1:]]
        net.add(net.emit('Tile', [x, net.ints(t)]), [a * b for a, b in zip(dims, t)])


def add_where(net):
    if net.opset < 9:
        raise Skip()
    x, dims = net.pick(lambda h: len(h) >= 2)
    y = net.emit(net.draw.choice(['Less', 'Greater']), [
                 x, net.weight(broadcast_dims(net, dims), kind='unit')])
    c = [t for t in net.pool if t[1] == dims]
    t = net.draw.choice(c)
    net.used.add(t[0])
    if net.draw.random() < .5:
        net.add(
            net.emit(
                'Where', [
                    y, x, t[0]] if net.draw.random() < .5 else [
                    y, net.floats(.25), x]), dims)
    else:
        z = net.emit('Cast', [y], to=1)
        net.add(net.emit('Mul', [z, x]), dims)


def add_matmul2(net):
    a, sa = net.pick(lambda h: len(h) in (3, 4))
    c = [t for t in net.pool if len(t[1]) == len(sa) and t[1][:-2] == sa[:-2]]
    draw = net.draw
    t = draw.choice(c)
    net.used.add(t[0])
    if t[1][-2] == sa[-1]:
        net.add(net.emit('MatMul', [a, t[0]]), sa[:-1] + [t[1][-1]])
    elif t[1][-1] == sa[-1]:
        p = list(range(len(sa)))
        p[-1], p[-2] = p[-2], p[-1]
        b = net.emit('Transpose', [t[0]], perm=p)
        net.add(net.emit('MatMul', [a, b]), sa[:-1] + [t[1][-2]])
    else:
        raise Skip()


# (function, how often)
LAYERS = [(add_concat, 5), (add_split, 3), (add_slice, 5), (add_transpose, 2), (add_tcancel, 2),
          (add_reshape, 4), (add_binc, 8), (add_bin, 8), (add_act, 14), (add_softmax, 2),
          (add_reduce, 3), (add_gather, 2), (add_blocks, 2), (add_shuffle, 1), (add_expand, 1),
          (add_where, 2), (add_matmul2, 1)]
