"""Layers with windows and the blocks made of them. Each function adds one layer, or a usual group, to a
network.Network, or raises Skip."""
import numpy as np

from network import Skip


def window(net, dims, may_ceil, may_dilate=True, most=5):
    """A random window over the spatial dims: kernel, strides, dilations, auto_pad, pads, ceil_mode and the
    output's spatial dims."""
    spatial = len(dims) - 2
    draw = net.draw
    kernel = [draw.randint(1, most) for _ in range(spatial)]
    if draw.random() < 0.35:
        kernel = [3] * spatial
    strides = [draw.choice([1, 1, 1, 2, 2, 3]) for _ in range(spatial)]
    if draw.random() < 0.35:
        strides = [1] * spatial
    dilations = [draw.choice([1, 1, 1, 2, 3]) for _ in range(
        spatial)] if may_dilate and draw.random() < 0.4 else [1] * spatial
    auto = draw.choice(['NOTSET'] * 5 + ['SAME_UPPER', 'SAME_LOWER', 'VALID'])
    pads = [0] * (2 * spatial)
    ceil = 0
    if auto == 'NOTSET':
        for i in range(spatial):
            e = (kernel[i] - 1) * dilations[i] + 1
            pads[i] = draw.randint(0, min(e - 1, 3))
            pads[spatial + i] = draw.randint(0, min(e - 1, 3))
        if draw.random() < 0.3:
            pads = [k // 2 * d for k, d in zip(kernel, dilations)] * 2
        if may_ceil and draw.random() < 0.4:
            ceil = 1
    if auto != 'NOTSET':
        dilations = [1] * spatial
    out = []
    for i in range(spatial):
        e = (kernel[i] - 1) * dilations[i] + 1
        length = dims[2 + i]
        if auto.startswith('SAME'):
            o = -(-length // strides[i])
            if (o - 1) * strides[i] + e < length:  # negative padding, which ONNX Runtime takes now and then
                raise Skip()
        elif auto == 'VALID':
            o = (length - e) // strides[i] + 1 if length >= e else 0
        else:
            t = length + pads[i] + pads[spatial + i] - e
            if t < 0:
                raise Skip()
            o = (-(-t // strides[i]) if ceil else t // strides[i]) + 1
            if ceil and (o - 1) * strides[i] >= length + pads[i]:
                o -= 1
        if o < 1:
            raise Skip()
        out.append(o)
    return kernel, strides, dilations, auto, pads, ceil, out


def add_conv(net):
    x, dims = net.pick(lambda h: 3 <= len(h) <= 5 and np.prod(h[2:]) < 700)
    channels = dims[1]
    divisors = [g for g in range(1, channels + 1) if channels % g == 0]
    g = net.draw.choice([1, 1, 1, channels, net.draw.choice(divisors)])
    mult = net.draw.choice([1, 1, 2, 3])
    outputs = g * mult if g > 1 else net.draw.choice([1, 2, 3, 4, 5, 7, 8, 12, 16, 17])
    kernel, strides, dilations, auto, pads, _, out = window(net, dims, False)
    ws = [outputs, channels // g] + kernel
    attributes = dict(strides=strides, dilations=dilations, group=g)
    if auto == 'NOTSET':
        attributes['pads'] = pads
    else:
        attributes['auto_pad'] = auto
    if net.draw.random() < .8:
        attributes['kernel_shape'] = kernel
    inputs = [x]
    key = tuple(ws)
    prev = net.conv_weights
    if key in prev and net.draw.random() < .5:
        inputs.append(prev[key])
    else:
        inputs.append(net.weight(ws))
        prev[key] = inputs[1]
    b = net.draw.random()
    if b < .6:
        inputs.append(net.weight([outputs], kind='unit'))
    elif b < .66:
        inputs.append('')
    o = net.emit('Conv', inputs, **attributes)
    net.add(o, [dims[0], outputs] + out)


def add_deconv(net):
    x, dims = net.pick(lambda h: 3 <= len(h) <= 4 and np.prod(h[2:]) < 200)
    spatial = len(dims) - 2
    draw = net.draw
    channels = dims[1]
    divisors = [g for g in range(1, channels + 1) if channels % g == 0]
    g = draw.choice([1, 1, channels, draw.choice(divisors)])
    m = draw.choice([1, 2, 3, 4])
    kernel = [draw.randint(1, 4) for _ in range(spatial)]
    strides = [draw.randint(1, 3) for _ in range(spatial)]
    dilations = [draw.choice([1, 1, 2]) for _ in range(spatial)]
    attributes = dict(strides=strides, dilations=dilations, group=g)
    op = [draw.randint(0, max(0, strides[i] - 1))
          for i in range(spatial)] if draw.random() < .4 else [0] * spatial
    mode = draw.choice(['pads', 'pads', 'pads', 'SAME_UPPER', 'SAME_LOWER', 'VALID', 'shape', 'shapeU'])
    e = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    full = [strides[i] * (dims[2 + i] - 1) + op[i] + e[i] for i in range(spatial)]
    if mode == 'pads':
        pads = [draw.randint(0, min(2, e[i % spatial] - 1)) for i in range(2 * spatial)]
        out = [full[i] - pads[i] - pads[spatial + i] for i in range(spatial)]
        attributes['pads'] = pads
    elif mode == 'VALID':
        out = full
        attributes['auto_pad'] = mode
    elif mode.startswith('SAME'):
        out = [dims[2 + i] * strides[i] for i in range(spatial)]
        attributes['auto_pad'] = mode
        if any(full[i] < out[i] for i in range(spatial)):
            raise Skip()
    else:
        out = [max(1, full[i] - draw.randint(0, 2)) for i in range(spatial)]
        attributes['output_shape'] = out
        if mode == 'shapeU':
            attributes['auto_pad'] = 'SAME_UPPER'
    if any(op):
        attributes['output_padding'] = op
    if any(o < 1 for o in out):
        raise Skip()
    inputs = [x, net.weight([channels, m] + kernel)]
    if draw.random() < .5:
        inputs.append(net.weight([m * g], kind='unit'))
    o = net.emit('ConvTranspose', inputs, **attributes)
    net.add(o, [dims[0], m * g] + out)


def add_pool(net):
    x, dims = net.pick(lambda h: 3 <= len(h) <= 5)
    mx = net.draw.random() < .5
    op = 'MaxPool' if mx else 'AveragePool'
    kernel, strides, dilations, auto, pads, ceil, out = window(
        net, dims, net.opset >= 10, mx and net.opset >= 10 or net.opset >= 19)
    attributes = dict(kernel_shape=kernel, strides=strides)
    if auto == 'NOTSET':
        pads = [min(p, kernel[i % len(kernel)] - 1) for i, p in enumerate(pads)]
        spatial = len(kernel)
        out = []
        for i in range(spatial):
            e = (kernel[i] - 1) * dilations[i] + 1
            t = dims[2 + i] + pads[i] + pads[spatial + i] - e
            if t < 0:
                raise Skip()
            o = (-(-t // strides[i]) if ceil else t // strides[i]) + 1
            if ceil and (o - 1) * strides[i] >= dims[2 + i] + pads[i]:
                o -= 1
            out.append(o)
        attributes['pads'] = pads
    else:
        attributes['auto_pad'] = auto
    if any(d > 1 for d in dilations):
        attributes['dilations'] = dilations
    if ceil:
        attributes['ceil_mode'] = 1
    if not mx and net.draw.random() < .5:
        attributes['count_include_pad'] = 1
    net.add(net.emit(op, [x], **attributes), dims[:2] + out)


def add_gpool(net):
    x, dims = net.pick(lambda h: 3 <= len(h) <= 5)
    net.add(net.emit(net.draw.choice(['GlobalAveragePool', 'GlobalMaxPool']), [
            x]), dims[:2] + [1] * (len(dims) - 2))


def add_pad(net):
    x, dims = net.pick(lambda h: 2 <= len(h) <= 5)
    draw = net.draw
    mode = draw.choice(['constant', 'constant', 'reflect', 'edge'] +
                       (['wrap'] if net.opset >= 19 else []))
    n = len(dims)
    b = [0] * n
    e = [0] * n
    for i in range(1, n):
        if i == 1 and draw.random() < .75:
            continue
        lim = min(3, dims[i] - 1) if mode == 'reflect' else 3
        b[i] = draw.randint(0, lim)
        e[i] = draw.randint(0, lim)
        if mode == 'constant' and draw.random() < .1 and dims[i] > 3:
            b[i] = -1
        if mode == 'constant' and draw.random() < .1 and dims[i] > 3:
            e[i] = -1
    attributes = {} if mode == 'constant' and draw.random() < .5 else {'mode': mode}
    v = draw.choice([0, 0, 0, 0.5, -1.25]) if mode == 'constant' else None
    inputs = [x]
    if net.opset < 11:
        attributes['pads'] = b + e
        if v is not None and np.isfinite(v):
            attributes['value'] = float(v)
    else:
        if net.opset >= 18 and draw.random() < .4:
            ax = [i for i in range(n) if b[i] or e[i]] or [n - 1]
            inputs += [net.ints([b[i] for i in ax] + [e[i] for i in ax]),
                       net.floats(v) if v is not None and np.isfinite(v) else '',
                       net.ints([a - n if draw.random() < .5 else a for a in ax])]
        else:
            inputs.append(net.ints(b + e))
            if v is not None and draw.random() < .8:
                inputs.append(net.floats(v))
    net.add(net.emit('Pad', inputs, **attributes), [dims[i] + b[i] + e[i] for i in range(n)])


def add_padpool(net):
    """Pad before a convolution or pooling that may take it in."""
    x, dims = net.pick(lambda h: 3 <= len(h) <= 4)
    draw = net.draw
    n = len(dims)
    b = [0, 0] + [draw.randint(0, 3) for _ in range(n - 2)]
    e = [0, 0] + [draw.randint(0, 3) for _ in range(n - 2)]
    v = draw.choice([0, 0, 0, float('-inf'), -3.4028234663852886e38, 1.0])
    if net.opset < 11:
        p = net.emit('Pad', [x], pads=b + e, value=float(v)
                     if np.isfinite(v) else -3.4028234663852886e38)
    else:
        p = net.emit('Pad', [x, net.ints(b + e), net.floats(v)], mode='constant')
    net.add(p, [dims[i] + b[i] + e[i] for i in range(n)])
    if v < -1:
        old = net.pool
        net.pool = [net.pool[-1]]
        old.pop()  # only the pool is to read it
        try:
            kernel = [max(b[2 + i], e[2 + i]) + draw.randint(1, 3) for i in range(n - 2)]
            strides = [draw.randint(1, 2) for _ in kernel]
            o = [(dims[2 + i] + b[2 + i] + e[2 + i] - kernel[i]) // strides[i] + 1 for i in range(n - 2)]
            attributes = {} if draw.random() < .5 else draw.choice(
                [dict(pads=[0] * (2 * (n - 2))), dict(auto_pad='VALID')])
            net.pool = old
            net.add(net.emit('MaxPool', [p], kernel_shape=kernel,
                    strides=strides, **attributes), dims[:2] + o)
        except Skip:
            net.pool = old
            raise
    else:
        draw.choice([add_conv, add_pool])(net)


def add_resize(net):
    x, dims = net.pick(lambda h: 3 <= len(h) <= 5 and np.prod(h[2:]) < 300)
    draw = net.draw
    n = len(dims)
    if net.opset < 9:
        sc = [1., 1.] + [draw.choice([1., 2., 3., 1.5]) for _ in range(n - 2)]
        attributes = dict(mode=draw.choice(['nearest', 'linear']), scales=sc)
        if attributes['mode'] == 'linear' and n != 4:
            raise Skip()
        net.add(net.emit('Upsample', [x], **attributes), dims[:2] +
                [int(np.floor(dims[i] * np.float32(sc[i]))) for i in range(2, n)])
        return
    sc = [1., 1.] + [draw.choice([1., 2., 2., 3., 1.5, 0.5, 0.7, 1.3, 2.6]) for _ in range(n - 2)]
    mode = draw.choice(['nearest', 'nearest', 'linear', 'linear', 'cubic'])
    if net.opset < 11:
        if mode == 'cubic' or (mode == 'linear' and n != 4):
            mode = 'nearest'
        if net.opset == 9:
            sc = [max(1., v) for v in sc]
        else:
            sc = [1., 1.] + [draw.choice([1., 2., 3., .5]) for _ in range(n - 2)]
        net.add(net.emit('Upsample' if net.opset == 9 else 'Resize', [x, net.floats(
            sc)], mode=mode), dims[:2] + [int(np.floor(dims[i] * np.float32(sc[i]))) for i in range(2, n)])
        return
    if mode == 'cubic' and n != 4:
        mode = 'nearest'
    transformation = draw.choice(['half_pixel',
                                  'pytorch_half_pixel',
                                  'align_corners',
                                  'asymmetric'] + (['half_pixel_symmetric'] if net.opset >= 19 else []))
    attributes = dict(mode=mode, coordinate_transformation_mode=transformation)
    if mode == 'nearest':
        attributes['nearest_mode'] = draw.choice(
            ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'])
    if mode == 'cubic':
        if draw.random() < .4:
            attributes['cubic_coeff_a'] = -0.5
        if draw.random() < .3:
            attributes['exclude_outside'] = 1
    roi = '' if net.opset >= 13 or draw.random() < .5 else net.floats(np.zeros((0,)))
    if draw.random() < .5:
        sz = [net.batch if 0 else dims[0], dims[1]] + \
            [draw.randint(1, 2 * dims[i] + 1) for i in range(2, n)]
        if net.opset >= 18:
            attributes['axes'] = list(range(2, n))
            inputs = [x, roi, '', net.ints(sz[2:])]
        else:
            if net.open_batch:
                raise Skip()
            inputs = [x, roi, '' if net.opset >= 13 else net.floats(np.zeros((0,))), net.ints(sz)]
        out = sz[2:]
    else:
        inputs = [x, roi if roi or net.opset >= 13 else net.floats(np.zeros((0,))), net.floats(sc)]
        out = [int(np.floor(dims[i] * np.float32(sc[i]))) for i in range(2, n)]
    net.add(net.emit('Resize', inputs, **attributes), dims[:2] + out)


def add_bn(net):
    x, dims = net.pick(lambda h: 2 <= len(h) <= 5)
    channels = dims[1]
    draw = net.draw
    k = draw.choice(['BatchNormalization'] * 4 + ['InstanceNormalization',
                    'LRN', 'LayerNormalization', 'LpNormalization'])
    if k == 'BatchNormalization':
        constants = [net.weight([channels], kind) for kind in ('unit', 'unit', 'unit', 'positive')]
        net.add(net.emit(k, [x] + constants, epsilon=draw.choice([1e-5, 1e-3])), dims)
    elif k == 'InstanceNormalization':
        if len(dims) < 3 or np.prod(dims[2:]) < 4:
            raise Skip()
        net.add(net.emit(k, [x, net.weight([channels], kind='unit'),
                net.weight([channels], kind='unit')], epsilon=1e-2), dims)
    elif k == 'LRN':
        if len(dims) != 4:
            raise Skip()
        net.add(net.emit(k, [x], size=draw.choice([1, 3, 5, 7]), alpha=draw.choice(
            [1e-4, .5]), beta=draw.choice([.75, .5, 1.]), bias=draw.choice([1., 2.])), dims)
    elif k == 'LayerNormalization':
        if net.opset < 17:
            raise Skip()
        ax = draw.randint(1, len(dims) - 1)
        if np.prod(dims[ax:]) < 4:
            raise Skip()
        inputs = [x, net.weight(dims[ax:], kind='unit')] + \
            ([net.weight(dims[ax:], kind='unit')] if draw.random() < .6 else [])
        net.add(
            net.emit(
                k,
                inputs,
                axis=ax if draw.random() < .5 else ax -
                len(dims),
                epsilon=1e-2),
            dims)
    else:
        net.add(net.emit(k, [x], axis=draw.randint(1, len(dims) - 1), p=draw.choice([1, 2])), dims)


def add_dense(net):
    draw = net.draw
    x, dims = net.pick(lambda h: len(h) == 2 and h[1] < 600) if draw.random(
    ) < .7 else net.pick(lambda h: 2 <= len(h) <= 4 and h[-1] < 300)
    K = dims[-1]
    N = draw.choice([1, 2, 3, 4, 7, 10])
    if len(dims) == 2 and draw.random() < .7:
        tb = draw.choice([0, 1])
        attributes = dict(transB=tb) if tb else {}
        if draw.random() < .3:
            attributes['alpha'] = draw.choice([.5, 2.])
        if draw.random() < .3:
            attributes['beta'] = draw.choice([.5, 2.])
        inputs = [x, net.weight([N, K] if tb else [K, N])]
        bias_dims = draw.choice([[N], [1, N], [1], [], [dims[0], 1] if not net.open_batch else [
                             N], [dims[0], N] if not net.open_batch else [N], None, None])
        if bias_dims is None and net.opset < 11:
            bias_dims = [N]
        if bias_dims is not None:
            inputs.append(net.weight(bias_dims, kind='unit'))
        net.add(net.emit('Gemm', inputs, **attributes), [dims[0], N])
    else:
        y = net.emit('MatMul', [x, net.weight([K, N])])
        o = dims[:-1] + [N]
        net.add(y, o)
    if draw.random() < .4:
        o = net.pool[-1]
        net.add(net.emit('Add', [o[0], net.weight([N], kind='unit')]), o[1])


def add_se(net):
    x, dims = net.pick(lambda h: len(h) == 4)
    channels = dims[1]
    R = net.draw.choice([1, 2, 4])
    a = net.emit('GlobalAveragePool', [x])
    a = net.emit('Conv', [a, net.weight([R, channels, 1, 1]), net.weight([R], kind='unit')])
    a = net.emit('Relu', [a])
    a = net.emit('Conv', [a, net.weight([channels, R, 1, 1])])
    a = net.emit(net.draw.choice(['Sigmoid', 'HardSigmoid']), [a])
    net.add(net.emit('Mul', net.draw.choice([[x, a], [a, x]])), dims)


def add_res(net):
    """conv+bn+add+relu block with a second reader now and then"""
    x, dims = net.pick(lambda h: len(h) == 4 and np.prod(h[2:]) < 500)
    channels = dims[1]
    k = net.draw.choice([1, 3])
    a = net.emit('Conv', [x, net.weight([channels, channels, k, k])], pads=[k // 2] * 4)
    if net.draw.random() < .2:
        net.add(a, dims)
    if net.draw.random() < .6:
        constants = [net.weight([channels], kind) for kind in ('unit', 'unit', 'unit', 'positive')]
        a = net.emit('BatchNormalization', [a] + constants)
    if net.draw.random() < .2:
        net.add(a, dims)
    if net.draw.random() < .4:
        a = net.emit('Relu', [a])
    a = net.emit('Add', net.draw.choice([[a, x], [x, a]]))
    if net.draw.random() < .25:
        net.add(a, dims)
    net.add(net.emit('Relu', [a]) if net.draw.random() < .8 else a, dims)


def add_dw(net):
    x, dims = net.pick(lambda h: len(h) == 4 and np.prod(h[2:]) < 500)
    channels = dims[1]
    E = net.draw.choice([1, 2, 3, 6]) * channels
    strides = net.draw.choice([1, 1, 2])

    def relu6(a): return net.emit(
        'Clip', [a], min=0., max=6.) if net.opset < 11 else net.emit(
        'Clip', [
            a, net.floats(0.), net.floats(6.)])
    a = relu6(net.emit('Conv', [x, net.weight([E, channels, 1, 1]), net.weight([E], kind='unit')]))
    k = net.draw.choice([3, 5])
    o = [(d + 2 * (k // 2) - k) // strides + 1 for d in dims[2:]]
    a = relu6(net.emit('Conv', [a, net.weight([E, 1, k, k]), net.weight(
        [E], kind='unit')], group=E, strides=[strides, strides], pads=[k // 2] * 4))
    outputs = channels if net.draw.random() < .5 else net.draw.choice([4, 8])
    a = net.emit('Conv', [a, net.weight([outputs, E, 1, 1]), net.weight([outputs], kind='unit')])
    net.add(a, [dims[0], outputs] + o)
    if strides == 1 and outputs == channels:
        net.add(net.emit('Add', [a, x]), dims)


# (function, how often)
WINDOWS = [(add_conv, 16), (add_deconv, 5), (add_pool, 8), (add_gpool, 1), (add_pad, 4),
           (add_padpool, 4), (add_resize, 5), (add_bn, 7), (add_dense, 4), (add_se, 2), (add_res,
           3), (add_dw, 3)]
