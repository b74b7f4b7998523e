# SPDX-License-Identifier: BSD-2-Clause
"""The workers: how each is started, and its ways of doing the same thing."""
import glob
import os
import shutil
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Failure(Exception):
    """A worker refused."""


class Worker:
    """One process, asked a line at a time."""

    def __init__(self, name, command, env=None):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={**os.environ, **(env or {})}, text=True)

    def ask(self, *words):
        try:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise Failure("%s: ended without an answer to: %s" % (self.name, " ".join(words[:2])))
        if not answer.startswith("ok"):
            raise Failure("%s: %s" % (self.name, answer.strip()))
        return answer[2:].strip()

    def make(self, job, **keys):
        return self.ask("make", job, *("%s=%s" % item for item in keys.items()))

    def time(self, milliseconds, least, most, *jobs):
        """{job: [(milliseconds, undisturbed)]}, and how many processors were busy."""
        words = self.ask("time", milliseconds, least, most, *jobs).split()
        self.wait_until_idle()
        times = {}
        for word in words[1:]:
            if word in jobs:
                times[word] = []
                at = word
            else:
                times[at].append((float(word.rstrip("*")), not word.endswith("*")))
        return times, float(words[0].partition("=")[2])

    def wait_until_idle(self):
        """Its threads may spin for a while after the last job: the next one timed must not
        share a processor with them."""
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            states = []
            for path in glob.glob("/proc/%d/task/*/stat" % self.process.pid):
                try:
                    with open(path, encoding="ascii", errors="replace") as f:
                        states.append(f.read().rpartition(")")[2].split()[0])
                except OSError:  # the thread has ended
                    pass
            if "R" not in states:
                return
            time.sleep(0.001)

    def stop(self):
        """Its exit status."""
        try:
            self.process.stdin.close()
            return self.process.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            return self.process.wait()


class Peer:
    """A library to be compared with. `ways` maps what is asked to variants worth trying."""

    def __init__(self, name, command, ways, env=None, avx2_env=None, missing=None):
        self.name, self.command, self.ways, self.env = name, command, ways, env or {}
        self.avx2_env = avx2_env  # None: it cannot be told
        self.missing = missing    # why it is not there, or None
        self.workers = {}

    def worker(self, threads, isa="best"):
        """The process for these threads; None where it cannot do that."""
        if self.missing or (isa != "best" and self.avx2_env is None):
            return None
        if (threads, isa) not in self.workers:
            env = {**self.env, "OMP_NUM_THREADS": str(threads), "OMP_DYNAMIC": "false"}
            if isa != "best":
                env.update(self.avx2_env)
            self.workers[threads, isa] = Worker(self.name, self.command, env)
        return self.workers[threads, isa]

    def stop(self):
        for worker in self.workers.values():
            worker.stop()
        self.workers = {}


AVX2_ONEDNN = {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2"}

# oneDNN: layout at the edge, inside, algorithm. `auto` is skipped where it says it is
# one of the others.
# Without auto each is known to be one thing, but auto knows implementations they do not name.
ONEDNN_FORWARD = ["nhwc.same.direct", "nhwc.any.direct", "nhwc.any.winograd", "nhwc.any.auto",
                  "nchw.same.direct", "nchw.any.direct", "nchw.any.winograd", "nchw.any.auto"]
ONEDNN_PLAIN = ["any.direct", "any.winograd", "any.auto", "nhwc.direct"]
TORCH_FORWARD = ["cat-nchw", "cat-nhwc", "buffer-nchw", "buffer-nhwc", "jit-nchw", "jit-nhwc",
                 "mkldnn-nhwc"]
TORCH_BOTH = ["cat-nchw", "cat-nhwc", "mkldnn-nhwc"]


def preload():
    """An allocator that keeps memory, where one is installed."""
    for pattern in ("libjemalloc.so.2", "libtcmalloc_minimal.so.4"):
        found = glob.glob("/usr/lib/*/" + pattern)
        if found:
            return found[0]
    return None


def tuned_allocator(library):
    """Large tensors stay mapped between calls instead of being faulted in again each time."""
    if library:
        return {"LD_PRELOAD": library,
                "MALLOC_CONF": "oversize_threshold:0,muzzy_decay_ms:-1,dirty_decay_ms:-1"}
    return {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
            "MALLOC_TOP_PAD_": str(64 << 20)}


def has_torch(python):
    return subprocess.run([python, "-c", "import torch"], capture_output=True,
                          check=False).returncode == 0


def onnxruntime(folder):
    """(command, why not)"""
    node = shutil.which("node")
    hint = "npm install --prefix FOLDER onnxruntime-node, then --onnxruntime FOLDER"
    if not node:
        return [], "node is not installed (apt: nodejs; %s)" % hint
    if not folder or not os.path.isdir(os.path.join(folder, "node_modules", "onnxruntime-node")):
        return [], "not installed (%s)" % hint
    return [node, os.path.join(HERE, "onnx_worker.js"), folder], None


def make_peers(build, python, onnx_folder, allocator):
    """All of them, those that are not installed too."""

    def program(name, package):
        path = os.path.join(build, "tests", "bench", name)
        return [path], None if os.path.exists(path) else "not installed (apt: %s)" % package

    peers = []
    command, missing = program("bench_onednn", "libdnnl-dev")
    peers.append(Peer("onednn", command,
                      {"fwd": ONEDNN_FORWARD, "plain_fwd": ONEDNN_PLAIN,
                       "plain_data": ONEDNN_PLAIN, "plain_weights": ONEDNN_PLAIN},
                      avx2_env=AVX2_ONEDNN, missing=missing))
    command, missing = program("bench_xnnpack", "libxnnpack-dev libpthreadpool-dev")
    peers.append(Peer("xnnpack", command, {"fwd": ["nhwc"]}, missing=missing))
    command = [python, os.path.join(HERE, "torch_worker.py")]
    missing = None if has_torch(python) else "not installed (apt: python3-torch)"
    avx2 = {**AVX2_ONEDNN, "ATEN_CPU_CAPABILITY": "avx2"}
    peers.append(Peer("torch-usual", command,
                      {"fwd": ["usual-nchw"], "bwd": ["usual-nchw"],
                       "classification": ["classification-usual"],
                       "regression": ["regression-usual"]}, avx2_env=avx2, missing=missing))
    peers.append(Peer("torch-best", command,
                      {"fwd": TORCH_FORWARD, "bwd": TORCH_BOTH,
                       "classification": ["classification-best"],
                       "regression": ["regression-best"]},
                      env=tuned_allocator(allocator or preload()), avx2_env=avx2, missing=missing))
    command, missing = onnxruntime(onnx_folder)
    peers.append(Peer("onnxruntime", command, {"fwd": ["nchw"]}, missing=missing))
    return peers
