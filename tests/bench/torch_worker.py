# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark's worker for PyTorch. The protocol is that of worker.h.

Variants of a layer: "usual" is how CoordConv modules are written: coordinates made by
torch.arange, broadcast and concatenated in each call, NCHW, default settings. The others have
the coordinates beforehand: cat (concatenated each call), buffer (the image copied beside them
into a tensor kept between calls), jit (traced, frozen, optimized for inference), mkldnn (as
buffer, or cat where there is a gradient, and oneDNN called by name, which Conv2d itself does not
choose for every shape), and end in -nchw or -nhwc, the memory format of image and weights.
"""
import os
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

CANVAS = 64
SHORT_RUN = 3.0  # see worker.c
PATIENCE = 5.0   # the same


class AddCoords(torch.nn.Module):
    """Coordinate channels as the modules in common use add them."""

    def __init__(self, radius):
        super().__init__()
        self.radius = radius

    def forward(self, x):
        n, _, h, w = x.shape
        xx = torch.arange(w, dtype=x.dtype, device=x.device).view(1, 1, 1, w).expand(n, 1, h, w)
        yy = torch.arange(h, dtype=x.dtype, device=x.device).view(1, 1, h, 1).expand(n, 1, h, w)
        xx = xx / max(w - 1, 1) * 2 - 1
        yy = yy / max(h - 1, 1) * 2 - 1
        parts = [x, xx, yy]
        if self.radius:
            parts.append(torch.sqrt(xx * xx + yy * yy))
        return torch.cat(parts, 1)


class UsualConv(torch.nn.Module):
    def __init__(self, coords, conv):
        super().__init__()
        self.add = AddCoords(coords == 3) if coords else torch.nn.Identity()
        self.conv = conv

    def forward(self, x):
        return self.conv(self.add(x))


class KeptConv(torch.nn.Module):
    """The coordinates are a tensor made once, for this shape."""

    def __init__(self, coords, conv):
        super().__init__()
        self.coords = coords
        self.conv = conv

    def forward(self, x):
        return self.conv(torch.cat([x, self.coords], 1))


class BufferConv(torch.nn.Module):
    def __init__(self, joined, conv):
        super().__init__()
        self.joined = joined
        self.conv = conv

    def forward(self, x):
        self.joined[:, :x.shape[1]].copy_(x)
        return self.conv(self.joined)


class ByName(torch.nn.Module):
    """A convolution that is oneDNN's whatever the shape."""

    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        c = self.conv
        return torch.mkldnn_convolution(x, c.weight, c.bias, c.padding, c.stride, c.dilation, 1)


def floats(desc, name, *shape):
    data = np.fromfile(os.path.join(desc["folder"], name), np.float32)
    return torch.from_numpy(data.reshape(shape))


def integer(desc, *names):
    return [int(desc[name]) for name in names]


def coords_for(x, coords):
    with torch.no_grad():
        return AddCoords(coords == 3)(x)[:, x.shape[1]:] if coords else x[:, :0]


