#!/usr/bin/env python3
"""Kiln beside ONNX Runtime, OpenVINO, ncnn, LiteRT and bare XNNPACK on the same networks.

    python3 tests/peers/speed.py build/release [MODEL.onnx ...] [options]

Latency, load with the first answer, and peak resident memory, at batch 1 in f32, on the same threads.
Each library has a process of its own for a network; they take turns in rounds, and all but the one
whose turn it is are stopped, so that no idle thread of theirs spins. Latencies are medians of all runs,
ratios medians of the rounds' ratios: above 1 Kiln is faster, or smaller.

Load with the first answer is timed in fresh processes, from the model's file (in the page cache) on,
when the library itself has been loaded. As many bytes as it may need are touched and given back before
its process starts, since those that the host of a virtual machine has taken back come slowly. Memory is
the peak over what the process had at that time; of whole processes, the others' have Python in them.

"Kiln again" keeps packed weights beside the plan (--prepacked), and is timed from the second start on.
"XNNPACK" is Kiln with XNNPACK's own convolutions (kiln compile --convolution direct). ncnn gets its
files from pnnx, LiteRT from to_tflite.py; what was converted is kept. Each library's answer is compared
with ONNX Runtime's (without it, with Kiln's); what answers differently is not listed.

Before the rounds and after each, the machine's peak is measured, on several threads beside that on one:
where it fell meanwhile, or other processes took more than a twentieth of the processors, the network's
figures are marked, and the status is 1.

"OpenVINO" computes in f32; "OpenVINO default" as it does unless it is told, in bf16 where the processor
has that: it is no peer in f32, and answers differ.

For many networks, --results FILE.json keeps all figures and FILE.md their tables, with machine and date,
written after each network; called again, speed.py goes on with those that have none yet, or no good ones
(at most three times). With --seconds it begins none after so long, and the status is 3 while some are
left. --prepare only makes the environment and converts. So, on a machine that has nothing else to do:

    python3 tests/peers/speed.py build/release SET/*.onnx --prepare
    until python3 tests/peers/speed.py build/release SET/*.onnx --results speed.json --seconds 120
    do [ $? = 3 ] || break; done

The libraries are installed from Python wheels into an environment of their own, made when missing.
Needs Linux and python3-venv. Without models: those of --networks, made by kiln-models.
"""
import argparse
import json
import math
import os
import sys
import time

sys.dont_write_bytecode = True  # beside the sources

from speed_contest import (AGAIN, KILN, WHEELS, XNNPACK, Contest, Environment, Failure, Network, Roofs,
                           call, name_of, say)
from speed_report import Results, describe_machine, fingerprint, is_good, on_threads, print_report

NETWORKS = ["vgg16", "resnet50", "resnet18", "inception_v3", "mobilenetv2", "squeezenet",
            "densenet121"]


def parse_options():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="build folder, tests included")
    parser.add_argument("models", nargs="*", help="ONNX files")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="made where no model is given")
    parser.add_argument("--peers", nargs="+", default=[AGAIN, XNNPACK, *WHEELS],
                        choices=[AGAIN, XNNPACK, *WHEELS])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--turn", type=float, default=0.5, help="seconds of a library in a round")
    parser.add_argument("--loads", type=int, default=3, help="fresh processes, at least 1")
    parser.add_argument("--environment", default=os.path.join(cache, "kiln-peers"), metavar="FOLDER")
    parser.add_argument("--work", metavar="FOLDER", help="models and what they are converted to "
                        "(default: models in the environment's folder)")
    parser.add_argument("--json", metavar="FILE", help="all figures of this call")
    parser.add_argument("--markdown", action="store_true", help="tables in Markdown")
    parser.add_argument("--results", metavar="FILE.json", help="keep figures, and go on where they end")
    parser.add_argument("--seconds", type=float, metavar="S", default=math.inf,
                        help="begin no network after so long")
    parser.add_argument("--prepare", action="store_true", help="convert only")
    options = parser.parse_args()
    options.work = options.work or os.path.join(options.environment, "models")
    return options


def find_models(options):
    if options.models:
        return options.models
    paths = []
    for name in options.networks:
        paths.append(os.path.join(options.work, name + ".onnx"))
        if not os.path.exists(paths[-1]):
            call([os.path.join(options.build, "models", "kiln-models"), name, "-o", paths[-1]])
    return paths


def prepare(options, models, kiln, environment, peers):
    """Converts everything; whether Kiln and all of the others take it."""
    good = True
    for path in models:
        try:
            network = Network(path, options.work, kiln, environment)
        except Failure as reason:
            say(f"{path}: {reason}")
            good = False
            continue
        for peer in peers:
            try:
                network.file_for(peer)
            except Failure as reason:
                say(f"{network.name}, {peer}: {reason}")
    return 0 if good else 1


def measure(options, models, kiln, environment, peers, results):
    """Returns the status."""
    begin, failed, left = time.monotonic(), False, False
    for path in models:
        wanted = [t for t in options.threads if results.wants(name_of(path), t)]
        if wanted and time.monotonic() - begin >= options.seconds:
            left = True
            break
        try:
            network = Network(path, options.work, kiln, environment) if wanted else None
            for threads in wanted:
                if time.monotonic() - begin >= options.seconds:
                    left = True
                    break
                say(f"{network.name}, {on_threads(threads)}")
                contest = Contest(options, environment, network, threads, peers)
                results.add(contest.measure(Roofs(kiln, network, threads)))
        except Failure as reason:
            say(f"{path}: {reason}")
            failed = True
    left = left or any(results.wants(name_of(p), t) for p in models for t in options.threads
                       if results.find(name_of(p), t) is not None and options.results is not None)
    if left:
        return 3
    return 1 if failed or not all(map(is_good, results.report["results"])) else 0


def main():
    options = parse_options()
    peers = [KILN, *(p for p in [AGAIN, XNNPACK, *WHEELS] if p in options.peers)]
    kiln = os.path.join(options.build, "compiler", "cli", "kiln")
    try:
        environment = Environment(options.environment, peers)
        os.makedirs(options.work, exist_ok=True)
        models = find_models(options)
        if options.prepare:
            return prepare(options, models, kiln, environment, peers)
        settings = {"peers": peers, "rounds": options.rounds, "turn": options.turn,
                    "loads": options.loads, "kiln": fingerprint(kiln)}
        results = Results(options.results, describe_machine(environment, peers), settings, peers)
    except Failure as reason:
        sys.exit(str(reason))
    status = measure(options, models, kiln, environment, peers, results)
    if results.report["results"]:
        print_report(results.report, peers, options.markdown)
    if options.json:
        with open(options.json, "w") as out:
            json.dump(results.report, out, indent=1)
    return status


if __name__ == "__main__":
    sys.exit(main())
