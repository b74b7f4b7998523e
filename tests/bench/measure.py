# SPDX-License-Identifier: BSD-2-Clause
"""Timing: every library in turn, in rounds, and what they compute compared before."""
import math
import os
import shutil
import statistics
import sys
import tempfile

import numpy as np

import data
from peers import Failure, Worker

TOLERANCE = 1e-4  # of the largest value; Winograd's and float32's own errors are a tenth of it
SAMPLES = 40
MACHINE = ["fma512", "fma256", "read", "write", "stream", "copy", "triad"]


class Effort:
    """How long to measure."""

    def __init__(self, quick):
        self.quick = quick
        self.rounds = 2 if quick else 5
        self.turn = 25 if quick else 200  # milliseconds of a worker's turn
        self.least = 1 if quick else 2    # runs in a turn, however long they are
        self.trial = 10 if quick else 60  # milliseconds to choose among variants
        self.machine = 6 if quick else 20


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def clean(runs):
    """Milliseconds of the undisturbed runs; of all where there is none."""
    return [t for t, undisturbed in runs if undisturbed] or [t for t, _ in runs]


class Times:
    """Of one job, over all rounds: (milliseconds, undisturbed)."""

    def __init__(self):
        self.all = []

    @property
    def least(self):
        return min(clean(self.all))

    @property
    def median(self):
        return statistics.median(clean(self.all))

    def entry(self):
        return {"min": round(self.least, 5), "median": round(self.median, 5),
                "runs": len(self.all), "undisturbed": sum(ok for _, ok in self.all)}


def paired_ratio(over, under):
    """Median of the ratios of runs that followed each other."""
    pairs = [(a / b, ok and fine) for (a, ok), (b, fine) in zip(over.all, under.all)]
    return statistics.median(clean(pairs))


class Disagreement(Exception):
    """An output is not what it should be."""


