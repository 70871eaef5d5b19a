#!/usr/bin/env python3
"""Heads on few pictures a person, beside class means and scikit-learn: the table in models/faces/README.md.

    heads.py KILN SHARED BACKBONE.onnx [--sets orl,...] [--networks mobilefacenet-a,...] [--heads default,mean,...]
             [--counts 1,2,3,5,10] [--seeds 20] [--faces KILN-FACES] [--work DIR] [--features]

SHARED holds models/ and faces/; sets that end in "-aligned" go through the detector yunet-n-320, "drawn-N" are N
people drawn by KILN-FACES. Each split, of K pictures a person to learn from and the rest to test, is the same for
all: Kiln trains by `kiln train` on the pictures, and `kiln classify` answers (--features: both on what `kiln embed`
makes of them, through a network that passes it on); the others learn from what `kiln embed` makes of the pictures,
kept in DIR: class means compare by cosine, LogisticRegression takes features as they are, LinearSVC features of
length 1. "worst" is how far the first head is from the best of the others, in points; "said" how far its
probabilities are from how often it is right (expected calibration error, over all seeds), in points, in brackets
where kiln train says that they are not calibrated.

Needs numpy, onnx and scikit-learn."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import warnings

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

PRESETS = {"squeezenet-fp16": "imagenet", "resnet20-cifar10": "imagenet"}


def run(*words):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))[:400]}\n{done.stderr}")
    return done.stdout


class Bench:
    def __init__(self, options):
        self.options = options
        self.kiln = options.kiln
        self.work = pathlib.Path(options.work)
        self.work.mkdir(parents=True, exist_ok=True)
        self.said = []
        self.calibrated = True
        os.environ["XDG_CACHE_HOME"] = str(self.work / "cache")

    # ---- Features ---------------------------------------------------------------------------------------------

    def network(self, name):
        plan = self.work / f"{name}.plan"
        model = self.options.backbone if name == "embedded" else f"{self.options.shared}/models/{name}/model.onnx"
        if not plan.exists():
            how = ["--preprocess", PRESETS[name]] if name in PRESETS else ["--mean", "127.5", "--std", "128"]
            run(self.kiln, "compile", model, *how, "-q", "-o", plan)
        return plan

    def folder(self, name):
        shared = pathlib.Path(self.options.shared) / "faces"
        base = name.removesuffix("-aligned")
        if base.startswith("drawn-"):
            folder = self.work / base
            if not folder.exists():
                run(self.options.faces, "-o", folder, "--people", base[6:], "--pictures", 14, "--size", 64, "--seed", 77)
            return folder
        return shared / {"orl": "orl", "celebrities": "five-celebrities/train"}[base]

    def pictures(self, set_name):
        return sorted(p for p in self.folder(set_name).glob("*/*") if p.is_file())

    def detector(self, set_name):
        model = f"{self.options.shared}/models/yunet-n-320/model.onnx"
        return ["--detector", model] if set_name.endswith("-aligned") else []

    def faces(self, set_name):
        return [*self.detector(set_name), "--faces", "largest"] if self.detector(set_name) else []

    def features(self, set_name, network):
        """Features and labels of a set's pictures, in the order of their names."""
        pictures = self.pictures(set_name)
        classes = sorted({p.parent.name for p in pictures})
        labels = numpy.array([classes.index(p.parent.name) for p in pictures])
        kept = self.work / f"{set_name}--{network}.npy"
        if not kept.exists():
            run(self.kiln, "embed", self.network(network), *pictures, *self.detector(set_name), "-o", kept)
        rows = numpy.load(kept)
        if len(rows) != len(labels):
            sys.exit(f"{kept}: {len(rows)} rows for {len(labels)} pictures")
        return rows, labels

    def passing(self, width):
        """A network whose embedding is what it is given."""
        plan = self.work / f"passing-{width}.plan"
        if not plan.exists():
            order = numpy.arange(width)[::-1].astype(numpy.int64).copy()  # a copy would be left out
            node = helper.make_node("Gather", ["x", "order"], ["embedding"], axis=1)
            shape = ["N", width]
            graph = helper.make_graph(
                [node], "passing", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, shape)],
                [numpy_helper.from_array(order, "order")])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
            onnx.save(model, self.work / "passing.onnx")
            run(self.kiln, "compile", self.work / "passing.onnx", "-q", "-o", plan)
        return plan

    # ---- Classifiers: accuracy on a split ---------------------------------------------------------------------

    def note(self, said, right, told):
        """What the head in question answered, and what training told of it."""
        self.said.append((said, right))
        self.calibrated = json.loads(told)["calibrated"]

    def on_pictures(self, head, set_name, network, learn, test, listen):
        """Accuracy of a head that `kiln train` makes of pictures, of those that `kiln classify` is shown."""
        pictures, base = self.pictures(set_name), self.work / f"split-{os.getpid()}"
        shutil.rmtree(base, ignore_errors=True)
        for part, numbers in (("learn", learn), ("test", test)):
            for k in numbers:
                link = base / part / pictures[k].parent.name / pictures[k].name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(pictures[k].resolve())
        which = [] if head == "default" else ["--head", head]
        told = run(self.kiln, "train", self.network(network), base / "learn", "-o", base / "out.plan", "--json",
                   "--no-checkpoint", "--no-people", *self.detector(set_name), *which)
        answers = json.loads(run(self.kiln, "classify", base / "out.plan", base / "test", "--json", "--top", 1,
                                 *self.faces(set_name)))
        best = [answer_of(a) for a in answers]
        right = numpy.array([b["label"] == pathlib.Path(a["image"]).parent.name for a, b in zip(answers, best)])
        if listen:
            self.note(numpy.array([b["probability"] for b in best]), right, told)
        return float(right.mean())

    def on_features(self, head, x, y, tests, answers, seed, listen):
        own = self.work / f"split-{os.getpid()}"
        numpy.save(f"{own}-x.npy", x.astype(numpy.float32))
        numpy.save(f"{own}-y.npy", y.astype(numpy.uint8))
        numpy.save(f"{own}-test.npy", tests.astype(numpy.float32))
        which = [] if head == "default" else ["--head", head]
        told = run(self.kiln, "train", self.passing(x.shape[1]), f"{own}-x.npy", "-o", f"{own}.plan", "--json",
                   "--no-cache", "--no-checkpoint", "--seed", seed + 1, *which)
        run(self.kiln, "run", f"{own}.plan", "--input", f"x=@{own}-test.npy", "--output", f"{own}-out")
        scores = numpy.load(f"{own}-out/scores.npy")
        if listen:
            self.note(scores.max(1), scores.argmax(1) == answers, told)
        return float((scores.argmax(1) == answers).mean())

    def calibration_error(self):
        """How far what was said since is off, in points: over tenths of the probability of the answer."""
        said, right = (numpy.concatenate(parts) for parts in zip(*self.said))
        tenths = numpy.minimum((said * 10).astype(int), 9)
        off = [abs(said[tenths == k].sum() - right[tenths == k].sum()) for k in range(10)]
        self.said.clear()
        return 100 * sum(off) / len(said)


