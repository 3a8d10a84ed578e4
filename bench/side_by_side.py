#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vkinfer and onnxruntime side by side on the CPU, in turn, so that a noisy machine disturbs both alike.

usage: bench/side_by_side.py [--threads N] [--rounds N] [--ncnn] [--vkinfer build/vkinfer] MODEL.onnx[@NAME=1x3x224x224]...

Needs: pip install onnxruntime numpy. Each round times both engines; the medians of the rounds' medians and their ratio are
printed (above 1: vkinfer is faster), and the geometric mean of the ratios.
--ncnn (pip install ncnn; pip install --no-deps pnnx) times ncnn in the same rounds: fp32, converted by pnnx; `-` where that, or the run, fails.
"""
import argparse
import glob
import importlib.util
import json
import math
import os
import statistics
import subprocess
import tempfile
import time

import numpy
import onnxruntime


class Vkinfer:
    def __init__(self, binary, model, shapes, threads):
        self.command = [binary, "benchmark", model, "--device", "cpu", "--threads", str(threads)]
        for name, dims in shapes.items():
            self.command += ["--shape", name + "=" + "x".join(map(str, dims))]

    def time(self, runs):
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            counts = ["--warmup", str(runs), "--iterations", str(runs)]
            subprocess.run(self.command + counts + ["--json", file.name], check=True, stdout=subprocess.DEVNULL)
            return json.load(open(file.name))["latency_ms"]["median"]


class Library:
    """An engine in this process; run() is one inference."""

    def time(self, runs):
        times = []
        for i in range(2 * runs):
            start = time.perf_counter()
            self.run()
            if i >= runs:
                times.append((time.perf_counter() - start) * 1e3)
        return statistics.median(times)


class Onnxruntime(Library):
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

    def run(self):
        self.session.run(None, self.feeds)


class Ncnn(Library):
    def __init__(self, model, feeds, threads):
        import ncnn
        self.folder = tempfile.TemporaryDirectory()
        copy = os.path.join(self.folder.name, "net.onnx")
        os.symlink(os.path.abspath(model), copy)
        shapes = ",".join(str(list(x.shape)).replace(" ", "") for x in feeds.values())
        converter = os.path.join(os.path.dirname(importlib.util.find_spec("pnnx").origin), "pnnx")
        subprocess.run([converter, copy, "inputshape=" + shapes, "fp16=0"], cwd=self.folder.name, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.net = ncnn.Net()
        self.net.opt.num_threads = threads
        files = [glob.glob(os.path.join(self.folder.name, "*.ncnn." + kind)) for kind in ("param", "bin")]
        if not all(files) or self.net.load_param(files[0][0]) or self.net.load_model(files[1][0]):
            raise RuntimeError("ncnn does not load what pnnx made")
        self.feeds = [ncnn.Mat(numpy.ascontiguousarray(x[0])).clone() for x in feeds.values()]
        self.run()

    def run(self):
        extractor = self.net.create_extractor()
        for name, feed in zip(self.net.input_names(), self.feeds):
            extractor.input(name, feed)
        for name in self.net.output_names():
            if extractor.extract(name)[0]:
                raise RuntimeError("ncnn fails at " + name)


def ncnn_or_none(model, feeds, threads):
    try:
        return Ncnn(model, feeds, threads)
    except (RuntimeError, subprocess.CalledProcessError):
        return None


def compare(given, argument):
    """Times one network with each engine; returns vkinfer's ratio to onnxruntime and a line of the table."""
    model, *pairs = argument.split("@")
    shapes = {}
    for pair in pairs:
        name, dims = pair.rsplit("=", 1)
        shapes[name] = [int(d) for d in dims.split("x")]
    rival = Onnxruntime(model, shapes, given.threads)
    engines = [Vkinfer(given.vkinfer, model, shapes, given.threads), rival]
    third = ncnn_or_none(model, rival.feeds, given.threads) if given.ncnn else None
    if third:
        engines.append(third)
    # As many runs to warm up as to measure, for all: 0.15 s, so that threads of short runs have found their cores.
    runs = max(10, min(500, int(150 / rival.time(3))))
    rounds = [[engine.time(runs) for engine in engines] for _ in range(given.rounds)]
    medians = [statistics.median(times) for times in zip(*rounds)]
    name = os.path.basename(os.path.dirname(os.path.abspath(model))) + "/" + os.path.basename(model)
    line = f"{name:34} {medians[0]:11.2f} {medians[1]:15.2f} {medians[1] / medians[0]:6.2f}"
    if given.ncnn:
        line += f" {medians[2]:8.2f} {medians[2] / medians[0]:6.2f}" if third else f" {'-':>8} {'-':>6}"
    return medians[1] / medians[0], line


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ncnn", action="store_true")
    parser.add_argument("--vkinfer", default="build/vkinfer")
    parser.add_argument("models", nargs="+", metavar="MODEL")
    given = parser.parse_args()
    print(f"onnxruntime {onnxruntime.__version__}, {given.threads} threads, median of {given.rounds} rounds")
    print(f"{'network':34} {'vkinfer ms':>11} {'onnxruntime ms':>15} {'ratio':>6}" +
          (f" {'ncnn ms':>8} {'ratio':>6}" if given.ncnn else ""))
    ratios = []
    for argument in given.models:
        ratio, line = compare(given, argument)
        ratios.append(ratio)
        print(line, flush=True)
    print(f"geometric mean of the ratios: {math.exp(statistics.mean(map(math.log, ratios))):.2f}")


if __name__ == "__main__":
    main()
