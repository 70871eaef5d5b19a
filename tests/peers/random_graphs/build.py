"""build(seed): a random small network, its inputs and a description."""
import numpy as np
from onnx import TensorProto, helper

from batch import BATCH
from fusions import FUSIONS
from layers import LAYERS
from network import Network, Skip
from windows import WINDOWS

MAKERS = [maker for maker, weight in WINDOWS + LAYERS + BATCH + FUSIONS for _ in range(weight)]
IR_VERSIONS = {7: 3, 8: 3, 9: 4, 10: 5, 11: 6}  # by opset; later ones: 8


def value_info(net, name, dims):
    batch = ["N"] if net.open_batch else [dims[0]]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, batch + dims[1:])


def add_inputs(net):
    feeds, draw = {}, net.draw
    for k in range(draw.choice([1, 1, 1, 2])):
        rank, name = draw.choice([4, 4, 4, 4, 4, 3, 2, 5]), f"in{k}"
        dims = [net.batch, draw.choice([1, 2, 3, 4, 5, 6, 7, 8, 16, 17, 24, 33])]
        dims += [draw.randint(4, 17) for _ in range(rank - 2)]
        if rank == 5:
            dims = dims[:2] + [draw.randint(2, 7) for _ in range(3)]
        net.inputs.append(value_info(net, name, dims))
        feeds[name] = net.noise.standard_normal(dims).astype(np.float32)
        net.pool.append([name, dims])
    return feeds


def add_layers(net):
    wanted, kinds = net.draw.randint(1, 9), []
    for _ in range(60):
        if len(kinds) == wanted:
            break
        before, maker = net.state(), net.draw.choice(MAKERS)
        try:
            maker(net)
            kinds.append(maker.__name__[4:])
        except Skip:
            net.restore(before)
    return kinds


def choose_outputs(net):
    """Computed tensors that nothing reads, and some that something does; four at most."""
    made, seen, outputs = {o for n in net.nodes for o in n.output}, set(), []
    for name, dims in net.pool:
        if name in made and name not in seen and (name not in net.used or net.draw.random() < .12):
            outputs.append((name, dims))
        seen.add(name)
    net.draw.shuffle(outputs)
    return outputs[:4]


def build(seed):
    """(model, inputs by name, description); None when the seed's network computes nothing."""
    net = Network(seed)
    feeds = add_inputs(net)
    kinds = add_layers(net)
    outputs = choose_outputs(net)
    if not outputs:
        return None
    graph = helper.make_graph(net.nodes, f"g{seed}", net.inputs,
                              [value_info(net, name, dims) for name, dims in outputs],
                              net.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", net.opset)],
                              ir_version=IR_VERSIONS.get(net.opset, 8))
    if net.opset < 9:  # IR version 3: initializers are inputs as well
        for t in net.initializers:
            model.graph.input.append(
                helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)))
    batch = f"batch {'N = ' if net.open_batch else ''}{net.batch}"
    return model, feeds, f"opset {net.opset}, {batch}: {', '.join(kinds)}"