class Layer:
    def __init__(self, desc):
        n, c, h, w, o, k, s, p = integer(desc, *"nchwoksp")
        oh, ow = (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1
        coords = {"conv": 0, "xy": 2, "xyr": 3}[desc["kind"]]
        self.way, _, layout = desc["variant"].partition("-")
        form = torch.channels_last if layout == "nhwc" else torch.contiguous_format
        self.forward_only = desc["what"] == "fwd"
        conv = torch.nn.Conv2d(c + coords, o, k, s, p)
        conv.weight.data = floats(desc, "w", o, c + 3, k, k)[:, :c + coords].contiguous()
        conv.bias.data = floats(desc, "b", o)
        conv = conv.to(memory_format=form)
        self.conv = conv
        self.x = floats(desc, "x.nchw", n, c, h, w).contiguous(memory_format=form)
        self.dy = None
        if not self.forward_only:
            self.dy = floats(desc, "dy.nchw", n, o, oh, ow).contiguous(memory_format=form)
            self.x.requires_grad_()
        self.module = self.make_module(coords, conv, form)
        self.note = ""

    def make_module(self, coords, conv, form):
        if self.way == "mkldnn":
            conv = ByName(conv)
        if self.way == "usual" or coords == 0:
            module = UsualConv(coords, conv)
        elif self.way == "buffer" or (self.way == "mkldnn" and self.forward_only):
            with torch.no_grad():
                joined = AddCoords(coords == 3)(self.x).contiguous(memory_format=form)
            module = BufferConv(joined, conv)
        else:
            module = KeptConv(coords_for(self.x, coords).contiguous(memory_format=form), conv)
        if self.way == "jit":
            module.eval()
            with torch.no_grad():
                module = torch.jit.optimize_for_inference(
                    torch.jit.freeze(torch.jit.trace(module, self.x)))
        return module

    def run(self):
        if self.forward_only:
            with torch.no_grad() if self.way == "usual" else torch.inference_mode():
                self.y = self.module(self.x)
            return
        self.y = self.module(self.x)
        if self.way == "usual":
            self.x.grad = self.conv.weight.grad = self.conv.bias.grad = None
            self.y.backward(self.dy)
            self.grads = self.x.grad, self.conv.weight.grad, self.conv.bias.grad
        else:
            self.grads = torch.autograd.grad(self.y, (self.x, self.conv.weight, self.conv.bias),
                                             self.dy)

    def output(self, what):
        if what == "y":
            return self.y
        return self.grads[["dx", "dw", "db"].index(what)]


class Step:
    """A training step of a Not-so-Clevr net, with Adam."""

    def __init__(self, desc):
        self.n = int(desc["n"])
        task, _, way = desc["variant"].partition("-")
        self.painter = task == "classification"
        self.usual = way == "usual"
        widths = [2, 32, 32, 64, 64, 1] if self.painter else [1, 8, 8, 8, 8, 2]
        kernels = [1] * 5 if self.painter else [1, 1, 1, 3, 3]
        form = torch.contiguous_format if self.usual else torch.channels_last
        self.convs = torch.nn.ModuleList()
        for i in range(5):
            extra = 2 if i == 0 else 0
            conv = torch.nn.Conv2d(widths[i] + extra, widths[i + 1], kernels[i],
                                   padding=kernels[i] // 2)
            conv.weight.data = floats(desc, "w%d" % i, *conv.weight.shape)
            conv.bias.data.zero_()
            self.convs.append(conv.to(memory_format=form))
        self.x = floats(desc, "x", self.n, *([2] if self.painter else [1, CANVAS, CANVAS]))
        self.target = floats(desc, "target", self.n, *([] if self.painter else [2]))
        if self.painter:
            self.target = self.target.long()
        self.add = AddCoords(False)
        blank = torch.zeros(self.n, 1, CANVAS, CANVAS)
        self.coords = coords_for(blank, 2).contiguous(memory_format=form)
        self.form = form
        self.adam = torch.optim.Adam(self.convs.parameters(), foreach=not self.usual)
        self.run()
        self.note = "loss=%.8g" % self.loss.item()

    def run(self):
        x = self.x
        if self.painter:
            x = x.view(self.n, 2, 1, 1).expand(self.n, 2, CANVAS, CANVAS)
        if self.usual:
            h = self.add(x)
        else:
            h = torch.cat([x.contiguous(memory_format=self.form), self.coords], 1)
        for i, conv in enumerate(self.convs):
            if i > 0 and self.painter:
                h = F.relu(h, inplace=not self.usual)
            h = conv(h)
        if self.painter:
            loss = F.cross_entropy(h.reshape(self.n, -1), self.target)
        else:
            loss = F.mse_loss(h.amax((2, 3)), self.target)
        self.adam.zero_grad(set_to_none=not self.usual)
        loss.backward()
        self.adam.step()
        self.loss = loss.detach()


JOBS = {}


def make(words):
    desc = dict(word.split("=", 1) for word in words[1:])
    if desc["kind"] == "conv" and desc["variant"].partition("-")[0] == "buffer":
        return "no such variant without coordinates"
    JOBS[words[0]] = (Step if desc["what"] == "step" else Layer)(desc)
    return "ok %s threads=%d" % (JOBS[words[0]].note, torch.get_num_threads())


def timed(job):
    """(milliseconds, whether a thread had to make room for another process); of a single
    thread that had to, processor time, as in worker.c"""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    cpu, start = time.process_time(), time.perf_counter()
    job.run()
    spent = time.perf_counter() - start
    busy = time.process_time() - cpu
    disturbed = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw != before
    return 1e3 * (busy if disturbed and torch.get_num_threads() == 1 else spent), disturbed


def enough(times, spent, budget, least):
    clean = min(sum(not disturbed for _, disturbed in some) for some in times.values())
    runs = min(len(some) for some in times.values())
    return spent > budget and runs >= least and (clean >= least or spent > PATIENCE * budget)


def take_turns(words):
    budget, least, most = float(words[0]), int(words[1]), int(words[2])
    names = words[3:]
    times = {name: [] for name in names}
    last = {name: timed(JOBS[name])[0] for name in names}
    start, cpu = time.perf_counter(), time.process_time()
    for turn in range(most):
        if turn > 0 and enough(times, (time.perf_counter() - start) * 1e3, budget, least):
            break
        for name in names if turn % 2 == 0 else names[::-1]:
            if last[name] < SHORT_RUN:
                timed(JOBS[name])
            times[name].append(timed(JOBS[name]))
            last[name] = times[name][-1][0]
    share = (time.process_time() - cpu) / (time.perf_counter() - start)
    return "ok cpu=%.2f %s" % (share, " ".join(
        name + " " + " ".join("%.6g%s" % (t, "*" if disturbed else "")
                              for t, disturbed in times[name]) for name in names))


def output(words):
    name, what, path = words
    value = JOBS[name].output(what).detach()
    if what in ("y", "dx") and value.dim() == 4:
        value = value.permute(0, 2, 3, 1)
    value.contiguous().numpy().astype(np.float32).tofile(path)
    return "ok nhwc"


def drop(words):
    del JOBS[words[0]]
    return "ok"


def main():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    torch.manual_seed(1)
    commands = {"make": make, "time": take_turns, "output": output, "drop": drop}
    for line in sys.stdin:
        words = line.split()
        if words[0] == "quit":
            break
        try:
            answer = commands[words[0]](words[1:])
        except Exception as error:  # told to the driver, which says so in its report
            answer = "no success: " + str(error).replace("\n", " ")
        print(answer, flush=True)


main()
