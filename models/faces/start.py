"""Takes a network's weights from the ONNX file that an earlier training wrote."""
import onnx
import torch
import torch.nn as nn
from onnx import numpy_helper


def start_from(net, path, x):
    """The file's normalisations were folded into its convolutions: each normalisation of `net` is
    set to undo what it does to x, so that the network computes the same as the file's. Layers are
    told by their order in a run. Dense layers are taken as they are."""
    graph = onnx.load(path).graph
    stored = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    nodes = iter([n for n in graph.node if n.op_type in ("Conv", "MatMul")])
    bias = [None]

    def take(layer, _):
        node = next(nodes, None)
        if node is None:  # a layer for training alone, which the file does not have
            bias[0] = None
            return
        weight = stored[node.input[1]]
        layer.weight.data.copy_(weight if node.op_type == "Conv" else weight.T)
        bias[0] = stored[node.input[2]] if len(node.input) > 2 else None
        if layer.bias is not None:
            layer.bias.data.copy_(bias[0])

    def undo(norm, inputs):
        y = inputs[0].transpose(0, 1).flatten(1)
        if bias[0] is not None:
            norm.weight.data.copy_((y.var(1, unbiased=False) + norm.eps).sqrt())
            norm.bias.data.copy_(y.mean(1) + bias[0])
    hooks = []
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            hooks.append(module.register_forward_pre_hook(take))
        elif isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
            hooks.append(module.register_forward_pre_hook(undo))
    net.train()
    with torch.no_grad():
        net(x)
    for hook in hooks:
        hook.remove()
    if next(nodes, None) is not None:
        raise SystemExit(f"{path}: another network")
