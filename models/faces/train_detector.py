#!/usr/bin/env python3
"""Trains a small face detector on drawn photographs and writes it as ONNX with YuNet's outputs.

    kiln-faces -o groups --groups 4000 --people 5000 --size 256 --seed 2000 --truth groups.csv
    kiln-faces -o scenes --people 1500 --pictures 1 --scenes --size 256 --seed 3000 --truth scenes.csv
    kiln-faces -o empties --empty 400 --people 1000 --size 256 --seed 5000 --truth empties.csv
    python3 models/faces/train_detector.py groups.csv scenes.csv empties.csv -o models/faces/detector.onnx

One stage, depthwise separable convolutions, a pyramid over strides 8, 16 and 32, and at each place a
quality (cls), whether a face is there (obj), its box and its five points, coded as YuNet's (Wu et al.
2023): centre (x + dx) s, size exp(d) s, points (x + d) s. Input: BGR 0..255. Each step looks at parts
of photographs, enlarged or reduced so that faces of all sizes are seen. Needs torch, onnx, pillow, numpy.
"""
import argparse
import copy
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

STRIDES = (8, 16, 32)
SIZES = ((0, 44), (30, 120), (84, 1e9))  # of the faces that a stride is to find, in pixels
# Taken from the logits of cls and obj in the file, so that YuNet's threshold of 0.6 is what 0.73 is while training:
# chosen on drawn photographs, where it halves the finds that are no faces and loses 1 face of 249.
CAUTION = 0.6
POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")


class Separable(nn.Module):
    """3x3 by channel, then 1x1; added to its input where shapes allow."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.residual = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs), nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.body(x)
        return F.relu(x + y if self.residual else y)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            Separable(16, 32, 2), Separable(32, 32))
        self.stages = nn.ModuleList([
            nn.Sequential(Separable(inputs, 64, 2), Separable(64, 64), Separable(64, 64))
            for inputs in (32, 64, 64)])
        self.merge = nn.ModuleList([Separable(64, 64) for _ in range(2)])
        self.heads = nn.ModuleList([
            nn.Sequential(Separable(64, 64), nn.Conv2d(64, 16, 1)) for _ in STRIDES])
        for head in self.heads:
            nn.init.normal_(head[1].weight, std=0.01)
            head[1].bias.data.zero_()
            head[1].bias.data[1] = -4

    def forward(self, x):
        """One map [N, 16, H/s, W/s] a stride: cls, obj, box (4), points (10)."""
        x, maps = self.stem(x / 128 - 1), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        for k in (1, 0):
            maps[k] = self.merge[k](maps[k] + F.interpolate(maps[k + 1], scale_factor=2.0))
        return [head(m) for head, m in zip(self.heads, maps)]


class Exported(nn.Module):
    """YuNet's twelve outputs, each [1, H W / s^2, values]."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        maps = self.net(x)
        rows = [m.permute(0, 2, 3, 1).reshape(1, -1, 16) for m in maps]
        cls, obj = ([torch.sigmoid(r[:, :, k:k + 1]) for r in rows] for k in (0, 1))
        return (*cls, *obj, *[r[:, :, 2:6] for r in rows], *[r[:, :, 6:] for r in rows])


# ---- Pictures -------------------------------------------------------------------------------------

def load(tables):
    """(picture, faces): faces [n, 14], box and points; none for a picture without anybody."""
    faces = {}
    for table in tables:
        with open(table, newline="") as rows:
            for row in csv.DictReader(rows):
                mine = faces.setdefault(row["picture"], [])
                if row["name"]:
                    mine.append([float(row[k]) for k in ("left", "top", "right", "bottom")] +
                                [float(row[f"{p}_{axis}"]) for p in POINTS for axis in "xy"])
    scenes = []
    for name, mine in faces.items():
        with Image.open(name) as picture:
            pixels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
        scenes.append((pixels, np.array(mine, np.float32).reshape(-1, 14)))
    return scenes


