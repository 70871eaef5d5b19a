#!/usr/bin/env python3
"""Trains the embedded face backbone on drawn people and writes it as ONNX.

    kiln-faces -o drawn --people 3000 --pictures 8 --size 112 --seed 1000 --truth drawn.csv
    python3 models/faces/train_backbone.py drawn.csv -o models/faces/backbone.onnx

The network is a small MobileNetV2 (Sandler et al. 2018) that ends in a depthwise convolution over
all positions (as MobileFaceNet, Chen et al. 2018): 64x64 RGB, (x - 127.5) / 128, to 256 features. A
dense layer to 128 stands between them and the loss while training, and is left out of the file:
what it lacks of the features is what does not matter to drawn people alone. Each picture's true five points, moved at random as a detector's are, are taken to
the ArcFace template; what is seen is changed at random (lit, grayed, blurred, partly covered), and
the loss is a cosine softmax with an additive angular margin (Deng et al. 2019) over the drawn
people. --start takes the weights of an earlier backbone. Needs torch, onnx, pillow and numpy.
"""
import argparse
import csv
import math
import os
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

from start import start_from
from variation import Variation

SIZE = 64
TEMPLATE = torch.tensor([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366],
                         [41.5493, 92.3655], [70.7299, 92.2041]]) * SIZE / 112
POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")


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


def load(tables):
    """Pictures of one size, their points, and whose they are."""
    pictures, points, names = [], [], []
    for table in tables:
        with open(table, newline="") as rows:
            for row in csv.DictReader(rows):
                with Image.open(row["picture"]) as picture:
                    pictures.append(np.asarray(picture.convert("RGB")))
                points.append([[float(row[f"{p}_{axis}"]) for axis in "xy"] for p in POINTS])
                names.append(row["seed"])
    labels = np.unique(names, return_inverse=True)[1]
    return (torch.from_numpy(np.stack(pictures)), torch.tensor(points), torch.from_numpy(labels),
            int(labels.max()) + 1)


def similarity(found, wanted):
    """[N, 2, 3]: takes the wanted points to the found ones, by least squares (the inverse warp)."""
    p, q = wanted - wanted.mean(1, keepdim=True), found - found.mean(1, keepdim=True)
    a = (p * q).sum((1, 2))
    b = (p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]).sum(1)
    turn = torch.stack([torch.stack([a, -b], 1), torch.stack([b, a], 1)], 1)
    turn = turn / (p * p).sum((1, 2)).view(-1, 1, 1)
    shift = found.mean(1) - (turn @ wanted.mean(1).unsqueeze(2)).squeeze(2)
    return torch.cat([turn, shift.unsqueeze(2)], 2)


