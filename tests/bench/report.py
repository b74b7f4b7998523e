# SPDX-License-Identifier: BSD-2-Clause
"""The tables: what was measured, and beside it what is required."""
import math
import os
import shutil
import subprocess
import tempfile

import roofline
import shapes

BEGIN = "<!-- tables: from tests/bench/run --doc -->"
END = "<!-- end of tables -->"


def number(value, digits=3):
    return "-" if value is None else "%.*g" % (digits, value)


def line_of(record):
    """One line while it runs."""
    text = "%-24s %d threads %-7s %-4s ours %8s ms" % (
        record["shape"], record["threads"], record["what"], record["isa"],
        number(record["ours_ms"], 4))
    if record["best_peer_ms"]:
        text += "  %s %s ms" % (record["best_peer"], number(record["best_peer_ms"], 4))
    if record["onednn_plain_ms"]:
        text += "  onednn plain %s" % number(record["onednn_plain_ms"], 4)
    if "xy_by_conv" in record:
        text += "  by conv %.3f" % record["xy_by_conv"]
    return text


def stripped_size(library):
    """Bytes of the stripped library, or None."""
    if not os.path.exists(library) or not shutil.which("strip"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "stripped")
        subprocess.run(["strip", "-o", copy, os.path.realpath(library)], check=True)
        return os.path.getsize(copy)


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def disturbed(record):
    """Names of the libraries none of whose runs had the processors to itself."""
    return [name for name, entry in record["times"].items() if not entry["undisturbed"]]


def ratio(record, over, under):
    a, b = record.get(over), record.get(under)
    return a / b if a and b else None


class Row:
    """One requirement: a value for each record that the filter takes, at least (or at most) what
    is required for its shape; and a geometric mean."""

    def __init__(self, title, takes, value, required, mean=None, at_most=False):
        self.title, self.takes, self.value = title, takes, value
        self.required = required if callable(required) else lambda shape: required
        self.mean, self.at_most = mean, at_most

    def meets(self, value, required):
        return value <= required if self.at_most else value >= required

    def judge(self, records, threads):
        """(required, measured, failing): texts; None where nothing was measured."""
        found = [(shapes.parse(r["shape"]), self.value(r)) for r in records
                 if r["threads"] == threads and r["what"] != "step" and self.takes(r)]
        found = [(s, v, self.required(s)) for s, v in found
                 if v is not None and self.required(s) is not None]
        if not found:
            return None
        failing = ["%s (%.3g)" % (s, v) if len({q for _, _, q in found}) == 1
                   else "%s (%.3g, required %.3g)" % (s, v, q)
                   for s, v, q in found if not self.meets(v, q)]
        worst = (max if self.at_most else min)(v for _, v, _ in found)
        mean = geometric_mean([v for _, v, _ in found])
        sign = "<=" if self.at_most else ">="
        every = sorted({q for _, _, q in found})
        required = "%s %s" % (sign, " / ".join("%.3g" % q for q in every))
        measured = "%.3f" % worst
        if self.mean:
            required += ", mean %s %.3g" % (sign, self.mean)
            if not self.meets(mean, self.mean):
                failing.insert(0, "the mean")
        return required, "%s, mean %.3f" % (measured, mean), len(found), failing


def of(what, isa="best"):
    return lambda r: r["what"] == what and r["isa"] == isa


def against_peers(shape):
    if shape.winograd() and min(shape.oh, shape.ow) >= 28:
        return 2.3 if shape.n <= 8 else 1.5
    return 1.2 if shape.winograd() and min(shape.oh, shape.ow) == 14 else 1.0


def winograd_required(shape):
    if not (shape.winograd() and shape.wide()):
        return None
    side = min(shape.oh, shape.ow)
    return 2.4 if side >= 28 else 1.7 if side == 14 else None


def winograd_both(shape):
    big = shape.winograd() and shape.wide() and min(shape.oh, shape.ow) >= 28
    return 2.0 if big else None


def direct_required(shape):
    """C and O at least 64, and no Winograd asked for."""
    return 0.95 if shape.wide() and winograd_required(shape) is None else None


