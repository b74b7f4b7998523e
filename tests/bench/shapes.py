# SPDX-License-Identifier: BSD-2-Clause
"""The shapes, and what arithmetic and memory each of them is."""
import collections
import re


class Shape(collections.namedtuple("Shape", "n c h w o k s")):
    """A convolution [n, h, w, c] -> [n, oh, ow, o], kernel k, stride s; pads k // 2."""

    @property
    def p(self):
        return self.k // 2

    @property
    def oh(self):
        return (self.h + 2 * self.p - self.k) // self.s + 1

    @property
    def ow(self):
        return (self.w + 2 * self.p - self.k) // self.s + 1

    @property
    def input_bytes(self):
        return 4 * self.n * self.h * self.w * self.c

    @property
    def output_bytes(self):
        return 4 * self.n * self.oh * self.ow * self.o

    @property
    def weight_bytes(self):
        return 4 * self.o * self.c * self.k * self.k

    def flops(self, what):
        """Of the plain convolution, all taps, coordinates not counted: all are judged by this."""
        forward = 2 * self.n * self.oh * self.ow * self.o * self.c * self.k * self.k
        return forward * (3 if what == "fwd+bwd" else 1)

    def traffic(self, what):
        """Bytes that must be read, and written: each tensor once for each pass that needs it."""
        if what == "fwd":
            return self.input_bytes + self.weight_bytes, self.output_bytes
        # Backward reads the input and the output's gradient again, and writes two gradients.
        return (2 * self.input_bytes + self.output_bytes + 2 * self.weight_bytes,
                self.output_bytes + self.input_bytes + self.weight_bytes)

    def keys(self):
        return "n=%d c=%d h=%d w=%d o=%d k=%d s=%d p=%d" % (*self, self.p)

    def __str__(self):
        stride = " s%d" % self.s if self.s > 1 else ""
        return "%d,%d,%d,%d->%d k%d%s" % (*self[:6], stride)

    # What the tables ask.

    def winograd(self):
        return self.k == 3 and self.s == 1 and self.c >= 32 and self.o >= 32

    def wide(self):
        return self.c >= 64 and self.o >= 64


def parse(text):
    match = re.fullmatch(r"\s*(\d+),(\d+),(\d+),(\d+)->(\d+) k(\d+)(?: s(\d+))?\s*", text)
    if not match:
        raise ValueError("not a shape, as in 32,8,64,64->8 k3 s2: %s" % text)
    return Shape(*(int(n) for n in match.groups(default="1")))


SHAPES = [parse(text) for text in """
32,2,64,64->32 k1
32,32,64,64->32 k1
32,32,64,64->64 k3
32,64,64,64->64 k3
32,64,64,64->1 k1
32,8,64,64->8 k1
32,8,64,64->2 k3
1,3,224,224->64 k7 s2
1,3,416,416->32 k3
1,3,512,512->16 k3 s2
1,64,56,56->64 k3
1,128,28,28->128 k3
1,256,14,14->256 k3
1,512,7,7->512 k3
1,64,56,56->256 k1
1,256,56,56->64 k1
8,64,56,56->64 k3
64,1,28,28->32 k3
64,32,28,28->64 k3
64,64,14,14->64 k3
""".strip().splitlines()]


class Step(collections.namedtuple("Step", "task batch")):
    """A training step of a net of the paper on a 64 x 64 canvas."""

    @property
    def layers(self):
        """(channels in, coordinates counted, channels out, kernel) of each."""
        if self.task == "classification":
            widths, kernels = [2, 32, 32, 64, 64, 1], [1] * 5
        else:
            widths, kernels = [1, 8, 8, 8, 8, 2], [1, 1, 1, 3, 3]
        return [(widths[i] + (2 if i == 0 else 0), widths[i + 1], kernels[i]) for i in range(5)]

    def flops(self):
        """Three passes a layer; nobody wants the gradient of the first layer's input."""
        each = [i * o * k * k for i, o, k in self.layers]
        return 2 * self.batch * 64 * 64 * (3 * sum(each) - each[0])

    def __str__(self):
        return "not-so-clevr %s step, batch %d" % (self.task, self.batch)


STEPS = [Step("classification", 32), Step("regression", 32)]