class Bench:
    def __init__(self, ours_program, machine_program, peers, effort):
        self.folder = tempfile.mkdtemp(prefix="coordconv-bench-",
                                       dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.ours = Worker("ours", [ours_program])
        self.machine = Worker("machine", [machine_program]) if machine_program else None
        self.peers = peers
        self.effort = effort
        self.figures = {}      # (figure, threads): best rate of the run, in 1e9 a second
        self.complaints = []   # disagreements and refusals, told at the end
        self.jobs = 0
        self.known = {}        # what best_of() chose, for other thread counts

    def stop(self):
        for worker in filter(None, (self.ours, self.machine)):
            status = worker.stop()
            if status != 0:
                self.complaints.append("%s: ended with status %d" % (worker.name, status))
        for peer in self.peers:
            peer.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- the machine ----

    def start_machine(self, threads):
        self.work = getattr(self, "work", {})
        for figure in MACHINE if self.machine else []:
            try:
                note = self.machine.make("%s-%d" % (figure, threads), what=figure, threads=threads)
                self.work[figure, threads] = float(note.partition("work=")[2])
            except Failure:
                pass  # an instruction set that is not here

    def measure_machine(self, memory=True):
        """A little of each figure; the best of the run counts."""
        for (figure, threads), work in self.work.items():
            if not memory and not figure.startswith("fma"):
                continue
            job = "%s-%d" % (figure, threads)
            times, _ = self.machine.time(self.effort.machine, 1, 50, job)
            rate = work / (min(clean(times[job])) * 1e6)
            self.figures[figure, threads] = max(rate, self.figures.get((figure, threads), 0))

    # ---- jobs ----

    def new_job(self):
        self.jobs += 1
        return "j%d" % self.jobs

    def try_make(self, worker, **keys):
        """(job, note), or None where the worker cannot."""
        job = self.new_job()
        try:
            return job, worker.make(job, folder=self.folder, **keys)
        except Failure:
            return None

    def best_of(self, worker, variants, check=None, **keys):
        """(job, variant, note) of the fastest variant; the others are dropped."""
        best, seen = None, {}
        known = (worker.name, keys["kind"], keys["what"], keys["isa"]) if self.effort.quick else ()
        variants = self.known.get(known, variants)
        for variant in variants:
            made = self.try_make(worker, variant=variant, **keys)
            if made is None:
                continue
            job, note = made
            layout = variant.rpartition(".")[0]
            if layout and (layout, note) in seen:  # oneDNN's auto: one of the others
                worker.ask("drop", job)
                continue
            seen[layout, note] = variant
            to_beat = 0 if len(variants) == 1 else best[0] if best else math.inf
            milliseconds = self.trial(worker, job, variant, check, to_beat)
            if milliseconds is None:
                worker.ask("drop", job)
                continue
            if best:
                worker.ask("drop", best[1])
            best = milliseconds, job, variant, note.strip()
        if best and known:
            self.known[known] = [best[2]]
        return best[1:] if best else None

    def trial(self, worker, job, variant, check, to_beat):
        """Milliseconds, or None if it is no better or computes something else. With nothing to
        beat it runs once and is not timed."""
        try:
            times, _ = worker.time(self.effort.trial, self.effort.least, 20 if to_beat else 0, job)
            milliseconds = min(clean(times[job])) if to_beat else 0
            if to_beat and milliseconds >= to_beat:
                return None
            if check:
                check(worker, job)
            return milliseconds
        except (Failure, Disagreement) as error:
            self.complaints.append("%s %s: %s" % (worker.name, variant, error))
            return None

    # ---- outputs ----

    def read_output(self, worker, job, what, shape):
        path = os.path.join(self.folder, "out")
        layout = worker.ask("output", job, what, path)
        array = np.fromfile(path, np.float32)
        if layout == "nchw":
            n, h, w, c = shape
            return array.reshape(n, c, h, w).transpose(0, 2, 3, 1)
        return array.reshape(shape)

    @staticmethod
    def compare(found, expected, what, scale):
        error = abs(found - expected)
        if not error <= TOLERANCE * scale:
            raise Disagreement("%s is off by %.3g of its largest value" % (what, error / scale))

    def check_samples(self, array, samples, what):
        scale = float(np.abs(array).max())
        for place, value in samples:
            self.compare(array[place], value, "%s%s" % (what, list(place)), scale)

    def layer_check(self, layer, coords, gradients):
        """A function that compares a job's outputs with sums in double, and with the first."""
        s, first = layer.shape, {}
        wanted = {"y": ((s.n, s.oh, s.ow, s.o), lambda: layer.sample_y(coords, SAMPLES))}
        if gradients:
            wanted["dx"] = (s.n, s.h, s.w, s.c), lambda: layer.sample_dx(SAMPLES)
            wanted["dw"] = ((s.o, s.c + coords, s.k, s.k),
                            lambda: layer.sample_dw(coords, SAMPLES // 4))

        def check(worker, job):
            for what, (shape, samples) in wanted.items():
                try:
                    array = self.read_output(worker, job, what, shape)
                except Failure:
                    continue  # a training plan gives no gradient for a dy of ours
                if what not in first:
                    self.check_samples(array, samples(), what)
                    first[what] = array.copy()
                    continue
                scale = float(np.abs(first[what]).max())
                worst = float(np.abs(array - first[what]).max())
                self.compare(worst, 0, "%s beside the first library's" % what, scale)

        return check

    # ---- rounds ----

    def rounds(self, entrants):
        """entrants: [(worker, [job...])]. {job: Times}, {worker name: processor share}."""
        times, shares = {}, {}
        for turn in range(self.effort.rounds):
            for worker, jobs in entrants if turn % 2 == 0 else entrants[::-1]:
                found, share = worker.time(self.effort.turn * max(1, len(jobs) // 2),
                                           self.effort.least, 400, *jobs)
                for job, some in found.items():
                    times.setdefault(job, Times()).all += some
                shares.setdefault(id(worker), []).append(share)
        return times, {key: max(values) for key, values in shares.items()}

    def measure_layer(self, layer, what, threads, isa, plain=True):
        """A record of one shape, pass and number of threads."""
        s, gradients = layer.shape, what == "fwd+bwd"
        keys = dict(part.split("=") for part in s.keys().split())
        keys.update(threads=threads, isa=isa, what="bwd" if gradients else "fwd")
        record = {"shape": str(s), "threads": threads, "what": what, "isa": isa}
        entrants, named = [], {}
        self.enter_ours(layer, keys, record, entrants, named)
        self.enter_peers(layer, keys, record, entrants, named)
        if plain and gradients:
            self.enter_plain(keys, record, entrants, named)
        times, shares = self.rounds(entrants)
        for worker, jobs in entrants:
            for job in jobs:
                worker.ask("drop", job)
        self.fill(record, times, named, s)
        record["cpu"] = {worker.name: round(shares[id(worker)], 2) for worker, _ in entrants}
        return record

    def enter_ours(self, layer, keys, record, entrants, named):
        gradients = keys["what"] == "bwd"
        jobs = []
        variants = ["layer", "plan"] if gradients else ["plan"]
        for kind, coords in (("xy", 2), ("conv", 0), ("xyr", 3)):
            check = self.layer_check(layer, coords, gradients)
            found = self.best_of(self.ours, variants, check, kind=kind, **keys)
            if found is None:
                raise Failure("ours: no %s: %s" % (kind, "; ".join(self.complaints[-1:])))
            variants = [found[1]]  # the three are to be compared: the same way for all
            record["ours_variant"], record["ours_isa"] = found[1], found[2].partition("isa=")[2]
            jobs.append(found[0])
            named["ours" if kind == "xy" else "ours_" + kind] = found[0]
        named["ours_radius"] = named.pop("ours_xyr")
        entrants.append((self.ours, jobs))

    def enter_peers(self, layer, keys, record, entrants, named):
        check = self.layer_check(layer, 2, keys["what"] == "bwd")
        record["variants"] = {}
        for peer in self.peers:
            if keys["what"] not in peer.ways:
                continue
            worker = peer.worker(keys["threads"], keys["isa"])
            if worker is None:
                continue
            found = self.best_of(worker, peer.ways[keys["what"]], check, kind="xy", **keys)
            if found is None:
                self.complaints.append("%s: no variant for %s" % (peer.name, record["shape"]))
                continue
            named[peer.name] = found[0]
            record["variants"][peer.name] = ("%s %s" % found[1:]).strip()
            entrants.append((worker, [found[0]]))

    def enter_plain(self, keys, record, entrants, named):
        peer = next((p for p in self.peers if "plain_fwd" in p.ways), None)
        worker = peer.worker(keys["threads"], keys["isa"]) if peer else None
        if worker is None:
            return
        jobs = []
        for what in ("plain_fwd", "plain_data", "plain_weights"):
            found = self.best_of(worker, peer.ways[what], None,
                                 **{**keys, "kind": "conv", "what": what})
            if found is None:
                return
            named[what] = found[0]
            record["variants"][what] = "%s %s" % found[1:]
            jobs.append(found[0])
        entrants.append((worker, jobs))

    @staticmethod
    def fill(record, times, named, shape):
        """Times and what follows from them. Milliseconds are the least of all rounds."""
        record["times"] = {}
        for name, job in named.items():
            record["times"][name] = times[job].entry()
        least = {name: entry["min"] for name, entry in record["times"].items()}
        record["ours_ms"] = least["ours"]
        record["ours_median_ms"] = record["times"]["ours"]["median"]
        for other in ("conv", "radius"):
            record["ours_%s_ms" % other] = least["ours_" + other]
        ours, conv, radius = (times[named[n]] for n in ("ours", "ours_conv", "ours_radius"))
        record["xy_by_conv"] = round(paired_ratio(ours, conv), 4)
        record["radius_by_conv"] = round(paired_ratio(radius, conv), 4)
        peers = {n: t for n, t in least.items()
                 if not n.startswith("ours") and not n.startswith("plain_")}
        record["best_peer"] = min(peers, key=peers.get) if peers else None
        record["best_peer_ms"] = peers.get(record["best_peer"])
        torch = [least[n] for n in ("torch-usual", "torch-best") if n in least]
        record["torch_usual_ms"] = least.get("torch-usual")
        record["torch_best_ms"] = min(torch) if torch else None
        if "plain_weights" in least:
            record["onednn_plain_ms"] = round(sum(least[n] for n in (
                "plain_fwd", "plain_data", "plain_weights")), 5)
        else:
            record["onednn_plain_ms"] = None
        record["gflops"] = round(shape.flops(record["what"]) / least["ours"] / 1e6, 2)

    # ---- steps and memory ----

    def measure_step(self, step, threads):
        record = {"shape": str(step), "threads": threads, "what": "step", "isa": "best",
                  "variants": {}, "ours_conv_ms": None, "ours_radius_ms": None,
                  "onednn_plain_ms": None}
        folder = os.path.join(self.folder, "step")
        data.write_step(step, folder)
        keys = {"kind": "xy", "what": "step", "n": step.batch, "threads": threads}
        entrants, named, losses = [], {}, {}
        workers = [("ours", self.ours, step.task)]
        workers += [(p.name, p.worker(threads), p.ways[step.task][0]) for p in self.peers
                    if step.task in p.ways and p.worker(threads)]
        for name, worker, variant in workers:
            job = self.new_job()
            try:
                note = worker.make(job, variant=variant, folder=folder, **keys)
                losses[name] = float(note.partition("loss=")[2].split()[0])
                record.setdefault("ours_isa", note.partition("isa=")[2])
                self.compare(losses[name], losses["ours"], "the first loss", abs(losses["ours"]))
            except (Failure, Disagreement) as error:
                self.complaints.append("%s: %s: %s" % (step, name, error))
                continue
            named[name] = job
            entrants.append((worker, [job]))
        record["loss"] = losses
        times, shares = self.rounds(entrants)
        for worker, jobs in entrants:
            worker.ask("drop", jobs[0])
        least = {name: times[job].least for name, job in named.items()}
        record["times"] = {name: times[job].entry() for name, job in named.items()}
        record["ours_ms"] = least["ours"]
        torch = {n: t for n, t in least.items() if n != "ours"}
        record["torch_usual_ms"] = least.get("torch-usual")
        record["torch_best_ms"] = min(torch.values()) if torch else None
        record["best_peer"] = min(torch, key=torch.get) if torch else None
        record["best_peer_ms"] = record["torch_best_ms"]
        record["gflops"] = round(step.flops() / least["ours"] / 1e6, 2)
        record["cpu"] = {worker.name: round(shares[id(worker)], 2) for worker, _ in entrants}
        return record

    def resnet_arena(self):
        """Bytes of the arena, of the parameters, and of the activations alive together."""
        try:
            self.ours.make("arena", what="arena", kind="conv", threads=1)
        except Failure as answer:
            return tuple(float(word) for word in str(answer).split()[-3:])
        raise Failure("ours: arena")

    def count_allocations(self, layer):
        """Allocations of this library's contexts in 20 runs of an inference and a training plan."""
        keys = dict(part.split("=") for part in layer.shape.keys().split())
        total = 0
        for what in ("fwd", "bwd"):
            job, _ = self.try_make(self.ours, kind="xy", what=what, variant="plan", threads=2,
                                   isa="best", **keys)
            self.ours.time(0, 1, 1, job)
            before = self.read_output(self.ours, job, "allocations", (1,))[0]
            self.ours.time(1000, 20, 20, job)
            total += int(self.read_output(self.ours, job, "allocations", (1,))[0] - before)
            self.ours.ask("drop", job)
        return total