def align(pictures, points, generator):
    """uint8 [N, S, S, 3] to float [N, 3, SIZE, SIZE] in 0..1, some mirrored."""
    n, side = pictures.shape[0], pictures.shape[1]
    eyes = (points[:, 1] - points[:, 0]).norm(dim=1).clamp(min=4).view(-1, 1, 1)
    moved = points + torch.randn(points.shape, generator=generator) * 0.035 * eyes
    moved = moved + torch.randn(n, 1, 2, generator=generator) * 0.03 * eyes
    m = similarity(moved, TEMPLATE.expand(n, 5, 2))
    # From pixels to the -1 .. 1 of grid_sample, on both sides.
    scale = SIZE / side
    theta = torch.empty_like(m)
    theta[:, :, :2] = m[:, :, :2] * scale
    theta[:, :, 2] = (m[:, :, :2].sum(2) * SIZE / 2 + m[:, :, 2]) * 2 / side - 1
    theta[:, :, 0] *= torch.where(torch.rand(n, 1, generator=generator) < 0.5, -1.0, 1.0)
    x = pictures.permute(0, 3, 1, 2).float() / 255
    grid = F.affine_grid(theta, [n, 3, SIZE, SIZE], align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def vary(x, generator):
    """x: float [N, 3, H, W] in 0..1; another picture of the same people."""
    n = x.shape[0]
    v = Variation(n, generator)
    x = v.colours(x, tint=0.15)
    slope = torch.linspace(-1, 1, SIZE)
    light = v.uniform(-0.3, 0.3, n, 1, 1, 1) * slope.view(1, 1, 1, -1) + \
        v.uniform(-0.2, 0.2, n, 1, 1, 1) * slope.view(1, 1, -1, 1)
    x = x * (1 + light * v.share(0.5))
    x = v.tones(x, contrast=0.6, brightness=0.12)
    factor = float(v.uniform(0.3, 0.7, 1))
    small = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    x = v.soften(x, F.interpolate(small, size=x.shape[2:], mode="bilinear", align_corners=False))
    x = x + torch.randn(x.shape, generator=generator) * v.uniform(0, 0.035, n, 1, 1, 1)
    if torch.rand(1, generator=generator) < 0.2:
        high, wide = torch.randint(8, 26, (2,), generator=generator).tolist()
        y0, x0 = torch.randint(0, SIZE - 26, (2,), generator=generator).tolist()
        x[:, :, y0:y0 + high, x0:x0 + wide] = torch.rand(n, 3, 1, 1, generator=generator)
    return (x.clamp(0, 1) * 255 - 127.5) / 128


def margin_loss(features, weights, labels, margin):
    cosine = (F.normalize(features) @ F.normalize(weights).T).clamp(-0.9999, 0.9999)
    own = F.one_hot(labels, len(weights)).bool()
    logits = 24 * torch.where(own, torch.cos(torch.acos(cosine) + margin), cosine)
    return F.cross_entropy(logits, labels), (cosine.argmax(1) == labels).sum().item()


def export(net, path):
    net.eval()
    torch.onnx.export(net.features, torch.zeros(1, 3, SIZE, SIZE), path, opset_version=17,
                      input_names=["image"], output_names=["embedding"], dynamo=False,
                      dynamic_axes={"image": {0: "N"}, "embedding": {0: "N"}})
    print(f"{path}: {os.path.getsize(path)} bytes", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tables", nargs="+", help="what kiln-faces --truth wrote")
    parser.add_argument("-o", "--output", default="backbone.onnx", help="rewritten each epoch")
    parser.add_argument("--start", help="an earlier backbone to start from")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=60, help="stop after so long")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(options.seed)
    pictures, points, labels, people = load(options.tables)
    net, weights = Backbone(), nn.Parameter(torch.randn(people, 128) * 0.05)

    def batch_of(pick):
        x = vary(align(pictures[pick], points[pick], generator), generator)
        return x.contiguous(memory_format=torch.channels_last)
    net = net.to(memory_format=torch.channels_last)
    if options.start:
        start_from(net, options.start, batch_of(torch.randperm(len(labels))[:512]))
    print(f"{len(labels)} pictures, {people} people, "
          f"{sum(p.numel() for p in net.parameters())} parameters", flush=True)
    optimizer = torch.optim.AdamW([{"params": net.parameters()}, {"params": [weights]}],
                                  lr=options.rate, weight_decay=5e-4)
    steps = options.epochs * (len(labels) // options.batch)
    step, start, done = 0, time.time(), 0
    for epoch in range(options.epochs):
        order = torch.randperm(len(labels), generator=generator)
        total = right = seen = 0
        for at in range(0, len(order) - options.batch + 1, options.batch):
            done = max(step / steps, (time.time() - start) / 60 / options.minutes)
            if done >= 1:
                break
            for group in optimizer.param_groups:
                group["lr"] = options.rate * 0.5 * (1 + math.cos(math.pi * done)) + 1e-5
            pick = order[at:at + options.batch]
            net.train()
            loss, hits = margin_loss(net(batch_of(pick)), weights, labels[pick],
                                     0.25 * min(1, done * 4))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, right, seen = total + loss.item() * len(pick), right + hits, seen + len(pick)
            step += 1
        if seen > 0:
            print(f"epoch {epoch + 1}: loss {total / seen:.3f}, accuracy {right / seen:.4f}, "
                  f"{(time.time() - start) / 60:.1f} min", flush=True)
            export(net, options.output)


if __name__ == "__main__":
    main()
