#!/usr/bin/env python3
"""Trains the embedded face backbone on drawn people and writes it as ONNX.

    kiln-faces -o drawn --people 3000 --pictures 12 --size 64 --seed 1000
    python3 models/faces/train_backbone.py drawn -o models/faces/backbone.onnx

The network is a small MobileNetV2 (Sandler et al. 2018) that ends in a depthwise convolution over
all positions and a dense layer (as MobileFaceNet, Chen et al. 2018): 64x64 RGB, (x - 127.5) / 128,
to 128 features. It is trained with a cosine softmax with an additive angular margin (Deng et al.
2019) over the drawn people; pictures are changed at random (moved, turned, lit, grayed, blurred,
partly covered) so that what it learns is the face. Needs torch, onnx, pillow and numpy.
"""
import argparse
import math
import os
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image


class Block(nn.Module):
    """Inverted residual: expand, depthwise, project; added to its input where shapes allow."""

    def __init__(self, inputs, outputs, stride, expand):
        super().__init__()
        hidden = inputs * expand
        self.residual = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden), nn.ReLU(),
            nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.body(x)
        return x + y if self.residual else y


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        plan = [(32, 2, 2), (32, 1, 2), (64, 2, 2), (64, 1, 2), (64, 1, 2), (96, 2, 3), (96, 1, 3),
                (96, 1, 3)]
        layers = [nn.Conv2d(3, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU()]
        channels = 24
        for outputs, stride, expand in plan:
            layers.append(Block(channels, outputs, stride, expand))
            channels = outputs
        layers += [nn.Conv2d(channels, 256, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU(),
                   nn.Conv2d(256, 256, 4, groups=256, bias=False), nn.BatchNorm2d(256), nn.Flatten()]
        self.features = nn.Sequential(*layers)
        self.dense = nn.Linear(256, 128, bias=False)
        self.norm = nn.BatchNorm1d(128)

    def forward(self, x):
        return self.norm(self.dense(self.features(x)))


def load(folder, size):
    people = sorted(os.listdir(folder))
    pictures, labels = [], []
    for label, person in enumerate(people):
        for name in sorted(os.listdir(os.path.join(folder, person))):
            picture = Image.open(os.path.join(folder, person, name)).convert("RGB")
            pictures.append(np.asarray(picture.resize((size, size))))
            labels.append(label)
    return torch.from_numpy(np.stack(pictures)), torch.tensor(labels), len(people)


def vary(x, generator):
    """x: float [N, 3, H, W] in 0..1; another picture of the same people."""
    n = x.shape[0]

    def uniform(low, high, *shape):
        return torch.rand(*shape, generator=generator) * (high - low) + low

    angle, scale = uniform(-0.2, 0.2, n), uniform(0.85, 1.2, n)
    flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = torch.cos(angle) * scale * flip, -torch.sin(angle) * scale
    theta[:, 1, 0], theta[:, 1, 1] = torch.sin(angle) * scale * flip, torch.cos(angle) * scale
    theta[:, :, 2] = uniform(-0.12, 0.12, n, 2)
    x = F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), padding_mode="border",
                      align_corners=False)
    gray = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    share = (torch.rand(n, 1, 1, 1, generator=generator) < 0.5).float()
    x = x * (1 - share) + gray * share
    x = x * (1 + uniform(-0.15, 0.15, n, 3, 1, 1))
    x = x.clamp(1e-3, 1) ** uniform(0.6, 1.6, n, 1, 1, 1)
    x = (x - 0.5) * uniform(0.6, 1.3, n, 1, 1, 1) + 0.5 + uniform(-0.12, 0.12, n, 1, 1, 1)
    small = F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)
    soft = F.interpolate(small, size=x.shape[2:], mode="bilinear", align_corners=False)
    share = uniform(0, 1, n, 1, 1, 1) * (torch.rand(n, 1, 1, 1, generator=generator) < 0.4)
    x = x * (1 - share) + soft * share
    x = x + torch.randn(x.shape, generator=generator) * uniform(0, 0.05, n, 1, 1, 1)
    if torch.rand(1, generator=generator) < 0.3:
        y0, x0 = torch.randint(0, 44, (2,), generator=generator).tolist()
        x[:, :, y0:y0 + 20, x0:x0 + 20] = torch.rand(n, 3, 1, 1, generator=generator)
    return (x.clamp(0, 1) * 255 - 127.5) / 128


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="one sub-folder of pictures a person")
    parser.add_argument("-o", "--output", default="backbone.onnx")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--minutes", type=float, default=60, help="stop after so long")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(options.seed)
    pictures, labels, people = load(options.folder, 64)
    net, weights = Backbone(), nn.Parameter(torch.randn(people, 128) * 0.05)
    print(f"{len(labels)} pictures, {people} people, "
          f"{sum(p.numel() for p in net.parameters())} parameters", flush=True)
    optimizer = torch.optim.AdamW([{"params": net.parameters()}, {"params": [weights]}], lr=2e-3,
                                  weight_decay=5e-4)
    steps = options.epochs * (len(labels) // options.batch)
    step, start = 0, time.time()
    for epoch in range(options.epochs):
        order = torch.randperm(len(labels), generator=generator)
        total = right = seen = 0
        margin = 0.25 * min(1, epoch / 4)
        for at in range(0, len(order) - options.batch + 1, options.batch):
            passed = (time.time() - start) / 60 / options.minutes
            done = max(step / steps, passed)
            if done >= 1:
                break
            for group in optimizer.param_groups:
                group["lr"] = 2e-3 * 0.5 * (1 + math.cos(math.pi * done)) + 1e-5
            pick = order[at:at + options.batch]
            x = pictures[pick].permute(0, 3, 1, 2).float() / 255
            net.train()
            features = F.normalize(net(vary(x, generator)))
            cosine = (features @ F.normalize(weights).T).clamp(-0.9999, 0.9999)
            own = F.one_hot(labels[pick], people).bool()
            logits = 24 * torch.where(own, torch.cos(torch.acos(cosine) + margin), cosine)
            loss = F.cross_entropy(logits, labels[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(pick)
            right += (cosine.argmax(1) == labels[pick]).sum().item()
            seen += len(pick)
            step += 1
        if seen > 0:
            print(f"epoch {epoch + 1}: loss {total / seen:.3f}, accuracy {right / seen:.4f}, "
                  f"{(time.time() - start) / 60:.1f} min", flush=True)
    net.eval()
    torch.onnx.export(net, torch.zeros(1, 3, 64, 64), options.output, opset_version=17,
                      input_names=["image"], output_names=["embedding"], dynamo=False,
                      dynamic_axes={"image": {0: "N"}, "embedding": {0: "N"}})
    print(f"{options.output}: {os.path.getsize(options.output)} bytes")


if __name__ == "__main__":
    main()
