#!/usr/bin/env python3
"""What aligned faces are worth, with kiln alone: the table in models/faces/README.md.

  alignment.py KILN SHARED [--detector ONNX] [--networks a,b] [--seeds N] [-- OPTION of kiln train ...]

SHARED holds models/ and faces/. Pairs: every picture with every other of the set, by the cosine of their
features (kiln embed). Trained: N random pictures a person of each seed, kiln train on them, kiln evaluate on
the others. Half width: a picture pasted somewhere into one of twice its sides. Needs NumPy."""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
    return done.stdout


def people_of(folder):
    return {p.name: sorted(f for f in p.iterdir() if f.is_file()) for p in sorted(folder.iterdir()) if p.is_dir()}


def equal_error(rows, labels):
    """Equal error rate, and the share of true pairs at one false pair of a thousand."""
    unit = rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    upper = numpy.triu_indices(len(rows), 1)
    scores = (unit @ unit.T)[upper]
    same = (labels[:, None] == labels[None, :])[upper]
    true, false = numpy.sort(scores[same]), numpy.sort(scores[~same])
    refused = numpy.searchsorted(true, false) / len(true)
    accepted = 1 - numpy.arange(len(false)) / len(false)
    at = numpy.argmin(abs(refused - accepted))
    bound = false[-max(1, round(len(false) * 1e-3))]
    return (refused[at] + accepted[at]) / 2, (true > bound).mean()


class Bench:
    def __init__(self, options, work):
        self.kiln, self.work, self.train_options = options.kiln, work, options.options
        self.seeds = range(1, options.seeds + 1)
        self.detector = options.detector or options.shared / "models/yunet-n-320/model.onnx"
        os.environ["XDG_CACHE_HOME"] = str(work / "cache")

    def found(self, aligned):
        return ["--detector", self.detector] if aligned else []

    def pairs(self, plan, people, aligned):
        pictures = [f for files in people.values() for f in files]
        labels = [k for k, files in enumerate(people.values()) for _ in files]
        rows = self.work / "rows.npy"
        run(self.kiln, "embed", plan, *pictures, "-o", rows, *self.found(aligned))
        return equal_error(numpy.load(rows), numpy.array(labels))

    def split(self, people, count, seed, change=None):
        """Folders of links: so many of each person, and the others (perhaps changed)."""
        base = pathlib.Path(tempfile.mkdtemp(dir=self.work))
        chance = random.Random(seed)
        for name, files in people.items():
            files = chance.sample(files, len(files))
            for part, chosen in (("train", files[:count]), ("test", files[count:])):
                (base / part / name).mkdir(parents=True)
                for f in chosen:
                    if part == "test" and change:
                        change(f, base / part / name / f.name, chance)
                    else:
                        (base / part / name / f.name).symlink_to(f.resolve())
        return base

    def trained(self, plan, people, count, aligned, change=None):
        right = []
        for seed in self.seeds:
            base = self.split(people, count, seed, change)
            out = base / "out.plan"
            run(self.kiln, "train", plan, base / "train", "-o", out, "--no-checkpoint", "-q", "--seed", seed,
                *self.found(aligned), *self.train_options)
            result = json.loads(run(self.kiln, "evaluate", out, base / "test", "--json", *self.found(aligned)))
            # A picture without a face has no answer, which is no right one.
            right.append(result["accuracy"] * result["count"] / (result["count"] + result["skipped"]))
        return numpy.mean(right), min(right), max(right)


def read_pgm(path):
    words, at = [], 0
    data = path.read_bytes()
    while len(words) < 4:
        end = at
        while data[end:end + 1] not in b" \t\r\n" or end == at and data[end:end + 1].isspace():
            end += 1
            at += data[at:at + 1].isspace()
        if data[at:at + 1] == b"#":
            at = data.index(b"\n", at) + 1
            continue
        words.append(data[at:end])
        at = end
    width, height = int(words[1]), int(words[2])
    return numpy.frombuffer(data, numpy.uint8, width * height, at + 1).reshape(height, width)


def half_width(source, target, chance):
    """The picture somewhere in one of twice its sides, on a background that changes slowly."""
    face = read_pgm(source)
    height, width = face.shape
    corners = [chance.uniform(40, 215) for _ in range(4)]
    across, down = numpy.meshgrid(numpy.linspace(0, 1, 2 * width), numpy.linspace(0, 1, 2 * height))
    picture = ((1 - down) * ((1 - across) * corners[0] + across * corners[1]) +
               down * ((1 - across) * corners[2] + across * corners[3])).astype(numpy.uint8)
    left, top = chance.randint(0, width), chance.randint(0, height)
    picture[top:top + height, left:left + width] = face
    target.write_bytes(b"P5 %d %d 255\n" % (2 * width, 2 * height) + picture.tobytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kiln", type=pathlib.Path)
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("--detector", type=pathlib.Path)
    parser.add_argument("--networks", default="mobilefacenet-a,mobilefacenet-b",
                        help="folders of SHARED/models, or paths of ONNX files")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("options", nargs="*")
    options = parser.parse_args()
    sets = {"ORL": people_of(options.shared / "faces/orl"),
            "celebrities": people_of(options.shared / "faces/five-celebrities/train")}
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(options, pathlib.Path(work))
        print("| Network | | whole pictures | aligned |\n|---|---|---|---|", flush=True)
        for name in options.networks.split(","):
            plan = bench.work / "network.plan"
            path = options.shared / "models" / name / "model.onnx"
            run(options.kiln, "compile", path if path.exists() else name, "--mean", "127.5", "--std", "128", "-q",
                "-o", plan)

            def row(what, value):
                print(f"| {pathlib.Path(name).stem} | {what} | {value(False)} | {value(True)} |", flush=True)

            def accuracy(*arguments):
                return lambda aligned: "%.3f (%.3f to %.3f)" % bench.trained(plan, *arguments[:2], aligned,
                                                                            *arguments[2:])

            for title, people in sets.items():
                row(f"{title}: EER; TAR at FAR 1e-3", lambda aligned: "%.2f %%; %.3f" % (
                    lambda e: (100 * e[0], e[1]))(bench.pairs(plan, people, aligned)))
                row(f"{title}: 5 pictures a person", accuracy(people, 5))
            row("ORL: 1 picture a person", accuracy(sets["ORL"], 1))
            row("ORL: 5 pictures, face at half the width", accuracy(sets["ORL"], 5, half_width))


if __name__ == "__main__":
    main()
