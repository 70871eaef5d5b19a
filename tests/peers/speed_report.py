"""What speed.py has found: tables, and the file that keeps figures from one call to the next."""
import datetime
import io
import json
import os
import shlex
import statistics
import sys
import zlib

from speed_contest import (AGAIN, KILN, OPENVINO_DEFAULT, ORT, OTHERS, WHEELS, XNNPACK, Failure)

TRIES = 3  # of a network whose figures are not good


MEASURES = [("latency", "ms", "Latency, ms"),
            ("load", "ms", "Load with the first answer, ms"),
            ("memory", "mib", "Peak resident memory over the library's own, MiB")]


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def on_threads(count):
    return f"{count} thread" + ("s" if count > 1 else "")


def rows_of(contests, peers, measure, unit):
    rows = []
    for c in contests:
        row = [c["network"] + ("" if is_good(c) else " (not a good run)"), str(c["threads"])]
        for peer in peers:
            of = c["peers"].get(peer)
            row.append("-" if of is None else number(of[f"{measure}_{unit}"]) if peer == KILN else
                       f"{number(of[f'{measure}_{unit}'])} ({of[f'{measure}_ratio']:.2f})")
        if measure == "latency":
            roof, mine = c["roofline"], c["peers"][KILN]["latency_ms"]
            row += [f"{number(roof[k])} ({roof[k] / mine:.2f})" for k in ("multiply_ms", "read_ms")]
        rows.append(row)
    return rows


def print_table(head, rows, markdown, out):
    if markdown:
        print("| " + " | ".join(head) + " |", file=out)
        print("|---" * len(head) + "|", file=out)
        for row in rows:
            print("| " + " | ".join(row) + " |", file=out)
        return
    widths = [max(len(r[k]) for r in [head, *rows]) for k in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(w) if k == 0 else cell.rjust(w)
                        for k, (cell, w) in enumerate(zip(row, widths))), file=out)


def is_good(contest):
    return contest["roofline"]["steady"] and contest["others"] <= OTHERS


def best_other(contest):
    """The fastest library in f32 but ONNX Runtime and ourselves, and its time over ours."""
    others = {p: f["latency_ratio"] for p, f in contest["peers"].items()
              if p not in (KILN, AGAIN, XNNPACK, ORT, OPENVINO_DEFAULT)}
    name = min(others, key=others.get, default=None)
    return "-" if name is None else f"{others[name]:.2f} ({name})"


def summary(contests):
    head = ["Network", "Threads", "Kiln, ms", "ONNX Runtime / Kiln", "best other in f32 / Kiln",
            "its load / Kiln's", "Kiln's memory / its", "whole processes", "differs by"]
    rows = []
    for c in contests:
        ort, mine = c["peers"].get(ORT), c["peers"][KILN]
        rows.append([c["network"] + ("" if is_good(c) else " (not a good run)"), str(c["threads"]),
                     number(mine["latency_ms"]),
                     "-" if ort is None else f"{ort['latency_ratio']:.2f}", best_other(c),
                     "-" if ort is None else f"{ort['load_ratio']:.2f}",
                     "-" if ort is None else f"{1 / ort['memory_ratio']:.2f}",
                     "-" if ort is None else f"{mine['peak_mib'] / ort['peak_mib']:.2f}",
                     f"{mine['difference']:.0e}"])
    return head, rows


def print_report(report, peers, markdown, out=sys.stdout):
    def tell(text=""):
        print(text, file=out)

    about = report["machine"]
    tell(f"\n{about['date']}, {about['cpu']}, {about['cores']} cores; "
          + ", ".join(f"{p} {v}" for p, v in about["versions"].items()) + f"; {about['command']}")
    contests = report["results"]
    for threads in sorted({c["threads"] for c in contests}):
        roofs = [c["roofline"] for c in contests if c["threads"] == threads]
        tell(f"{on_threads(threads)}: {roofs[0]['vectors']}, "
              f"{statistics.median(r['gflops'] for r in roofs):.1f} GFLOP/s, "
              f"{statistics.median(r['memory_gb_per_second'] for r in roofs):.1f} GB/s from memory"
              + (f"; {threads} threads' peak is {statistics.median(r['threads_worth'] for r in roofs):.2f}"
                 f" times one's (at least {min(r['lowest_worth'] for r in roofs):.2f})"
                 if threads > 1 else ""))
    tell("\nLatency, memory and right answers in short" + (":\n" if markdown else ""))
    print_table(*summary(contests), markdown, out)
    for measure, unit, title in MEASURES:
        tell(f"\n{title}" + (" (divided by Kiln's)" if not markdown else ":\n"))
        head = ["Network", "Threads", *peers]
        head += ["at FMA peak", "weights read"] if measure == "latency" else []
        print_table(head, rows_of(contests, peers, measure, unit), markdown, out)
    tell()
    for c in contests:
        if c["others"] > OTHERS:
            tell(f"{c['network']}, {on_threads(c['threads'])}: other processes took {c['others']:.0%} of "
                  "the processors; measure again")
        if not c["roofline"]["steady"]:
            roof = c["roofline"]
            tell(f"{c['network']}, {on_threads(c['threads'])}: not a good run: the machine's peak fell "
                  f"to {roof['lowest']:.0f} of {roof['highest']:.0f} GFLOP/s, {roof['lowest_worth']:.2f} "
                  "times one thread's; measure again")
        for peer, reason in c["failures"].items():
            tell(f"{c['network']}, {peer}, {on_threads(c['threads'])}: {reason}")


def describe_machine(environment, peers):
    cpu = "unknown CPU"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith(("model name", "Model")):
                cpu = line.split(":", 1)[1].strip()
                break
    versions = environment.versions()
    return {"date": datetime.date.today().isoformat(), "cpu": cpu,
            "cores": len(os.sched_getaffinity(0)),
            "versions": {p: versions[WHEELS[p]] for p in peers if p in WHEELS},
            "command": shlex.join(["speed.py", *sys.argv[1:]])}


class Results:
    """Figures that outlive the call: FILE.json, and the tables of them in FILE.md. They are those of
    one machine, one build and the same settings."""

    def __init__(self, path, machine, settings, peers):
        self.path, self.peers = path, peers
        self.report = {"machine": machine, "settings": settings, "results": []}
        if path is not None and os.path.exists(path):
            with open(path) as file:
                self.report = json.load(file)
            old = self.report["machine"]
            if (self.report["settings"] != settings or
                    any(old[k] != machine[k] for k in ("cpu", "cores", "versions"))):
                raise Failure(f"{path} has figures of another machine, build or other settings")

    def find(self, network, threads):
        return next((r for r in self.report["results"]
                     if (r["network"], r["threads"]) == (network, threads)), None)

    def wants(self, network, threads):
        """Whether there is none yet, or none that is good."""
        found = self.find(network, threads)
        return found is None or (not is_good(found) and found["tries"] < TRIES)

    def add(self, result):
        old = self.find(result["network"], result["threads"])
        result["tries"] = 1 if old is None else old["tries"] + 1
        if old is None:
            self.report["results"].append(result)
        else:
            self.report["results"][self.report["results"].index(old)] = result
        if self.path is not None:
            tables = io.StringIO()
            print_report(self.report, self.peers, True, tables)
            replace(self.path, json.dumps(self.report, indent=1) + "\n")
            replace(os.path.splitext(self.path)[0] + ".md", tables.getvalue().lstrip())


def replace(path, text):
    with open(path + ".new", "w") as out:
        out.write(text)
    os.replace(path + ".new", path)


def fingerprint(path):
    with open(path, "rb") as file:
        return f"{zlib.crc32(file.read()):08x}"
