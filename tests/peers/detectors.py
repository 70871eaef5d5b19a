#!/usr/bin/env python3
"""Faces found by `kiln faces`, beside a decode in NumPy of the same networks run by ONNX Runtime.

    detectors.py KILN SHARED [PICTURES]

SHARED holds models/ and faces/. For each detector: how many faces both find, the lowest overlap of their boxes, the
largest distance of their points, and how far the warped faces differ (OpenCV's warpAffine, after a reduction by
averaging where that is more than twofold). Kiln's alone are of its second look.
Then faces at a share of the width of a photograph: how many are found.
Needs numpy, onnxruntime, pillow, opencv-python-headless."""
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import cv2
import numpy as np
import onnxruntime
from PIL import Image, ImageOps

TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
                     [70.7299, 92.2041]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cells(width, height, stride, anchors):
    """x, y of each anchor's cell, row by row."""
    y, x = np.mgrid[0:-(-height // stride), 0:-(-width // stride)]
    grid = np.stack([x.ravel(), y.ravel()], 1).astype(np.float64)
    return np.repeat(grid, anchors, 0)


def scrfd(outputs, width, height):
    found = []
    for k, stride in enumerate((8, 16, 32)):
        def flat(o, c):
            return o.reshape(2, c, -1).transpose(2, 0, 1).reshape(-1, c)
        scores = sigmoid(flat(outputs[k], 1))[:, 0]
        boxes, points = flat(outputs[3 + k], 4) * stride, flat(outputs[6 + k], 10) * stride
        centre = cells(width, height, stride, 2) * stride
        corners = np.concatenate([centre - boxes[:, :2], centre + boxes[:, 2:]], 1)
        found.append((scores, corners, points.reshape(-1, 5, 2) + centre[:, None]))
    return [np.concatenate(part) for part in zip(*found)]


def yunet(outputs, width, height):
    found = []
    for k, stride in enumerate((8, 16, 32)):
        cls, obj, box, points = (outputs[k + 3 * j][0].astype(np.float64) for j in range(4))
        grid = cells(width, height, stride, 1)
        middle, size = (grid + box[:, :2]) * stride, np.exp(box[:, 2:]) * stride
        corners = np.concatenate([middle - size / 2, middle + size / 2], 1)
        scores = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
        found.append((scores, corners, (points.reshape(-1, 5, 2) + grid[:, None]) * stride))
    return [np.concatenate(part) for part in zip(*found)]


def retinaface(outputs, width, height):
    boxes, scores, points = (o[0].astype(np.float64) for o in outputs)
    middle = np.concatenate([(cells(width, height, s, 2) + 0.5) * s for s in (8, 16, 32)])
    sizes = np.concatenate([np.tile(pair, -(-width // s) * -(-height // s))
                            for s, pair in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))])[:, None]
    centre, size = middle + boxes[:, :2] * 0.1 * sizes, sizes * np.exp(boxes[:, 2:] * 0.2)
    corners = np.concatenate([centre - size / 2, centre + size / 2], 1)
    return scores[:, 1], corners, middle[:, None] + points.reshape(-1, 5, 2) * 0.1 * sizes[:, None]


def ultraface_slim(outputs, width, height):
    scores, boxes = (o[0].astype(np.float64) for o in outputs)
    return scores[:, 1], boxes * [width, height, width, height], None


def ultraface(outputs, width, height):
    """Corners, or offsets from priors where they are none."""
    scores, boxes = (o[0].astype(np.float64) for o in outputs)
    if (boxes[:, 2] > boxes[:, 0]).all():
        return ultraface_slim(outputs, width, height)
    rows = ((8, (10, 16, 24)), (16, (32, 48)), (32, (64, 96)), (64, (128, 192, 256)))
    middle = np.concatenate([(cells(width, height, s, len(p)) + 0.5) * s for s, p in rows])
    sizes = np.concatenate([np.tile(p, -(-width // s) * -(-height // s)) for s, p in rows])[:, None]
    centre, size = middle + boxes[:, :2] * 0.1 * sizes, sizes * np.exp(boxes[:, 2:] * 0.2)
    return scores[:, 1], np.concatenate([centre - size / 2, centre + size / 2], 1), None


# name: decode, mean, scale, BGR, score, overlap
DETECTORS = {
    "yunet-n-320": (yunet, 0, 1, True, 0.6, 0.3),
    "scrfd-2.5g": (scrfd, 127.5, 1 / 128, False, 0.5, 0.4),
    "retinaface-mobile": (retinaface, np.array([104, 117, 123]), 1, True, 0.6, 0.4),
    "ultraface-rfb-320": (ultraface, 127, 1 / 128, False, 0.7, 0.3),
    "ultraface-slim-320": (ultraface, 127, 1 / 128, False, 0.7, 0.3),
}


def overlap(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = np.prod(np.maximum(high - low, 0))
    return common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common)


def suppress(scores, boxes, least, most):
    kept = []
    for k in np.argsort(-scores, kind="stable"):
        if scores[k] > least and all(overlap(boxes[k], boxes[j]) <= most for j in kept):
            kept.append(k)
    return kept


class Reference:
    def __init__(self, name, folder):
        self.decode, self.mean, self.scale, self.bgr, self.score, self.overlap = DETECTORS[name]
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(folder / name / "model.onnx", options)
        self.input = self.session.get_inputs()[0]
        self.height, self.width = self.input.shape[2:]

    def find(self, rgb):
        """Scores, boxes and points of an RGB array."""
        factor = min(self.width / rgb.shape[1], self.height / rgb.shape[0])
        size = (min(self.width, max(1, round(rgb.shape[1] * factor))),
                min(self.height, max(1, round(rgb.shape[0] * factor))))
        fitted = np.zeros((self.height, self.width, 3), np.float32)
        for c in range(3):  # in floating point, as rounding to bytes would add noise of its own
            channel = Image.fromarray(rgb[..., c].astype(np.float32), "F")
            fitted[:size[1], :size[0], c] = np.asarray(channel.resize(size, Image.BILINEAR))
        x = fitted[..., ::-1] if self.bgr else fitted
        x = ((x - self.mean) * self.scale).astype(np.float32).transpose(2, 0, 1)[None]
        outputs = self.session.run(None, {self.input.name: np.ascontiguousarray(x)})
        scores, boxes, points = self.decode(outputs, self.width, self.height)
        kept = suppress(scores, boxes, self.score, self.overlap)
        return scores[kept], boxes[kept] / factor, None if points is None else points[kept] / factor


def warp(rgb, points, size=112):
    """The specification's closed form, OpenCV's warp."""
    points = points[np.array([1, 0, 2, 4, 3])] if points[0][0] > points[1][0] else points
    factor = 1
    centred, wanted = points - points.mean(0), (TEMPLATE - TEMPLATE.mean(0)) * size / 112
    v = (centred ** 2).sum()
    a, b = (centred * wanted).sum() / v, (centred[:, 0] * wanted[:, 1] - centred[:, 1] * wanted[:, 0]).sum() / v
    if 1 / math.hypot(a, b) > 2:  # reduces
        factor = int(1 / math.hypot(a, b))
        rgb = np.asarray(Image.fromarray(rgb).reduce(factor))
        points = (points - (factor - 1) / 2) / factor
        a, b = a * factor, b * factor
    m = np.array([[a, -b], [b, a]])
    t = TEMPLATE.mean(0) * size / 112 - m @ points.mean(0)
    return cv2.warpAffine(rgb, np.hstack([m, t[:, None]]), (size, size), flags=cv2.INTER_LINEAR)


def load(path):
    return np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))


def kiln_faces(kiln, detector, pictures, crops=None):
    command = [kiln, "faces", "--detector", detector, "--format", "jsonl", "--list", "-"]
    command += ["-o", crops] if crops else []
    done = subprocess.run(command, input="\n".join(map(str, pictures)), capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(kiln, name, models, pictures):
    reference = Reference(name, models)
    boxes, points, pixels, both, only_kiln, only_reference = [], [], [], 0, 0, 0
    detector = models / name / "model.onnx"
    with tempfile.TemporaryDirectory() as folder:
        for picture, answer in zip(pictures, kiln_faces(kiln, detector, pictures, folder)):
            rgb = load(picture)
            _, wanted, wanted_points = reference.find(rgb)
            left = list(range(len(wanted)))
            for face in answer["faces"]:
                box = np.array(face["box"])
                best = max(left, key=lambda k: overlap(box, wanted[k]), default=None)
                if best is None or overlap(box, wanted[best]) < 0.5:
                    only_kiln += 1
                    continue
                left.remove(best)
                both += 1
                boxes.append(overlap(box, wanted[best]))
                if wanted_points is not None:
                    got = np.array(face["points"])
                    points.append(np.abs(got - wanted_points[best]).max())
                    crop = np.asarray(Image.open(face["crop"])).astype(float)
                    pixels.append(np.abs(crop - warp(rgb, wanted_points[best])).mean())
            only_reference += len(left)
    row = [name, both, only_kiln, only_reference, f"{min(boxes, default=math.nan):.4f}"]
    row += [f"{max(points):.3f}", f"{max(pixels):.3f}"] if points else ["-", "-"]
    print("| " + " | ".join(map(str, row)) + " |", flush=True)


def paste(picture, share, random):
    """The picture in a blurred one of 1200 x 900, and where."""
    width = int(1200 * share)
    height = min(900, width * picture.height // picture.width)
    width = height * picture.width // picture.height
    noise = random.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    around = Image.fromarray(noise).resize((1200, 900), Image.BICUBIC)
    place = int(random.integers(0, 1201 - width)), int(random.integers(0, 901 - height))
    around.paste(picture.resize((width, height), Image.BICUBIC), place)
    return around, (*place, place[0] + width, place[1] + height)


def recall(kiln, name, models, pictures, share):
    """Of pictures in a larger one, or (None) as they are, those with a face whose middle lies in them."""
    random, found = np.random.default_rng(1), 0
    with tempfile.TemporaryDirectory() as folder:
        made, places = pictures, [None] * len(pictures)
        if share:
            pasted = [paste(Image.fromarray(load(p)), share, random) for p in pictures]
            made = [pathlib.Path(folder) / f"{k}.png" for k in range(len(pasted))]
            places = [place for _, place in pasted]
            for path, (picture, _) in zip(made, pasted):
                picture.save(path, compress_level=1)
        for place, answer in zip(places, kiln_faces(kiln, models / name / "model.onnx", made)):
            middles = [((f["box"][0] + f["box"][2]) / 2, (f["box"][1] + f["box"][3]) / 2) for f in answer["faces"]]
            found += any(place is None or (place[0] <= x <= place[2] and place[1] <= y <= place[3]) for x, y in middles)
    return found / len(pictures)


def main():
    kiln, shared = sys.argv[1], pathlib.Path(sys.argv[2])
    faces = shared / "faces"
    pictures = sorted(p for p in (faces / "five-celebrities").rglob("*.jpg"))
    pictures += sorted((faces / "orl").rglob("*.pgm"))[::5]
    pictures = [pathlib.Path(p) for p in sys.argv[3:]] or pictures
    print("| detector | faces of both | Kiln's alone | NumPy's alone | lowest overlap | points, px | pixels, of 255 |")
    print("|---|---|---|---|---|---|---|")
    for name in DETECTORS:
        compare(kiln, name, shared / "models", pictures)
    shares = (None, 0.5, 0.3, 0.1, 0.05)
    print("\n| found, face's picture at | all of the width | 50 % | 30 % | 10 % | 5 % |\n|---|---|---|---|---|---|")
    for name in DETECTORS:
        row = [f"{recall(kiln, name, shared / 'models', pictures, share):.3f}" for share in shares]
        print("| " + " | ".join([name, *row]) + " |", flush=True)


main()
