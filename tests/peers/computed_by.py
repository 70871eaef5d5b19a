#!/usr/bin/env python3
"""Who computes the layers of plans: calls and part of the multiplications, by network, algorithm and library.

    computed_by.py PLAN... [--kiln 'COMMAND...']

COMMAND is the kiln command, with an emulator before it for another processor; `COMMAND inspect PLAN` has
the whole table, layer by layer.
"""
import argparse
import collections
import json
import pathlib
import shlex
import subprocess


def layers_of(command, plan):
    answer = subprocess.run([*command, "inspect", plan, "--json"], check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)["layers"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plans", nargs="+", metavar="PLAN")
    parser.add_argument("--kiln", default="kiln")
    options = parser.parse_args()
    print("| network | kernel | computed by | calls | part of multiplications |\n|---|---|---|---|---|")
    for plan in options.plans:
        calls, macs = collections.Counter(), collections.Counter()
        layers = layers_of(shlex.split(options.kiln), plan)
        for layer in layers:
            how = f"{layer['library']} {layer['algorithm']}" if layer["algorithm"] else layer["library"]
            calls[layer["kernel"], how] += 1
            macs[layer["kernel"], how] += layer["macs"]
        total = sum(macs.values()) or 1
        name = pathlib.Path(plan).stem
        for (kernel, how), count in sorted(calls.items(), key=lambda row: -macs[row[0]]):
            if macs[kernel, how]:
                print(f"| {name} | {kernel} | {how} | {count} | {100 * macs[kernel, how] / total:.1f} % |")
        others = sum(count for row, count in calls.items() if not macs[row])
        print(f"| {name} | others | Kiln | {others} | |")


if __name__ == "__main__":
    main()
