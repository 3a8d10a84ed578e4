#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vkinfer and onnxruntime side by side on the CPU, in turn, so that a noisy machine disturbs both alike.

usage: bench/side_by_side.py [--threads N] [--rounds N] [--vkinfer build/vkinfer] MODEL.onnx[@NAME=1x3x224x224]...

Needs: pip install onnxruntime numpy. Each round times both engines; the medians of the rounds' medians and their ratio are
printed (above 1: vkinfer is faster), and the geometric mean of the ratios.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import tempfile
import time

import numpy
import onnxruntime


def time_vkinfer(binary, model, shapes, threads, runs):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [binary, "benchmark", model, "--device", "cpu", "--threads", str(threads), "--warmup",
                   str(runs), "--iterations", str(runs), "--json", file.name]
        for name, dims in shapes.items():
            command += ["--shape", name + "=" + "x".join(map(str, dims))]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.load(open(file.name))["latency_ms"]["median"]


class Onnxruntime:
    def __init__(self, model, shapes, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        random = numpy.random.default_rng(1)
        types = {"tensor(float)": numpy.float32, "tensor(float16)": numpy.float16}
        self.feeds = {}
        for tensor in self.session.get_inputs():
            dims = shapes.get(tensor.name, tensor.shape)
            self.feeds[tensor.name] = random.random(dims).astype(types[tensor.type])

    def time(self, runs):
        times = []
        for i in range(2 * runs):
            start = time.perf_counter()
            self.session.run(None, self.feeds)
            if i >= runs:
                times.append((time.perf_counter() - start) * 1e3)
        return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--vkinfer", default="build/vkinfer")
    parser.add_argument("models", nargs="+", metavar="MODEL")
    given = parser.parse_args()
    print(f"onnxruntime {onnxruntime.__version__}, {given.threads} threads, median of {given.rounds} rounds")
    print(f"{'network':34} {'vkinfer ms':>11} {'onnxruntime ms':>15} {'ratio':>6}")
    ratios = []
    for argument in given.models:
        model, *pairs = argument.split("@")
        shapes = {}
        for pair in pairs:
            name, dims = pair.rsplit("=", 1)
            shapes[name] = [int(d) for d in dims.split("x")]
        other = Onnxruntime(model, shapes, given.threads)
        # As many runs to warm up as to measure, for both: 0.15 s, so that threads of short runs have found their cores.
        runs = max(10, min(500, int(150 / other.time(3))))
        rounds = [(time_vkinfer(given.vkinfer, model, shapes, given.threads, runs), other.time(runs))
                  for _ in range(given.rounds)]
        mine = statistics.median(r[0] for r in rounds)
        theirs = statistics.median(r[1] for r in rounds)
        ratios.append(theirs / mine)
        name = os.path.basename(os.path.dirname(os.path.abspath(model))) + "/" + os.path.basename(model)
        print(f"{name:34} {mine:11.2f} {theirs:15.2f} {theirs / mine:6.2f}", flush=True)
    print(f"geometric mean of the ratios: {math.exp(statistics.mean(map(math.log, ratios))):.2f}")


if __name__ == "__main__":
    main()
