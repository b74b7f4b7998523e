# SPDX-License-Identifier: BSD-2-Clause
"""CoordConvs of volumes, 3 x 3 x 3 and others, beside PyTorch's convolution of volumes.

usage: volumes.py BUILD [--threads N] [--seconds S] [--tiny]

Coordinates are x, y and z. PyTorch's convolution is oneDNN's, called by name, since it may choose
another by itself that is many times slower; coordinates are there beforehand and concatenated
(cat), or, where there is no gradient, kept beside a copy of the volume (buffer); both in both
memory formats. Its allocator keeps what it has. All take turns in one process.
"""
import argparse
import os
import sys
import time

# Large tensors stay mapped between calls instead of being faulted in again each time.
KEEP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
        "MALLOC_TOP_PAD_": str(64 << 20)}
if any(os.environ.get(name) != value for name, value in KEEP.items()):
    os.environ.update(KEEP)
    os.execv(sys.executable, [sys.executable] + sys.argv)

try:
    import cffi
    import numpy as np
    import torch
except ImportError as missing:
    print("1..0 # SKIP no %s" % missing.name)
    sys.exit(77)

# n, depth, height, width, channels -> channels, kernel
SHAPES = [(1, 16, 64, 64, 16, 32, 3), (1, 32, 64, 64, 32, 32, 3), (2, 16, 32, 32, 64, 64, 3),
          (1, 32, 96, 96, 4, 16, 3), (1, 48, 48, 48, 1, 8, 5), (1, 32, 64, 64, 32, 32, 1)]
XYZ = 1 | 32  # COORDCONV_COORDS_XY, _Z
ffi = cffi.FFI()


class Ours:
    """A plan of one layer; training: forward and backward, the input's gradient too."""

    def __init__(self, library, threads, shape, training):
        self.library = library
        n, d, h, w, c, o, k = shape
        self.x, self.y, self.target = (aligned((n, d, h, w, s)) for s in (c, o, o))
        context = self.make("context", self.desc("context_desc", threads=threads))
        conv = self.desc("conv3d_desc", coords=XYZ, in_channels=c, out_channels=o, padding=1)
        conv.kernel = (k, k, k)
        layer = self.make("conv3d", context, conv)
        model = self.make("model", context)
        volume = library.coordconv_model_input(model, b"x", 1, 5, self.x.shape)
        y = library.coordconv_model_apply(model, layer, volume)
        library.coordconv_model_output(model, b"y", y)
        if training:
            target = library.coordconv_model_input(model, b"target", 1, 5, self.y.shape)
            library.coordconv_model_output(model, b"loss",
                                           library.coordconv_model_mse(model, y, target))
        self.plan = self.make("plan", model, self.desc(
            "plan_desc", mode=library.COORDCONV_TRAINING if training else 0,
            input_gradients=int(training)))
        for name in ["x", "y"] + ["target"] * training:
            array = getattr(self, name)
            tensor = self.make("tensor_wrap", context, 1, 5, array.shape, ffi.NULL,
                               ffi.cast("void *", array.ctypes.data), ffi.NULL, ffi.NULL)
            self.check(library.coordconv_plan_bind(self.plan, name.encode(), tensor))
        weight = ffi.new("coordconv_tensor **")
        self.check(library.coordconv_layer_parameter(layer, b"weight", weight))
        self.weight = weight[0]
        self.training = training
        values = ffi.buffer(library.coordconv_tensor_data(self.weight), 4 * o * (c + 3) * k**3)
        self.weights = np.frombuffer(values, np.float32).reshape(o, c + 3, k, k, k).copy()

    def check(self, status):
        if status != 0:
            raise RuntimeError(ffi.string(self.library.coordconv_last_error()).decode())

    def desc(self, name, **fields):
        return ffi.new("coordconv_%s *" % name,
                       {"struct_size": ffi.sizeof("coordconv_" + name), **fields})

    def make(self, what, *arguments):
        name = what if what.startswith("tensor") else what + "_new"
        out = ffi.new("coordconv_%s **" % {"conv3d": "layer", "tensor_wrap": "tensor"}.get(
            what, what))
        self.check(getattr(self.library, "coordconv_" + name)(*arguments, out))
        return out[0]

    def run(self):
        if self.training:  # as behind a step of an optimizer
            self.library.coordconv_tensor_modified(self.weight)
        self.check(self.library.coordconv_plan_run(self.plan))


