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
the peak over what the process had at that time.

"Kiln again" keeps packed weights beside the plan (--prepacked), and is timed from the second start on.
"XNNPACK" is Kiln with XNNPACK's own convolutions (kiln compile --convolution direct). ncnn gets its
files from pnnx, LiteRT from to_tflite.py; what was converted is kept. Each library's answer is compared
with ONNX Runtime's (without it, with Kiln's); what answers differently is not listed.

Before the rounds and after each, the machine's peak is measured, on several threads beside that on one:
where it fell meanwhile, the network's figures are marked, and the status is 1.

The libraries are installed from Python wheels into an environment of their own, made when missing.
Needs Linux and python3-venv. Without models: those of --networks, made by kiln-models.
"""
import argparse
import array
import datetime
import json
import math
import mmap
import os
import random
import select
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
KILN, AGAIN, XNNPACK, ORT = "Kiln", "Kiln again", "XNNPACK", "ONNX Runtime"
WHEELS = {ORT: "onnxruntime", "OpenVINO": "openvino", "ncnn": "ncnn", "LiteRT": "ai-edge-litert"}
NETWORKS = ["vgg16", "resnet50", "resnet18", "inception_v3", "mobilenetv2", "squeezenet",
            "densenet121"]
PATIENCE = 300  # seconds that an answer may take
STEADY = 0.9  # of the highest peak, and of a thread's for each: a machine that gives less is not steady
TOLERANCE = 1e-2  # of the largest output


class Failure(Exception):
    pass


def call(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise Failure(lines[-1])
    return done.stdout


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- The libraries and their files


class Environment:
    """A virtual environment; what is missing of it is made and installed."""

    def __init__(self, folder, peers):
        self.folder, self.python = folder, os.path.join(folder, "bin", "python")
        if not os.path.exists(self.python):
            say(f"making {folder}")
            call([sys.executable, "-m", "venv", folder])
        wanted = ["numpy", *(WHEELS[p] for p in peers if p in WHEELS)]
        wanted += ["onnx", "flatbuffers"] if "LiteRT" in peers else []
        self.install([w for w in wanted if w not in self.versions()])
        if "ncnn" in peers and "pnnx" not in self.versions():
            # Its program converts ONNX alone; its Python side, not used here, would want PyTorch.
            self.install(["--no-deps", "pnnx"])

    def versions(self):
        return json.loads(call([self.python, "-c", "import importlib.metadata as m, json; print("
                                "json.dumps({d.metadata['Name'].lower().replace('_', '-'): d.version"
                                " for d in m.distributions()}))"]))

    def install(self, what):
        if what:
            say("installing " + " ".join(what))
            call([self.python, "-m", "pip", "install", "-q", *what])

    def pnnx(self):
        places = call([self.python, "-c", "import importlib.util as u; print("
                       "u.find_spec('pnnx').submodule_search_locations[0])"])
        return os.path.join(places.strip(), "pnnx")


class Network:
    """An ONNX file and what the libraries take in its place."""

    def __init__(self, path, folder, kiln, environment):
        self.path, self.kiln, self.environment = os.path.abspath(path), kiln, environment
        above, name = os.path.split(os.path.splitext(self.path)[0])
        self.name = os.path.basename(above) if name == "model" else name
        self.stem = os.path.join(folder, f"{self.name}.{zlib.crc32(self.path.encode()):08x}")
        self.plans = {KILN: self.stem + ".plan", AGAIN: self.stem + ".plan",
                      XNNPACK: self.stem + ".xnnpack.plan"}
        made = call([kiln, "compile", self.path, "-o", self.plans[KILN], "--json"])
        self.weights = json.loads(made)["weights_bytes"]
        inputs = json.loads(call([kiln, "inspect", self.plans[KILN], "--json"]))["inputs"]
        if len(inputs) != 1 or inputs[0]["type"] != "f32":
            raise Failure("not one input of f32")
        self.shape = inputs[0]["shape"]
        self.input = self.stem + ".input"
        numbers = random.Random(1)
        with open(self.input, "wb") as out:
            array.array("f", (numbers.uniform(-1, 1) for _ in range(math.prod(self.shape)))
                        ).tofile(out)

    def is_older(self, path):
        return not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(self.path)

    def file_for(self, peer):
        if peer == XNNPACK:
            call([self.kiln, "compile", self.path, "-o", self.plans[XNNPACK], "--convolution",
                  "direct", "-q"])
        if peer == AGAIN:
            call([self.kiln, "bench", self.plans[AGAIN], "--prepacked", "--runs", "1"])
        if peer in self.plans:
            return self.plans[peer]
        if peer == "ncnn":
            return self.ncnn_files()
        if peer == "LiteRT":
            path = self.stem + ".tflite"
            if self.is_older(path):
                say(f"{self.name}: converting for LiteRT")
                call([self.environment.python, os.path.join(HERE, "to_tflite.py"), self.path, path])
            return path
        return self.path

    def ncnn_files(self):
        stem = self.stem + ".ncnn"
        if self.is_older(stem + ".bin"):
            say(f"{self.name}: converting for ncnn")
            # It writes beside the model, and files of its own besides.
            with tempfile.TemporaryDirectory(dir=os.path.dirname(self.stem)) as folder:
                link = os.path.join(folder, "model.onnx")
                os.symlink(self.path, link)
                call([self.environment.pnnx(), link, "inputshape=" + json.dumps(
                    self.shape, separators=(",", ":")), "fp16=0"])
                for end in (".param", ".bin"):
                    os.replace(os.path.join(folder, "model.ncnn" + end), stem + end)
        return stem


# ---- Workers


class Worker:
    """A process that runs one network with one library; stopped but when it is asked something."""

    def __init__(self, options, environment, network, peer, path, threads):
        self.output = f"{network.stem}.{peer.replace(' ', '')}.output"
        about = [str(threads), network.input, self.output]
        if peer in network.plans:
            command = [os.path.join(options.build, "tests", "peers", "peer_worker"), path, *about]
            command += [path + ".packed"] if peer == AGAIN else []
        else:
            command = [environment.python, os.path.join(HERE, "worker.py"), peer, path, *about,
                       "x".join(map(str, network.shape))]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors)
        self.answer()
        self.before = self.status("VmRSS")
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")  # the peak begins here

    def status(self, field):
        with open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        return 0

    def answer(self):
        out = self.process.stdout
        if not select.select([out], [], [], PATIENCE)[0]:
            raise Failure(f"no answer within {PATIENCE} s")
        line = out.readline()
        if not line.endswith(b"\n"):
            self.process.wait()
            self.errors.seek(0)
            said = self.errors.read().decode(errors="replace").strip().splitlines()
            raise Failure(said[-1] if said else f"ended with status {self.process.returncode}")
        return line.decode().strip()

    def ask(self, question):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write((question + "\n").encode())
        self.process.stdin.flush()
        answer = json.loads(self.answer())
        self.process.send_signal(signal.SIGSTOP)
        return answer

    def results(self):
        values = array.array("f")
        with open(self.output, "rb") as file:
            values.frombytes(file.read())
        return values

    def end(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            try:
                stream.close()
            except BrokenPipeError:
                pass


class OtherLoad:
    """What other processes take of the processors meanwhile, as a part of all. Ours must have ended."""

    def __init__(self):
        self.begin = self.seconds()

    @staticmethod
    def seconds():
        with open("/proc/stat") as file:
            ticks = [int(t) for t in file.readline().split()[1:9]]
        idle, tick = ticks[3] + ticks[4], os.sysconf("SC_CLK_TCK")
        return sum(ticks) / tick, (sum(ticks) - idle) / tick, sum(os.times()[:4])

    def part(self):
        everything, busy, ours = (b - a for a, b in zip(self.begin, self.seconds()))
        return max(0.0, (busy - ours) / everything)


def touch(size):
    with mmap.mmap(-1, max(size, mmap.PAGESIZE)) as memory:
        for at in range(0, len(memory), mmap.PAGESIZE):
            memory[at] = 1


class Contest:
    """One network on some threads."""

    def __init__(self, options, environment, network, threads, peers):
        self.options, self.environment = options, environment
        self.network, self.threads = network, threads
        self.files, self.workers, self.failures = {}, {}, {}
        self.loads = {peer: [] for peer in peers}
        self.runs = {peer: [] for peer in peers}  # of each round
        self.turns = {}  # runs of a turn
        self.memory = {}
        self.order = random.Random(1)
        for peer in peers:
            self.attempt(peer, lambda p: self.files.__setitem__(p, network.file_for(p)))

    def attempt(self, peer, what):
        """Does it with the peer; what goes wrong takes the peer out."""
        try:
            what(peer)
        except (Failure, BrokenPipeError, ValueError) as reason:
            self.failures[peer] = str(reason) or "its process ended"
            self.files.pop(peer, None)
            worker = self.workers.pop(peer, None)
            if worker is not None:
                worker.end()

    def each(self, what):
        peers = list(self.files)
        self.order.shuffle(peers)
        for peer in peers:
            self.attempt(peer, what)

    def load(self, peer):
        if peer in self.workers:
            self.workers.pop(peer).end()
        touch(4 * self.network.weights)
        self.workers[peer] = Worker(self.options, self.environment, self.network, peer,
                                    self.files[peer], self.threads)
        self.loads[peer].append(self.workers[peer].ask("load"))

    def compare(self, peer):
        reference = self.workers[ORT if ORT in self.workers else KILN].results()
        values = self.workers[peer].results()
        if len(values) != len(reference):
            raise Failure(f"{len(values)} outputs instead of {len(reference)}")
        worst = max(abs(a - b) for a, b in zip(values, reference))
        largest = max(map(abs, reference))
        if not worst <= TOLERANCE * largest:
            raise Failure(f"answers differ by {worst / largest:.2g} of the largest")

    def turn(self, peer):
        worker = self.workers[peer]
        if peer not in self.turns:
            once = worker.ask("run 1")[0]
            self.turns[peer] = max(2, min(500, math.ceil(self.options.turn / once)))
        self.runs[peer].append(worker.ask(f"run {self.turns[peer]}"))

    def weigh(self, peer):
        worker = self.workers[peer]
        self.memory[peer] = worker.status("VmHWM") - worker.before

    def measure(self, roofs):
        others = OtherLoad()
        try:
            roofs.look()
            for _ in range(self.options.loads):
                self.each(self.load)
            self.each(self.compare)
            for _ in range(self.options.rounds):
                self.each(self.turn)
                roofs.look()
            self.each(self.weigh)
        finally:
            for worker in self.workers.values():
                worker.end()
        return {**self.figures(), "roofline": roofs.figures(), "others": others.part()}

    def ratio(self, mine, theirs):
        return statistics.median(b / a for a, b in zip(mine, theirs))

    def figures(self):
        found = {"network": self.network.name, "threads": self.threads, "peers": {},
                 "failures": self.failures}
        if KILN not in self.files:
            raise Failure(self.failures[KILN])
        rounds = {p: [statistics.median(r) for r in self.runs[p]] for p in self.files}
        for p in self.files:
            found["peers"][p] = {
                "latency_ms": 1e3 * statistics.median(t for r in self.runs[p] for t in r),
                "latency_ratio": self.ratio(rounds[KILN], rounds[p]),
                "load_ms": 1e3 * statistics.median(self.loads[p]),
                "load_ratio": self.ratio(self.loads[KILN], self.loads[p]),
                "memory_mib": self.memory[p] / 2**20,
                "memory_ratio": self.memory[p] / self.memory[KILN]}
        return found


class Roofs:
    """What the machine can do at most in the seconds of a contest, and how near each of Kiln's layers
    comes to it. A virtual machine's host gives it less at times, two threads less than twice one's
    most often: what is measured then says nothing."""

    def __init__(self, kiln, network, threads):
        self.command = [kiln, "bench", network.plans[KILN], "--profile", "--json", "--runs", "5",
                        "--threads", str(threads)]
        self.network, self.found = network, []

    def look(self):
        bench = json.loads(call(self.command))[0]
        machine, total = bench["machine"], bench["total"]
        self.found.append({**machine, "of_peak": total["of_peak"],
                           "threads_worth": bench.get("scaling", {}).get("machine", 1.0),
                           "steady": bench.get("scaling", {}).get("steady", True),
                           "multiply_ms": total["operations"] / machine["gflops"] / 1e6,
                           "read_ms": self.network.weights / machine["memory_gb_per_second"] / 1e6})

    def figures(self):
        peaks = [f["gflops"] for f in self.found]
        middle = sorted(self.found, key=lambda f: f["gflops"])[len(self.found) // 2]
        steady = min(peaks) >= STEADY * max(peaks) and all(f["steady"] for f in self.found)
        return {**middle, "steady": steady, "lowest": min(peaks), "highest": max(peaks),
                "lowest_worth": min(f["threads_worth"] for f in self.found)}


# ---- Tables


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
        row = [c["network"] + ("" if c["roofline"]["steady"] else " (not a good run)"), str(c["threads"])]
        for peer in peers:
            of = c["peers"].get(peer)
            row.append("-" if of is None else number(of[f"{measure}_{unit}"]) if peer == KILN else
                       f"{number(of[f'{measure}_{unit}'])} ({of[f'{measure}_ratio']:.2f})")
        if measure == "latency":
            roof, mine = c["roofline"], c["peers"][KILN]["latency_ms"]
            row += [f"{number(roof[k])} ({roof[k] / mine:.2f})" for k in ("multiply_ms", "read_ms")]
        rows.append(row)
    return rows


def print_table(head, rows, markdown):
    if markdown:
        print("| " + " | ".join(head) + " |")
        print("|---" * len(head) + "|")
        for row in rows:
            print("| " + " | ".join(row) + " |")
        return
    widths = [max(len(r[k]) for r in [head, *rows]) for k in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(cell.ljust(w) if k == 0 else cell.rjust(w)
                        for k, (cell, w) in enumerate(zip(row, widths))))


def print_report(report, peers, markdown):
    about = report["machine"]
    print(f"\n{about['date']}, {about['cpu']}, {about['cores']} cores; "
          + ", ".join(f"{p} {v}" for p, v in about["versions"].items()) + f"; {about['command']}")
    contests = report["results"]
    for threads in sorted({c["threads"] for c in contests}):
        roofs = [c["roofline"] for c in contests if c["threads"] == threads]
        print(f"{on_threads(threads)}: {roofs[0]['vectors']}, "
              f"{statistics.median(r['gflops'] for r in roofs):.1f} GFLOP/s, "
              f"{statistics.median(r['memory_gb_per_second'] for r in roofs):.1f} GB/s from memory"
              + (f"; {threads} threads' peak is {statistics.median(r['threads_worth'] for r in roofs):.2f}"
                 f" times one's (at least {min(r['lowest_worth'] for r in roofs):.2f})"
                 if threads > 1 else ""))
    for measure, unit, title in MEASURES:
        print(f"\n{title}" + (" (divided by Kiln's)" if not markdown else ":\n"))
        head = ["Network", "Threads", *peers]
        head += ["at FMA peak", "weights read"] if measure == "latency" else []
        print_table(head, rows_of(contests, peers, measure, unit), markdown)
    print()
    for c in contests:
        if c["others"] > 0.05:
            print(f"{c['network']}, {on_threads(c['threads'])}: other processes took {c['others']:.0%} of "
                  "the processors; measure again")
        if not c["roofline"]["steady"]:
            roof = c["roofline"]
            print(f"{c['network']}, {on_threads(c['threads'])}: not a good run: the machine's peak fell "
                  f"to {roof['lowest']:.0f} of {roof['highest']:.0f} GFLOP/s, {roof['lowest_worth']:.2f} "
                  "times one thread's; measure again")
        for peer, reason in c["failures"].items():
            print(f"{c['network']}, {peer}, {on_threads(c['threads'])}: {reason}")


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


# ---- Options


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
    parser.add_argument("--json", metavar="FILE", help="all figures")
    parser.add_argument("--markdown", action="store_true", help="tables in Markdown")
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


def main():
    options = parse_options()
    peers = [KILN, *(p for p in [AGAIN, XNNPACK, *WHEELS] if p in options.peers)]
    kiln = os.path.join(options.build, "compiler", "cli", "kiln")
    try:
        environment = Environment(options.environment, peers)
        os.makedirs(options.work, exist_ok=True)
        models = find_models(options)
    except Failure as reason:
        sys.exit(str(reason))
    report = {"machine": describe_machine(environment, peers), "results": []}
    failed = False
    for path in models:
        try:
            network = Network(path, options.work, kiln, environment)
            for threads in options.threads:
                say(f"{network.name}, {on_threads(threads)}")
                contest = Contest(options, environment, network, threads, peers)
                report["results"].append(contest.measure(Roofs(kiln, network, threads)))
        except Failure as reason:
            say(f"{path}: {reason}")
            failed = True
    if report["results"]:
        print_report(report, peers, False)
        if options.markdown:
            print_report(report, peers, True)
    if options.json:
        with open(options.json, "w") as out:
            json.dump(report, out, indent=1)
    steady = all(c["roofline"]["steady"] for c in report["results"])
    return 1 if failed or not steady else 0


if __name__ == "__main__":
    sys.exit(main())