def answer_of(answer):
    """The best class of a picture, or of the face in it; a picture without one has none."""
    of = answer["faces"][0] if answer.get("faces") else answer
    return of["top"][0] if of.get("top") else {"label": None, "probability": 0}


def unit(rows):
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def class_means(x, y, tests, answers):
    means = unit(numpy.stack([unit(x)[y == c].mean(0) for c in numpy.unique(y)]))
    return float(((unit(tests) @ means.T).argmax(1) == answers).mean())


def logistic(x, y, tests, answers):
    return LogisticRegression(max_iter=1000).fit(x, y).score(tests, answers)


def vectors(x, y, tests, answers):
    return LinearSVC().fit(unit(x), y).score(unit(tests), answers)


PEERS = {"class means": class_means, "LogisticRegression": logistic, "LinearSVC": vectors}


def split(labels, count, seed):
    """Numbers of the samples to learn from and to test; None where a class would have none to test."""
    random, learn = numpy.random.default_rng(seed), []
    for c in numpy.unique(labels):
        own = numpy.where(labels == c)[0]
        if len(own) <= count:
            return None
        learn += list(random.permutation(own)[:count])
    return numpy.array(learn), numpy.setdiff1d(numpy.arange(len(labels)), learn)


def row(bench, set_name, network, count, heads, seeds):
    rows, labels = bench.features(set_name, network)
    found = {name: [] for name in [*heads, *PEERS]}
    for seed in range(seeds):
        parts = split(labels, count, seed)
        if parts is None:
            return
        learn, test = parts
        given = (rows[learn], labels[learn], rows[test], labels[test])
        for head in heads:
            listen = head == heads[0]
            found[head].append(bench.on_features(head, *given, seed, listen) if bench.options.features else
                               bench.on_pictures(head, set_name, network, learn, test, listen))
        for name, peer in PEERS.items():
            found[name].append(peer(*given))
    means = {name: float(numpy.mean(values)) for name, values in found.items()}
    worst = 100 * (means[heads[0]] - max(means[name] for name in PEERS))
    said = f"{bench.calibration_error():.1f}" if bench.calibrated else f"({bench.calibration_error():.1f})"
    print(f"| {set_name} | {network} | {count} | " + " | ".join(f"{v:.3f}" for v in means.values())
          + f" | {worst:+.1f} | {said} |", flush=True)


def main():
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kiln")
    parser.add_argument("shared")
    parser.add_argument("backbone")
    parser.add_argument("--sets", default="orl,orl-aligned,celebrities,celebrities-aligned")
    parser.add_argument("--networks", default="mobilefacenet-a,mobilefacenet-dynamic,embedded,squeezenet-fp16,resnet20-cifar10")
    parser.add_argument("--heads", default="default", help="the first is compared; as kiln train --head has them")
    parser.add_argument("--counts", default="1,2,3,5,10")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--faces", default="kiln-faces")
    parser.add_argument("--work", default="heads-work")
    parser.add_argument("--features", action="store_true")
    options = parser.parse_args()
    bench, heads = Bench(options), options.heads.split(",")
    titles = ["faces", "network", "pictures", *heads, *PEERS, "worst", "said"]
    print("| " + " | ".join(titles) + " |\n|" + "---|" * len(titles))
    for network in options.networks.split(","):
        for set_name in options.sets.split(","):
            for count in map(int, options.counts.split(",")):
                row(bench, set_name, network, count, heads, options.seeds)


if __name__ == "__main__":
    main()
