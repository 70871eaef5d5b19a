#!/usr/bin/env python3
"""What a face detector and a backbone are worth on folders of pictures, one folder a person.

    python3 models/faces/evaluate.py FACES --detector D.onnx --reference R.onnx
    python3 models/faces/evaluate.py TRUTH.csv --detector D.onnx
    python3 models/faces/evaluate.py FACES --detector D.onnx --backbone B.onnx --size 64

The detectors give YuNet's outputs. With --reference the detector's faces are counted against that
detector's (intersection over union at least 0.5); with a table of kiln-faces against what was drawn. With --backbone the largest faces are aligned by
their five points to the ArcFace template, and named by class means: the cosine to each person's mean
of L2-normalised features, for 1, 3 and 5 pictures a person and 20 choices of them; beside it the nearest picture
by raw pixels of the same aligned faces. Needs onnxruntime, pillow and numpy.
"""
import argparse
import csv
import os

import numpy as np
import onnxruntime
from PIL import Image

TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366],
                     [41.5493, 92.3655], [70.7299, 92.2041]])


class Network:
    def __init__(self, path, threads=1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(path, options,
                                                    providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]
        self.names = [output.name for output in self.session.get_outputs()]

    def __call__(self, x):
        return dict(zip(self.names, self.session.run(None, {self.input.name: x})))


def suppress(faces, overlap=0.3):
    kept = []
    for face in sorted(faces, key=lambda f: -f[0]):
        if all(iou(face[1], other[1]) <= overlap for other in kept):
            kept.append(face)
    return kept


def iou(a, b):
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0) * max(high, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def detect(network, picture, side, threshold):
    """picture: RGB; its longer side becomes `side`. Faces (score, box, points) in its pixels."""
    factor = side / max(picture.size)
    fixed = [d for d in network.input.shape[2:] if isinstance(d, int)]
    frame = fixed[0] if fixed else -(-side // 32) * 32
    if fixed:
        factor = frame / max(picture.size)
    wide, high = (max(1, round(d * factor)) for d in picture.size)
    x = np.zeros((1, 3, frame, frame), np.float32)
    small = np.asarray(picture.resize((wide, high), Image.BILINEAR), np.float32)
    x[0, :, :high, :wide] = small[:, :, ::-1].transpose(2, 0, 1)
    out, faces = network(x), []
    for stride in (8, 16, 32):
        cls, obj = (out[f"{kind}_{stride}"].reshape(-1).clip(0, 1) for kind in ("cls", "obj"))
        score = np.sqrt(cls * obj)
        box, kps = (out[f"{kind}_{stride}"].reshape(len(score), -1) for kind in ("bbox", "kps"))
        for k in np.flatnonzero(score >= threshold):
            at = np.array([k % (frame // stride), k // (frame // stride)], np.float64)
            centre, size = (box[k, :2] + at) * stride, np.exp(box[k, 2:]) * stride
            points = (kps[k].reshape(5, 2) + at) * stride
            corners = np.concatenate([centre - size / 2, centre + size / 2])
            faces.append((float(score[k]), corners / factor, points / factor))
    return suppress(faces)


def find(network, picture, threshold=0.6):
    """At 320 pixels; where there is nothing, at 640, then with a margin around the picture."""
    for side in (320, 640):
        faces = detect(network, picture, side, threshold)
        if faces:
            return faces
    wide, high = picture.size
    framed = Image.new("RGB", (wide * 2, high * 2), (127, 127, 127))
    framed.paste(picture, (wide // 2, high // 2))
    shift = np.array([wide // 2, high // 2])
    return [(score, box - np.tile(shift, 2), points - shift)
            for score, box, points in detect(network, framed, 320, threshold)]


def similarity(found, wanted):
    """The 2 x 3 matrix that takes the found points to the wanted ones, by least squares."""
    p, q = found - found.mean(0), wanted - wanted.mean(0)
    a, b = (p * q).sum(), (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()
    turn = np.array([[a, -b], [b, a]]) / (p * p).sum()
    return np.hstack([turn, (wanted.mean(0) - turn @ found.mean(0))[:, None]])


def align(picture, points, size):
    """A size x size picture; where the picture is reduced by much it is averaged first."""
    points = np.asarray(points, np.float64)
    if points[0, 0] > points[1, 0]:
        points = points[[1, 0, 2, 4, 3]]
    m = similarity(points, TEMPLATE * size / 112)
    shrink = 1 / np.hypot(m[0, 0], m[1, 0])
    if shrink > 2:
        factor = int(shrink)
        picture = picture.reduce(factor)
        return align(picture, points / factor, size)
    back = np.linalg.inv(np.vstack([m, [0, 0, 1]]))[:2]
    # Pixels are at their middles, in ours and in pillow's coordinates alike.
    return np.asarray(picture.transform((size, size), Image.AFFINE, back.ravel(), Image.BILINEAR))


def pictures_of(folder):
    for person in sorted(os.listdir(folder)):
        inside = os.path.join(folder, person)
        if os.path.isdir(inside):
            for name in sorted(os.listdir(inside)):
                yield person, Image.open(os.path.join(inside, name)).convert("RGB")


def expected_faces(options):
    """(picture, faces), as the table says or the other detector finds."""
    if not options.folder.endswith(".csv"):
        reference = Network(options.reference)
        for _, picture in pictures_of(options.folder):
            yield picture, find(reference, picture)
        return
    faces = {}
    with open(options.folder, newline="") as rows:
        for row in csv.reader(rows):
            mine = faces.setdefault(row[0], [])
            if row[1] and row[0] != "picture":
                numbers = np.array([float(cell) for cell in row[3:]])
                mine.append((1, numbers[:4], numbers[4:].reshape(5, 2)))
    del faces["picture"]
    for name, mine in faces.items():
        yield Image.open(name).convert("RGB"), mine


def compare_detectors(options):
    detector = Network(options.detector)
    wanted = found = given = 0
    off = []
    for picture, expected in expected_faces(options):
        faces = find(detector, picture, options.threshold)
        wanted, given = wanted + len(expected), given + len(faces)
        for _, box, points in expected:
            best = max(faces, key=lambda f: iou(f[1], box), default=None)
            if best is not None and iou(best[1], box) >= 0.5:
                found += 1
                eyes = np.hypot(*(points[1] - points[0]))
                off.append(np.hypot(*(best[2] - points).T).mean() / max(eyes, 1))
    print(f"{wanted} faces, of them found {found} ({found / max(wanted, 1):.3f}); "
          f"{given} given, {given - found} of them others; "
          f"points off by {np.mean(off) if off else 0:.3f} of the distance of the eyes")


def name_by_means(features, labels, count, seed):
    """Share of the other pictures named right, and of them by the nearest of the pictures."""
    random, right, nearest, total = np.random.default_rng(seed), 0, 0, 0
    gallery, probes = [], []
    for label in np.unique(labels):
        mine = random.permutation(np.flatnonzero(labels == label))
        gallery.append(mine[:count])
        probes.append(mine[count:])
    means = np.stack([features[g].mean(0) for g in gallery])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    flat, owner = np.concatenate(gallery), np.repeat(np.arange(len(gallery)), [len(g) for g in gallery])
    for label, mine in enumerate(probes):
        right += ((features[mine] @ means.T).argmax(1) == label).sum()
        nearest += (owner[(features[mine] @ features[flat].T).argmax(1)] == label).sum()
        total += len(mine)
    return right / total, nearest / total


def verification(features, labels):
    """Equal error rate, and true accepts at 1 false in 1000, over all pairs."""
    scores, same = features @ features.T, labels[:, None] == labels[None]
    upper = np.triu_indices(len(labels), 1)
    scores, same = scores[upper], same[upper]
    impostors = np.sort(scores[~same])
    own = np.sort(scores[same])
    far = 1 - np.searchsorted(impostors, own, side="left") / len(impostors)
    frr = np.arange(len(own)) / len(own)
    k = np.argmin(np.abs(far - frr))
    bar = impostors[int(np.ceil(len(impostors) * 0.999)) - 1]
    return (far[k] + frr[k]) / 2, (own > bar).mean()


def load_aligned(options):
    detector = Network(options.detector) if options.detector else None
    faces, labels, missed = [], [], 0
    for person, picture in pictures_of(options.folder):
        if detector is None:
            faces.append(np.asarray(picture.resize((options.size, options.size), Image.BILINEAR)))
        else:
            found = find(detector, picture, options.threshold)
            if not found:
                missed += 1
                continue
            points = max(found, key=lambda f: (f[1][2] - f[1][0]) * (f[1][3] - f[1][1]))[2]
            faces.append(align(picture, points, options.size))
        labels.append(person)
    return np.stack(faces), np.unique(labels, return_inverse=True)[1], missed


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def measure(features, labels, counts=(1, 3, 5)):
    parts = []
    for count in counts:
        runs = np.array([name_by_means(features, labels, count, seed) for seed in range(20)])
        parts.append(f"{count} a person: means {runs[:, 0].mean():.4f}, nearest {runs[:, 1].mean():.4f}")
    eer, tar = verification(features, labels)
    return f"{'; '.join(parts)}; EER {eer * 100:.2f} %, TAR at FAR 1e-3 {tar:.3f}"


def embed(network, faces):
    x = (faces.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 128
    batch = 1 if isinstance(network.input.shape[0], int) else 64
    rows = [next(iter(network(x[k:k + batch]).values())) for k in range(0, len(x), batch)]
    return unit(np.concatenate(rows).reshape(len(x), -1))


def compare_backbones(options):
    faces, labels, missed = load_aligned(options)
    print(f"{len(faces)} faces of {labels.max() + 1} people, {missed} pictures without a find")
    print("features:", measure(embed(Network(options.backbone), faces), labels))
    raw = faces.reshape(len(faces), -1).astype(np.float32)
    print("raw pixels:", measure(unit(raw - raw.mean(1, keepdims=True)), labels))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--detector", help="none: pictures as they are, stretched to the square")
    parser.add_argument("--reference")
    parser.add_argument("--backbone")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--threshold", type=float, default=0.6)
    options = parser.parse_args()
    if options.reference or options.folder.endswith(".csv"):
        compare_detectors(options)
    if options.backbone:
        compare_backbones(options)


if __name__ == "__main__":
    main()