def part_of(scene, side, random):
    """A side x side part, turned, scaled and perhaps mirrored; its faces in its pixels."""
    pixels, faces = scene
    high, wide = pixels.shape[1:]
    if len(faces) and random.random() < 0.9:
        face = faces[random.integers(len(faces))]
        width = max(face[2] - face[0], 4)
        aim = 11 * (1.05 * side / 11) ** random.random()
        scale = min(max(aim / width, 0.25), 4)
        centre = np.array([face[0] + face[2], face[1] + face[3]]) / 2
        room = max(side - aim, 0) / 2 + 0.15 * aim
        wanted = side / 2 + random.uniform(-room, room, 2)
    else:
        scale = side / max(wide, high) * 2 ** random.uniform(-0.5, 1.5)
        centre, wanted = np.array([wide, high]) * random.uniform(0.2, 0.8, 2), np.full(2, side / 2)
    turn = random.normal() * 0.15 + (random.uniform(-0.6, 0.6) if random.random() < 0.15 else 0)
    stretch = 1 + random.normal() * 0.05
    flip = -1.0 if random.random() < 0.5 else 1.0
    c, s = math.cos(turn) * scale, math.sin(turn) * scale
    m = np.array([[c, -s], [s, c]]) @ np.diag([flip * stretch, 1 / stretch])
    shift = wanted - m @ centre
    back = np.linalg.inv(m)
    # grid_sample's coordinates: -1 .. 1 over both pictures.
    size = np.array([wide, high])
    theta = np.zeros((2, 3))
    theta[:, :2] = back * side / size[:, None]
    theta[:, 2] = (back @ (side / 2 - shift)) * 2 / size - 1
    grid = F.affine_grid(torch.tensor(theta[None], dtype=torch.float32), [1, 3, side, side],
                         align_corners=False)
    picture = pixels[None].float()
    if scale < 0.6:
        step = int(1 / scale)
        picture = F.avg_pool2d(picture, step) if step > 1 else picture
    edge = "zeros" if random.random() < 0.5 else "border"
    x = F.grid_sample(picture, grid, padding_mode=edge, align_corners=False)[0]
    return x, moved_faces(faces, m, shift, flip, side)


def moved_faces(faces, m, shift, flip, side):
    out = []
    for face in faces:
        middle = m @ ((face[:2] + face[2:4]) / 2) + shift
        half = np.abs(face[2:4] - face[:2]) / 2
        half = np.sqrt((m ** 2) @ half ** 2)  # as an ellipse turns
        if (middle < 0).any() or (middle > side).any():
            continue
        points = face[4:].reshape(5, 2) @ m.T + shift
        if flip < 0:
            points = points[[1, 0, 2, 4, 3]]
        out.append(np.concatenate([middle - half, middle + half, points.ravel()]))
    return np.array(out, np.float32).reshape(-1, 14)


def vary(x, generator):
    """x: float RGB [N, 3, H, W] in 0..1, to BGR 0..255."""
    v = Variation(x.shape[0], generator)
    x = v.colours(x, tint=0.2)
    x = v.tones(x, contrast=0.5, brightness=0.15)
    x = v.soften(x, F.avg_pool2d(x, 3, 1, 1, count_include_pad=False))
    grain = torch.randn(x.shape[1:], generator=generator)  # the same in all, differently strong
    x = x + grain * v.uniform(-0.05, 0.05, x.shape[0], 1, 1, 1)
    return x.clamp(0, 1).flip(1) * 255


# ---- Targets and losses ---------------------------------------------------------------------------

def targets(faces, side):
    """Per stride: which face each place is to tell, -1 none, -2 not counted."""
    out = []
    for stride, (low, high) in zip(STRIDES, SIZES):
        count = side // stride
        at = np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1).astype(np.float32) * stride
        chosen = np.full((count, count), -1, np.int64)
        best = np.full((count, count), np.inf, np.float32)
        for k, face in enumerate(faces):
            size = math.sqrt(max((face[2] - face[0]) * (face[3] - face[1]), 1))
            middle = (face[:2] + face[2:4]) / 2
            far = np.abs(at - middle).max(-1)
            reach = min(1.5 * stride, max(0.45 * size, 0.75 * stride))
            # Around what counts, and where a face is nearly of this stride's size, either is right.
            if low / 1.3 <= size <= high * 1.3:
                chosen[(far < max(reach, 2.5 * stride)) & (chosen < 0)] = -2
            if not low <= size <= high:
                continue
            mine = (far < reach) & (far < best)
            chosen[mine], best[mine] = k, far[mine]
        out.append(chosen.ravel())
    return np.concatenate(out)


def places(side):
    at, strides = [], []
    for stride in STRIDES:
        count = side // stride
        grid = torch.stack(torch.meshgrid(torch.arange(count), torch.arange(count), indexing="xy"), -1)
        at.append(grid.reshape(-1, 2) * stride)
        strides.append(torch.full((count * count, 1), stride))
    return torch.cat(at).float(), torch.cat(strides).float()