RATIOS = [
    Row("our CoordConv / our convolution, forward", of("fwd"),
        lambda r: r["xy_by_conv"], 1.03, 1.01, at_most=True),
    Row("the same, forward + backward", of("fwd+bwd"),
        lambda r: r["xy_by_conv"], 1.05, 1.02, at_most=True),
    Row("the same with radius, forward", of("fwd"),
        lambda r: r["radius_by_conv"], 1.08, at_most=True),
    Row("the same with radius, forward + backward", of("fwd+bwd"),
        lambda r: r["radius_by_conv"], 1.08, at_most=True),
    Row("best CoordConv peer / ours, forward", of("fwd"),
        lambda r: ratio(r, "best_peer_ms", "ours_ms"), against_peers, 1.8),
    Row("PyTorch as usually written / ours, forward", of("fwd"),
        lambda r: ratio(r, "torch_usual_ms", "ours_ms"), 1.2, 3),
    Row("best PyTorch / ours, forward + backward", of("fwd+bwd"),
        lambda r: ratio(r, "torch_best_ms", "ours_ms"),
        lambda s: 2.5 if s.winograd() and min(s.oh, s.ow) >= 28 else 1.3, 2.5),
    Row("oneDNN's plain primitives / our CoordConv, forward + backward", of("fwd+bwd"),
        lambda r: ratio(r, "onednn_plain_ms", "ours_ms"), 0.95, 1.4),
    Row("best CoordConv peer / ours, forward, AVX2", of("fwd", "avx2"),
        lambda r: ratio(r, "best_peer_ms", "ours_ms"), 0.95, 1.5),
]

MEASURES = [
    Row("direct kernels, C and O >= 64: share of peak", of("fwd"),
        lambda r: None if r["memory_bound"] else r["share_of_peak"], direct_required),
    Row("Winograd, C and O >= 64, forward: share of peak", of("fwd"),
        lambda r: r["share_of_peak"], winograd_required),
    Row("Winograd, C and O >= 64, forward + backward: share of peak", of("fwd+bwd"),
        lambda r: r["share_of_peak"], winograd_both),
    Row("memory-bound shapes, forward: share of the bandwidth bound", of("fwd"),
        lambda r: r["share_of_bound"] if r["memory_bound"] else None, 0.8),
    Row("memory-bound shapes, forward + backward (nothing required)", of("fwd+bwd"),
        lambda r: r["share_of_bound"] if r["memory_bound"] else None, 0),
]


