#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Creation of a session, vkinfer beside onnxruntime, in turn, and vkinfer's peak memory beside what it may take.

usage: bench/creation.py [--rounds N] [--vkinfer build/vkinfer] MODEL.onnx...

Needs: pip install onnxruntime. CPU, one thread, a process for each, files in the page cache. Time is load and plan (onnxruntime: its
InferenceSession), medians in ms; below 0.5: vkinfer takes less than half. Memory in MiB: the largest the process had until after its
first run, and 1.5 x parameters + activations + 10.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

ORT = """
import onnxruntime, sys, time
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 3
start = time.perf_counter()
onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
print((time.perf_counter() - start) * 1e3)
"""


def create_vkinfer(binary, model):
    once = [binary, "benchmark", model, "--device", "cpu", "--threads", "1", "--warmup", "0", "--iterations", "1"]
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run(once + ["--json", file.name], check=True, stdout=subprocess.DEVNULL)
        return json.load(open(file.name))


def parameters_mib(binary, model):
    text = subprocess.run([binary, "info", model], check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(re.search(r"parameters +[^,]*, ([0-9.]+) MiB", text).group(1))


def create_onnxruntime(model):
    return float(subprocess.run([sys.executable, "-c", ORT, model], check=True, stdout=subprocess.PIPE).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--vkinfer", default="build/vkinfer")
    parser.add_argument("models", nargs="+", metavar="MODEL")
    given = parser.parse_args()
    print(f"{'network':34} {'vkinfer ms':>11} {'onnxruntime ms':>15} {'ratio':>6} {'peak MiB':>9} {'allowed':>8}")
    for model in given.models:
        rounds = [(create_vkinfer(given.vkinfer, model), create_onnxruntime(model)) for _ in range(given.rounds)]
        mine = statistics.median(r["cold_ms"]["load"] + r["cold_ms"]["plan"] for r, _ in rounds)
        theirs = statistics.median(t for _, t in rounds)
        memory = [r["memory_bytes"] for r, _ in rounds]
        peak = max(m["peak_rss"] for m in memory) / 2**20
        allowed = 1.5 * parameters_mib(given.vkinfer, model) + memory[0]["activations"] / 2**20 + 10
        print(f"{os.path.basename(model):34} {mine:11.1f} {theirs:15.1f} {mine / theirs:6.2f} {peak:9.1f} {allowed:8.1f}",
              flush=True)


if __name__ == "__main__":
    main()
