"""The peers' worker of speed.py: the same as worker.c for one of the other libraries.

    python worker.py PEER MODEL THREADS INPUT OUTPUT 1x3x224x224
"""
import json
import sys
import time

import numpy as np


class OnnxRuntime:
    def __init__(self, threads):
        import onnxruntime
        self.library, self.threads = onnxruntime, threads

    def load(self, path, x):
        options = self.library.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        self.session = self.library.InferenceSession(path, options,
                                                     providers=["CPUExecutionProvider"])
        self.feed = {self.session.get_inputs()[0].name: x}

    def run(self):
        return self.session.run(None, self.feed)[0]


class OpenVino:
    precision = {"INFERENCE_PRECISION_HINT": "f32"}

    def __init__(self, threads):
        import openvino
        self.library, self.threads = openvino, threads

    def load(self, path, x):
        core = self.library.Core()
        model = core.read_model(path)
        model.reshape(list(x.shape))  # the batch may be open: settled, it is faster
        compiled = core.compile_model(model, "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": self.threads, **self.precision})
        self.request = compiled.create_infer_request()
        self.request.set_input_tensor(self.library.Tensor(x, shared_memory=True))

    def run(self):
        self.request.infer()
        return self.request.get_output_tensor(0).data


class OpenVinoDefault(OpenVino):
    """As it is unless told: in bf16 where the processor multiplies that."""
    precision = {}


class Ncnn:
    def __init__(self, threads):
        import ncnn
        self.library, self.threads = ncnn, threads

    def load(self, path, x):
        self.net = self.library.Net()
        options = self.net.opt
        options.num_threads, options.use_vulkan_compute = self.threads, False
        # Whatever else of half precision the version knows stays off: the others run in f32.
        for name in dir(options):
            if name.startswith(("use_fp16", "use_bf16")):
                setattr(options, name, False)
        if self.net.load_param(path + ".param") != 0 or self.net.load_model(path + ".bin") != 0:
            raise RuntimeError("ncnn cannot load its files")
        self.names = self.net.input_names()[0], self.net.output_names()[0]
        self.x = np.ascontiguousarray(x[0])

    def run(self):
        extractor = self.net.create_extractor()
        extractor.input(self.names[0], self.library.Mat(self.x))
        status, y = extractor.extract(self.names[1])
        if status != 0:
            raise RuntimeError(f"ncnn's extract gives {status}")
        return y


class LiteRt:
    def __init__(self, threads):
        from ai_edge_litert import interpreter
        self.library, self.threads = interpreter, threads

    def load(self, path, x):
        self.interpreter = self.library.Interpreter(path, num_threads=self.threads)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]["index"]
        self.output = self.interpreter.get_output_details()[0]["index"]
        self.x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))

    def run(self):
        self.interpreter.set_tensor(self.input, self.x)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output)


PEERS = {"ONNX Runtime": OnnxRuntime, "OpenVINO": OpenVino, "OpenVINO default": OpenVinoDefault, "ncnn": Ncnn,
         "LiteRT": LiteRt}


def main():
    name, model, threads, input_path, output_path, shape = sys.argv[1:]
    peer = PEERS[name](int(threads))
    x = np.fromfile(input_path, dtype=np.float32).reshape([int(d) for d in shape.split("x")])
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.split()
        begin = time.perf_counter()
        if words[0] == "load":
            peer.load(model, x)
            y = peer.run()
            answer = time.perf_counter() - begin
            np.array(y, dtype=np.float32).tofile(output_path)
        else:
            answer = []
            peer.run()
            for _ in range(int(words[1])):
                begin = time.perf_counter()
                peer.run()
                answer.append(time.perf_counter() - begin)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