class Run:
    def __init__(self, records, figures, others, complaints, missing, seconds):
        self.records, self.figures, self.others = records, figures, others
        self.complaints, self.missing, self.seconds = complaints, missing, seconds

    # ---- the machine's bounds ----

    def figure(self, name, threads):
        """What these threads can do, at least what fewer of them did; 0 if it is not known."""
        return max((rate for (other, count), rate in self.figures.items()
                    if other == name and count <= threads), default=0)

    def peak(self, threads, isa="best"):
        names = ["fma256"] if isa == "avx2" else ["fma512", "fma256"]
        return max(self.figure(name, threads) for name in names) or None

    def memory_seconds(self, read, written, threads):
        """The least time: neither reads, nor writes, nor both together can be faster than the
        fastest of their kind that was measured."""
        rate = {name: self.figure(name, threads)
                for name in ("read", "write", "stream", "copy", "triad")}
        if 0 in rate.values():
            return None
        writes = max(rate["write"], rate["stream"])
        return max(read / rate["read"], written / writes,
                   (read + written) / max(rate.values())) / 1e9

    def complete(self):
        """Set beside each time what the machine allows."""
        for r in self.records:
            r["peak_gflops"] = peak = self.peak(r["threads"], r["isa"])
            r["peak_gflops"] = round(peak, 1) if peak else None
            r["share_of_peak"] = r["gflops"] / peak if peak else None
            r["bound_gbs"], r["memory_bound"], r["share_of_bound"] = None, False, None
            if r["what"] == "step" or not peak:
                continue
            s = shapes.parse(r["shape"])
            read, written = s.traffic(r["what"])
            least = self.memory_seconds(read, written, r["threads"])
            if least:
                r["bound_gbs"] = round((read + written) / least / 1e9, 2)
                r["memory_bound"] = least > s.flops(r["what"]) / (peak * 1e9)
                r["share_of_bound"] = round(least * 1e3 / r["ours_ms"], 3)

    # ---- text ----

    def threads(self):
        return sorted({r["threads"] for r in self.records})

    def table(self, head, rows):
        lines = ["| %s |" % " | ".join(head), "|%s|" % "|".join(" --- " for _ in head)]
        return "\n".join(lines + ["| %s |" % " | ".join(row) for row in rows])

    def judged(self, rows):
        out = []
        for row in rows:
            for threads in self.threads():
                found = row.judge(self.records, threads)
                if found:
                    required, measured, count, failing = found
                    out.append([row.title, str(threads), required, measured, str(count),
                                "; ".join(failing) or "none"])
        return self.table(["what", "threads", "required", "measured: worst", "shapes", "failing"],
                          out)

    def machine_table(self):
        names = sorted({name for name, _ in self.figures}, key=list(
            ("fma512", "fma256", "read", "write", "stream", "copy", "triad")).index)
        units = {"fma512": "GFLOP/s, 512-bit multiply-adds",
                 "fma256": "GFLOP/s, 256-bit multiply-adds", "read": "GB/s read",
                 "write": "GB/s written", "stream": "GB/s written past the caches",
                 "copy": "GB/s copied past the caches, both ways counted",
                 "triad": "GB/s of a triad, three ways counted"}
        return self.table(["the machine"] + ["%d threads" % t for t in self.threads()],
                          [[units[n]] + [number(self.figures.get((n, t)), 4)
                                         for t in self.threads()] for n in names])

    def times_table(self, what, isa):
        rows = []
        for r in self.records:
            if r["what"] != what or r["isa"] != isa:
                continue
            mark = " ~" if disturbed(r) else ""
            rows.append([r["shape"] + mark, str(r["threads"]), number(r["ours_ms"], 4),
                         number(r.get("ours_median_ms"), 4), number(r["ours_conv_ms"], 4),
                         number(r.get("xy_by_conv"), 4), number(r.get("radius_by_conv"), 4),
                         r["best_peer"] or "-", number(r["best_peer_ms"], 4),
                         number(ratio(r, "best_peer_ms", "ours_ms")),
                         number(r["torch_usual_ms"], 4), number(r["torch_best_ms"], 4),
                         number(r["onednn_plain_ms"], 4), number(r["gflops"], 4),
                         number(r["share_of_peak"] and 100 * r["share_of_peak"]),
                         ("%s" % number(100 * r["share_of_bound"])) if r["memory_bound"] else ""])
        head = ["shape", "threads", "ours", "median", "our conv", "xy / conv", "xyr / conv",
                "best peer", "its ms", "peer / ours", "torch usual", "torch best", "oneDNN plain",
                "GFLOP/s", "% of peak", "% of memory bound"]
        return self.table(head, rows) if rows else None

    def other_rows(self):
        rows = []
        required = {"classification": 75, "regression": 60}
        for r in self.records:
            if r["what"] != "step":
                continue
            share = 100 * r["share_of_peak"] if r["share_of_peak"] else None
            task = r["shape"].split()[1]
            by_usual = ratio(r, "torch_usual_ms", "ours_ms")
            rows.append(["%s, %d threads" % (r["shape"], r["threads"]),
                         "%d %% of peak, about 6 x PyTorch as usually written" % required[task],
                         "%s %% of peak (%s ms), %s x PyTorch as usually written, %s x its best"
                         % (number(share), number(r["ours_ms"], 4), number(by_usual),
                            number(ratio(r, "torch_best_ms", "ours_ms"))),
                         "yes" if share and share >= required[task] else "no"])
        rows += self.speedup_rows()
        rows.append(["allocations while a plan runs", "0", str(self.others["allocations"]),
                     "yes" if self.others["allocations"] == 0 else "no"])
        if "arena" in self.others:
            arena, weights, least = self.others["arena"]
            rest = arena - weights
            rows.append(["arena of ResNet-50 at 224, inference, packed weights left out",
                         "<= 1.1 x the activations alive together",
                         "%.2f x (%.2f of %.2f MB; with the packed weights %.1f MB)" % (
                             rest / least, rest / 1e6, least / 1e6, arena / 1e6),
                         "yes" if rest <= 1.1 * least else "no"])
        size = self.others["library"]
        if size:
            rows.append(["stripped libcoordconv.so", "< 1 MB", "%d kB" % (size // 1000),
                         "yes" if size < 1e6 else "no"])
        return rows

    def speedup_rows(self):
        """2 threads against 1 where 1 takes over 1 ms."""
        rows = []
        for what in ("fwd", "fwd+bwd", "step"):
            times = {(r["shape"], r["threads"]): r["ours_ms"] for r in self.records
                     if r["what"] == what and r["isa"] == "best"}
            gains = {shape: times[shape, 1] / times[shape, 2] for shape, threads in times
                     if threads == 1 and times[shape, 1] > 1 and (shape, 2) in times}
            if gains:
                failing = ["%s (%.2f)" % item for item in gains.items() if item[1] < 1.9]
                rows.append(["2 threads against 1, %s, over 1 ms" % what, ">= 1.9",
                             "worst %.2f, mean %.2f of %d" % (
                                 min(gains.values()), geometric_mean(list(gains.values())),
                                 len(gains)),
                             "no: " + "; ".join(failing) if failing else "yes"])
        return rows

    def sections(self):
        """(heading, text)"""
        yield "The machine, in the same run", self.machine_table()
        yield "Ratios", self.judged(RATIOS)
        yield "Measures", self.judged(MEASURES)
        yield "Steps, threads, memory", self.table(["what", "required", "measured", "met"],
                                                   self.other_rows())
        for title, what, isa in (("Forward", "fwd", "best"),
                                 ("Forward and backward", "fwd+bwd", "best"),
                                 ("Forward, AVX2", "fwd", "avx2")):
            text = self.times_table(what, isa)
            if text:
                yield title + ", milliseconds", text

    def notes(self):
        lines = ["%s: %s" % (name, why) for name, why in sorted(self.missing.items()) if why]
        lines += ["problem: " + c for c in self.complaints]
        spoilt = sum(bool(disturbed(r)) for r in self.records)
        if spoilt:
            lines.append("~: something else ran on the processors during every run of a library "
                         "there; %d of %d rows. The times are too long, except those of one "
                         "thread, which then are processor time." % (spoilt, len(self.records)))
        used = [r for r in self.records if r["threads"] > 1 and r["ours_ms"] > 5]
        for name in sorted({n for r in used for n in r["cpu"]}):
            lines.append("%s: at most %.2f processors busy with more than one thread asked for" % (
                name, max(r["cpu"].get(name, 0) for r in used)))
        return lines

    def text(self):
        parts = ["== %s\n\n%s\n" % section for section in self.sections()]
        parts.append("\n".join(self.notes()))
        parts.append("%.0f s" % self.seconds)
        return "\n".join(parts)

    def write_doc(self, top):
        """The generated part of doc/performance.md, and its picture."""
        path = os.path.join(top, "doc", "performance.md")
        with open(path, encoding="utf-8") as f:
            before, _, rest = f.read().partition(BEGIN)
        _, _, after = rest.partition(END)
        body = "\n".join("### %s\n\n%s\n" % section for section in self.sections())
        with open(path, "w", encoding="utf-8") as f:
            f.write("%s%s\n\n%s\n%s%s" % (before, BEGIN, body, END, after))
        picture = os.path.join(top, "doc", "pictures", "roofline.svg")
        with open(picture, "w", encoding="utf-8") as f:
            f.write(roofline.draw(self.records, self.peak, self.figure))