def aligned(shape):
    room = np.zeros(int(np.prod(shape)) + 16, np.float32)
    part = room[-room.ctypes.data % 64 // 4:][:int(np.prod(shape))].reshape(shape)
    part[...] = np.random.default_rng(1).standard_normal(shape)
    return part


def torch_ways(ours, shape):
    n, d, h, w, c, o, k = shape
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, s) for s in (d, h, w)), indexing="ij")
    coords = torch.tensor(np.stack([x, y, z])[None].repeat(n, 0), dtype=torch.float32)
    ways = {}
    for name, form in (("ncdhw", torch.contiguous_format), ("ndhwc", torch.channels_last_3d)):
        def tensor(array, form=form):
            return torch.as_tensor(array).clone().contiguous(memory_format=form)
        volume, target = (tensor(a.transpose(0, 4, 1, 2, 3)) for a in (ours.x, ours.target))
        weight, bias, kept = tensor(ours.weights), torch.zeros(o), tensor(coords)
        joined = tensor(torch.cat([volume, kept], 1))
        for t in (volume, weight, bias):
            t.requires_grad_(ours.training)

        def conv(x, weight=weight, bias=bias):
            return torch.mkldnn_convolution(x, weight, bias, [k // 2] * 3, [1] * 3, [1] * 3, 1)

        def cat(volume=volume, kept=kept, conv=conv, target=target, trained=(weight, bias)):
            if not ours.training:
                with torch.inference_mode():
                    return conv(torch.cat([volume, kept], 1))
            y = conv(torch.cat([volume, kept], 1))
            torch.autograd.grad(torch.nn.functional.mse_loss(y, target), (volume, *trained))
            return y.detach()

        def buffer(volume=volume, joined=joined, conv=conv):
            with torch.inference_mode():
                joined[:, :c].copy_(volume)
                return conv(joined)

        ways["cat-" + name] = cat
        if not ours.training:
            ways["buffer-" + name] = buffer
    return ways


def compare(library, options, shape, training):
    """Least times in milliseconds: ours, the others' best, and which that is."""
    ours = Ours(library, options.threads, shape, training)
    ways = torch_ways(ours, shape)
    ours.run()
    for name, way in ways.items():
        theirs = way().numpy().transpose(0, 2, 3, 4, 1)
        apart = np.abs(theirs - ours.y).max() / np.abs(theirs).max()
        assert apart < 1e-5, (name, apart)
    ways[""] = ours.run
    least = dict.fromkeys(ways, float("inf"))
    end, rounds = time.monotonic() + options.seconds, 0
    while rounds < 3 or time.monotonic() < end:
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            least[name] = min(least[name], 1e3 * (time.perf_counter() - begin))
        rounds += 1
    mine = least.pop("")
    best = min(least, key=least.get)
    return mine, least[best], best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--tiny", action="store_true", help="one small shape, to see that it works")
    options = parser.parse_args()
    with open(os.path.join(options.build, "lib", "coordconv.cdef.h")) as f:
        ffi.cdef(f.read())
    library = ffi.dlopen(os.path.join(options.build, "lib", "libcoordconv.so"))
    torch.set_num_threads(options.threads)
    print("| volume, channels, kernel | what | ours, ms | best of PyTorch | which |")
    print("| --- | --- | --- | --- | --- |")
    for shape in [(2, 3, 5, 4, 2, 3, 3)] if options.tiny else SHAPES:
        for training in (False, True):
            mine, theirs, which = compare(library, options, shape, training)
            print("| %d x %d x %d x %d, %d to %d, %d^3 | %s | %.2f | %.2f | %s |" % (
                *shape, "step" if training else "forward", mine, theirs / mine, which), flush=True)


if __name__ == "__main__":
    main()
