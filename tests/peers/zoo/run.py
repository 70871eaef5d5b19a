#!/usr/bin/env python3
"""Networks of torchvision, timm and Keras, exported by their own exporters, on Kiln.

    python3 tests/peers/zoo/run.py build/release [NETWORK ...] [--outputs-only] [--keep FOLDER]

Each export comes with the framework's own answers; kiln verify compares Kiln's with them, and each layer
with the naive evaluator at two batches where the batch is open (not with --outputs-only, which takes
seconds, not up to minutes, a network). Prints right, wrong or refused for each, with the reason; exit
status 1 when one is wrong. Exports are deleted once compared, unless they are kept; those that a folder
keeps are not made again.

A network is NET[:SIZE[:VARIANTS]], see export_torch.py and export_keras.py for what they may be and need;
without one, those of networks.txt. Weights are random with a fixed seed: nothing is downloaded.
"""
import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def read_networks():
    with open(os.path.join(HERE, "networks.txt"), encoding="utf-8") as lines:
        return [line.split()[0] for line in lines if line.strip() and line[0] != "#"]


def export(network, folder):
    """Folders of the exports, and what the exporter says of those that failed."""
    script = "export_keras.py" if network.startswith("keras/") else "export_torch.py"
    done = subprocess.run([sys.executable, os.path.join(HERE, script), folder, network],
                          capture_output=True, text=True)
    lines = done.stdout.splitlines()
    made = [line[5:] for line in lines if line.startswith("made ")]
    failed = [line[7:] for line in lines if line.startswith("failed ")]
    if done.returncode != 0:
        failed.append(f"{network}: {(done.stderr.strip() or 'no message').splitlines()[-1]}")
    return made, failed


def verify(kiln, folder, outputs_only):
    command = [kiln, "verify", os.path.join(folder, "model.onnx"), "--json", "--data",
               os.path.join(folder, "test_data_set_0")]
    done = subprocess.run(command + (["--outputs-only"] if outputs_only else []),
                          capture_output=True, text=True, errors="replace")
    message = (done.stderr.strip() or f"died with {done.returncode}").splitlines()[-1]
    if done.returncode == 0:
        result = json.loads(done.stdout)
        return "right", (f"{result['layers_compared']} layers, {result['batches_compared']} batches, "
                         f"{result['worst_output_excess']:.3f} of what is allowed")
    refused = "supported" in message or "cut the graph there" in message
    return ("refused" if refused else "wrong"), message


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", help="build folder")
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--outputs-only", action="store_true")
    parser.add_argument("--keep", metavar="FOLDER")
    arguments = parser.parse_intermixed_args()
    kiln = os.path.join(arguments.build, "compiler", "cli", "kiln")
    counts = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="kiln-zoo-") as scratch:
        for network in arguments.networks or read_networks():
            made, failed = export(network, arguments.keep or scratch)
            for message in failed:
                counts["not exported"] += 1
                print(f"not exported {message}", flush=True)
            for folder in made:
                outcome, detail = verify(kiln, folder, arguments.outputs_only)
                counts[outcome] += 1
                print(f"{outcome:8} {os.path.basename(folder)}: {detail}", flush=True)
                if not arguments.keep:
                    shutil.rmtree(folder)
    print(", ".join(f"{number} {what}" for what, number in counts.items()))
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
