#!/usr/bin/env python3
"""Exports torchvision and timm networks with PyTorch's own answers, as ONNX's backend tests lay them out.

    python3 export_torch.py FOLDER NET[:SIZE[:VARIANTS]] ...      e.g. timm/mobilevit_xxs:256:d,ln

NET is tv/NAME, tvseg/NAME (segmentation) or timm/NAME (timm/NAME+rep: re-parameterised), SIZE 224 unless
given. Variants, "d,ln" unless given: d is the dynamo exporter, l the legacy one; n after it leaves the
batch open (the data hold two samples); 17 after it asks for opset 17. Says "made FOLDER/..." or
"failed NAME: why" for each; what is there is not made again.

Needs torch, torchvision, timm, onnx and onnxscript. PyPI's torch asks for gigabytes of CUDA:
    pip install --no-deps torch==2.13.0 torchvision==0.28.0 timm onnx onnxscript onnx_ir
    pip install filelock typing_extensions sympy networkx jinja2 fsspec numpy pillow pyyaml \\
        huggingface_hub safetensors ml_dtypes protobuf packaging
does without most of it (where import torch then misses a library: nvidia-cufile, nvidia-cusparselt-cu13,
nvidia-nvshmem-cu13, nvidia-nccl-cu13, with --no-deps).
"""
import logging
import os
import sys
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import onnx
import torch
import torchvision
from onnx import numpy_helper

SCALES = ("gamma", "layer_scale", "skip_gain")  # initialised to next to nothing


def randomise(model):
    """Statistics and scales as a trained network might have them, so that every layer counts."""
    generator = torch.Generator().manual_seed(7)
    for module in model.modules():
        if getattr(module, "running_mean", None) is not None:
            module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=generator) * 0.1)
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
    for name, parameter in model.named_parameters():
        if any(scale in name for scale in SCALES):
            parameter.data.copy_(torch.rand(parameter.shape, generator=generator) * 0.5 + 0.5)


class Segmentation(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x)["out"]


def build(net):
    torch.manual_seed(0)
    zoo, name = net.split("/", 1)
    if zoo == "timm":
        import timm
        model = timm.create_model(name.replace("+rep", ""), pretrained=False)
        if name.endswith("+rep"):
            from timm.utils.model import reparameterize_model
            model = reparameterize_model(model)
    elif zoo == "tvseg":
        model = Segmentation(torchvision.models.get_model(name, weights=None, weights_backbone=None))
    else:
        heads = {"init_weights": True, "aux_logits": True} if name in ("inception_v3", "googlenet") else {}
        model = torchvision.models.get_model(name, weights=None, **heads)
    model.eval()
    with torch.no_grad():
        randomise(model)
    return model


def export(model, folder, variant, size):
    batch = 2 if variant.endswith("n") else 1
    x = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(3))
    path, data = os.path.join(folder, "model.onnx"), os.path.join(folder, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    options = {"opset_version": 17} if "17" in variant else {}
    if variant[0] == "d":
        if batch > 1:
            options["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
        torch.onnx.export(model, (x,), path, dynamo=True, verbose=False, **options)
    else:
        if batch > 1:
            options["dynamic_axes"] = {"input": {0: "batch"}, "output": {0: "batch"}}
        torch.onnx.export(model, (x,), path, dynamo=False, input_names=["input"],
                          output_names=["output"], **options)
    graph = onnx.load(path, load_external_data=False).graph
    with torch.no_grad():
        answer = model(x)
    for kind, value, end in (("input", x, graph.input[0]), ("output", answer, graph.output[0])):
        with open(os.path.join(data, f"{kind}_0.pb"), "wb") as out:
            out.write(numpy_helper.from_array(value.numpy(), end.name).SerializeToString())


def main():
    for job in sys.argv[2:]:
        net, size, variants = (job.split(":") + ["224", "d,ln"][job.count(":"):])[:3]
        folders = [os.path.join(sys.argv[1], f"{net.replace('/', '_')}.{v}") for v in variants.split(",")]
        present = [os.path.exists(f"{folder}/test_data_set_0/output_0.pb") for folder in folders]
        model = None if all(present) else build(net)
        for folder, variant, there in zip(folders, variants.split(","), present):
            try:
                if not there:
                    export(model, folder, variant, int(size))
                print("made", folder, flush=True)
            except Exception as error:  # of many classes
                reason = (str(error) or type(error).__name__).splitlines()[0][:200]
                print(f"failed {os.path.basename(folder)}: {reason}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