def overlap_loss(found, wanted):
    """Intersection over union of boxes (corners), and 1 - its distance form (Zheng et al. 2020)."""
    low, high = torch.max(found[:, :2], wanted[:, :2]), torch.min(found[:, 2:], wanted[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    areas = [(b[:, 2:] - b[:, :2]).prod(1) for b in (found, wanted)]
    iou = shared / (areas[0] + areas[1] - shared + 1e-6)
    hull = torch.max(found[:, 2:], wanted[:, 2:]) - torch.min(found[:, :2], wanted[:, :2])
    apart = ((found[:, :2] + found[:, 2:] - wanted[:, :2] - wanted[:, 2:]) / 2).square().sum(1)
    return iou, 1 - iou + apart / (hull.square().sum(1) + 1e-6)


def detection_loss(maps, faces, side):
    rows = torch.cat([m.permute(0, 2, 3, 1).flatten(1, 2) for m in maps], 1)
    at, stride = places(side)
    chosen = torch.from_numpy(np.stack([targets(f, side) for f in faces]))
    image, place = (chosen >= 0).nonzero(as_tuple=True)
    count = max(len(image), 1)
    obj, wanted = rows[..., 1], (chosen >= 0).float()
    plain = F.binary_cross_entropy_with_logits(obj, wanted, reduction="none")
    sure = torch.sigmoid(obj)
    focal = plain * (wanted * (1 - sure) + (1 - wanted) * sure) ** 2  # Lin et al. 2017
    loss = 2 * (focal * (chosen != -2)).sum() / count
    if len(image) == 0:
        return loss, 0.0
    mine = torch.from_numpy(np.stack([faces[i][k] for i, k in
                                      zip(image.tolist(), chosen[image, place].tolist())]))
    own, origin, s = rows[image, place], at[place], stride[place]
    centre, half = origin + own[:, 2:4] * s, own[:, 4:6].clamp(-4, 4).exp() * s / 2
    iou, apart = overlap_loss(torch.cat([centre - half, centre + half], 1), mine[:, :4])
    size = (mine[:, 2:4] - mine[:, :2]).prod(1).clamp(min=1).sqrt().view(-1, 1)
    points = origin.repeat(1, 5) + own[:, 6:] * s
    off = F.smooth_l1_loss(points / size, mine[:, 4:] / size, beta=0.05, reduction="none").mean(1)
    quality = F.binary_cross_entropy_with_logits(own[:, 0], iou.detach().clamp(0, 1))
    return loss + 2 * apart.mean() + 4 * off.mean() + 0.5 * quality, iou.mean().item()


# ---- Training -------------------------------------------------------------------------------------

def export(net, path):
    """The weights are written as floats; strides 8 to 32 want a size that 32 divides."""
    net = copy.deepcopy(net).eval()
    for head in net.heads:
        head[1].bias.data[:2] -= CAUTION
    names = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES]
    torch.onnx.export(Exported(net), torch.zeros(1, 3, 320, 320), path, opset_version=17,
                      input_names=["input"], output_names=names, dynamo=False)
    print(f"{path}: {os.path.getsize(path)} bytes", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tables", nargs="+", help="what kiln-faces --truth wrote")
    parser.add_argument("-o", "--output", default="detector.onnx", help="rewritten now and then")
    parser.add_argument("--start", help="an earlier detector to start from")
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--minutes", type=float, default=50, help="stop after so long")
    parser.add_argument("--batch", type=int, default=16, help="parts of 192 pixels; fewer larger ones")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    scenes = load(options.tables)
    net = Detector().to(memory_format=torch.channels_last)
    print(f"{len(scenes)} photographs, {sum(len(f) for _, f in scenes)} faces, "
          f"{sum(p.numel() for p in net.parameters())} parameters", flush=True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=options.rate, weight_decay=1e-3)
    start, total, quality = time.time(), 0, 0

    def batch(side, count):
        parts = [part_of(scenes[random.integers(len(scenes))], side, random) for _ in range(count)]
        x = vary(torch.stack([p[0] for p in parts]) / 255, generator)
        return x.contiguous(memory_format=torch.channels_last), [p[1] for p in parts]
    if options.start:
        start_from(net, options.start, batch(192, 32)[0])
        for head in net.heads:
            head[1].bias.data[:2] += CAUTION
    for step in range(options.steps):
        done = max(step / options.steps, (time.time() - start) / 60 / options.minutes)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min((step + 1) / 200, 0.5 * (1 + math.cos(math.pi * done)) + 0.005)
        side = int(random.choice([128, 160, 192, 256, 320], p=[0.2, 0.25, 0.25, 0.2, 0.1]))
        count = max(4, round(options.batch * (192 / side) ** 2))
        x, faces = batch(side, count)
        net.train()
        loss, iou = detection_loss(net(x), faces, side)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10)
        optimizer.step()
        total, quality = total + loss.item(), quality + iou
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}: loss {total / 100:.3f}, overlap {quality / 100:.3f}, "
                  f"{(time.time() - start) / 60:.1f} min", flush=True)
            total = quality = 0
        if (step + 1) % 500 == 0:
            export(net, options.output)
    export(net, options.output)


if __name__ == "__main__":
    main()
