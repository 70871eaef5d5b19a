#!/usr/bin/env python3
"""Known people and strangers: the tables in models/faces/README.md.

    strangers.py KILN BACKBONE.plan FACES [--detector FILE] [--splits N]

FACES is a folder with a folder of pictures for each of at least 40 people (AT&T's: ../shared/faces/orl). In each
split, another random one each time:

* 20 people are known by 5 pictures each and shown by the others, the rest are strangers: how many of the shown
  are named where 1 % of the strangers pass (which these strangers themselves tell), and how many strangers pass at
  the plan's own threshold, that knows of none of them.
* 20 people are known by 8 pictures each, 14 are strangers whom the plan has seen (--strangers), the rest are
  strangers never seen: how many of those pass where 1 % was asked for.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile


def pictures(folder):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder))


def link(files, folder):
    os.makedirs(folder)
    for path in files:
        os.symlink(os.path.realpath(path), os.path.join(folder, os.path.basename(path)))


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


class Bench:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.detector = ["--detector", options.detector] if options.detector else []
        self.people = sorted(p for p in os.listdir(options.faces)
                             if os.path.isdir(os.path.join(options.faces, p)))

    def folder(self, name):
        path = os.path.join(self.work, name)
        shutil.rmtree(path, ignore_errors=True)
        return path

    def measure(self, split, known, taught, far):
        """One split: trains on `known` pictures of 20 people with `taught` strangers; evaluates the rest."""
        chance = random.Random(split)
        people = self.people[:]
        chance.shuffle(people)
        train, test, strangers = self.folder("train"), self.folder("test"), self.folder("strangers")
        for place, person in enumerate(people):
            files = pictures(os.path.join(self.options.faces, person))
            chance.shuffle(files)
            if place < 20:
                link(files[:known], os.path.join(train, person))
                link(files[known:], os.path.join(test, person))
            elif place < 20 + taught:
                link(files, os.path.join(strangers, person))
            else:
                link(files, os.path.join(test, "stranger " + person))
        plan = os.path.join(self.work, "people.plan")
        run([self.options.kiln, "train", self.options.backbone, train, "-o", plan, "--validation", "0", "-q",
             "--no-checkpoint"] + (["--strangers", strangers] if taught else []) + self.detector
            + self.options.train.split())
        told = run([self.options.kiln, "evaluate", plan, test, "--strangers", "--json"]
                   + (["--far", str(far)] if far else []) + self.detector)
        return json.loads(told)["open_set"]


def mean(values):
    return sum(values) / len(values)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kiln")
    parser.add_argument("backbone")
    parser.add_argument("faces")
    parser.add_argument("--detector")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--train", default="", help="options of kiln train")
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(parser.parse_args(), work)
        splits = range(1, bench.options.splits + 1)
        unaware = [bench.measure(split, 5, 0, None) for split in splits]
        asked = [bench.measure(split, 8, 14, 0.01) for split in splits]
    at = [result["at"][1]["named"]["share"] for result in unaware]
    print(f"named at 1 % FPIR: {mean(at):.3f} ({min(at):.3f} to {max(at):.3f})")
    print(f"without strangers: promised {mean([r['asked'] for r in unaware]):.4f}, "
          f"got {mean([r['fpir']['share'] for r in unaware]):.4f}, "
          f"named {1 - mean([r['fnir']['share'] for r in unaware]):.3f}")
    got = [result["fpir"]["share"] for result in asked]
    print(f"asked 0.01: got {mean(got):.4f} ({min(got):.4f} to {max(got):.4f}), "
          f"named {1 - mean([r['fnir']['share'] for r in asked]):.3f}")


main()
