"""One network, some threads, several libraries: what speed.py measures, and how."""
import array
import json
import math
import mmap
import os
import random
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
KILN, AGAIN, XNNPACK, ORT = "Kiln", "Kiln again", "XNNPACK", "ONNX Runtime"
OPENVINO, OPENVINO_DEFAULT = "OpenVINO", "OpenVINO default"
WHEELS = {ORT: "onnxruntime", OPENVINO: "openvino", OPENVINO_DEFAULT: "openvino", "ncnn": "ncnn",
          "LiteRT": "ai-edge-litert"}
PATIENCE = 300  # seconds that an answer may take
STEADY = 0.9  # of the highest peak, and of a thread's for each: a machine that gives less is not steady
OTHERS = 0.05  # of the processors: more than that for other processes, and the figures say little
TOLERANCE = 1e-2  # of the largest output
LOW_PRECISION = 1.0  # of it where 8 bits of mantissa are all there are: random weights make much of that


class Failure(Exception):
    pass


def call(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise Failure(f"{os.path.basename(command[0])}: not done within {PATIENCE} s") from None
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
        wanted = ["numpy", *sorted({WHEELS[p] for p in peers if p in WHEELS})]
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


def name_of(path):
    above, name = os.path.split(os.path.splitext(os.path.abspath(path))[0])
    return os.path.basename(above) if name == "model" else name


class Network:
    """An ONNX file and what the libraries take in its place."""

    def __init__(self, path, folder, kiln, environment):
        self.path, self.kiln, self.environment = os.path.abspath(path), kiln, environment
        self.name = name_of(path)
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
            return self.converted(peer, self.stem + ".ncnn", ".bin", self.make_ncnn)
        if peer == "LiteRT":
            return self.converted(peer, self.stem + ".tflite", "", self.make_tflite)
        return self.path

    def converted(self, peer, stem, end, make):
        """What a converter makes of the model, once; that it could not is kept as well."""
        failed = stem + ".failed"
        if self.is_older(stem + end) and self.is_older(failed):
            say(f"{self.name}: converting for {peer}")
            try:
                make(stem)
            except Failure as reason:
                with open(failed, "w") as out:
                    out.write(f"not converted: {reason}")
        if self.is_older(stem + end):
            with open(failed) as file:
                raise Failure(file.read())
        return stem

    def make_tflite(self, path):
        call([self.environment.python, os.path.join(HERE, "to_tflite.py"), self.path, path])

    def make_ncnn(self, stem):
        # It writes beside the model, and files of its own besides.
        with tempfile.TemporaryDirectory(dir=os.path.dirname(self.stem)) as folder:
            link = os.path.join(folder, "model.onnx")
            os.symlink(self.path, link)
            call([self.environment.pnnx(), link, "inputshape=" + json.dumps(
                self.shape, separators=(",", ":")), "fp16=0"])
            for end in (".param", ".bin"):
                made = os.path.join(folder, "model.ncnn" + end)
                if not os.path.exists(made):
                    raise Failure("pnnx makes no files of ncnn's")
                os.replace(made, stem + end)


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
        self.memory, self.peaks, self.differences = {}, {}, {}
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
        if not worst <= (LOW_PRECISION if peer == OPENVINO_DEFAULT else TOLERANCE) * largest:
            raise Failure(f"answers differ by {worst / largest:.2g} of the largest")
        self.differences[peer] = worst / largest if largest > 0 else 0.0

    def turn(self, peer):
        worker = self.workers[peer]
        if peer not in self.turns:
            once = worker.ask("run 1")[0]
            self.turns[peer] = max(2, min(500, math.ceil(self.options.turn / once)))
        self.runs[peer].append(worker.ask(f"run {self.turns[peer]}"))

    def weigh(self, peer):
        worker = self.workers[peer]
        self.peaks[peer] = worker.status("VmHWM")
        self.memory[peer] = self.peaks[peer] - worker.before

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
                "memory_ratio": self.memory[p] / self.memory[KILN],
                "peak_mib": self.peaks[p] / 2**20,
                "difference": self.differences[p]}
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
