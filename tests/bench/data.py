# SPDX-License-Identifier: BSD-2-Clause
"""What the workers compute on, and what must come out."""
import os

import numpy as np

CANVAS = 64


def save(folder, name, array):
    array.astype(np.float32).tofile(os.path.join(folder, name))


def values(count, seed):
    """Numbers of -0.5 to 0.5; a long row repeats itself after a number of values that has no
    divisor in common with any extent."""
    block = np.random.default_rng(seed).random(min(count, 1000003), np.float32) - 0.5
    return np.resize(block, count)


class Layer:
    """Input, weights and the output's gradient of a shape, also written into a folder:
    x.nhwc, x.nchw, w [O, C + 3, K, K], b, dy.nhwc, dy.nchw."""

    def __init__(self, shape, folder):
        s = self.shape = shape
        os.makedirs(folder, exist_ok=True)
        self.x = values(s.n * s.h * s.w * s.c, 1).reshape(s.n, s.h, s.w, s.c)
        self.dy = values(s.n * s.oh * s.ow * s.o, 2).reshape(s.n, s.oh, s.ow, s.o)
        fan_in = (s.c + 3) * s.k * s.k
        self.w = values(s.o * fan_in, 3).reshape(s.o, s.c + 3, s.k, s.k) * (12 / fan_in) ** 0.5
        self.b = values(s.o, 4)
        for name in ("x", "dy"):
            array = getattr(self, name)
            save(folder, name + ".nhwc", array)
            save(folder, name + ".nchw", array.transpose(0, 3, 1, 2))
        save(folder, "w", self.w)
        save(folder, "b", self.b)

    def joined(self, n, coords):
        """Image n in double with its coordinates, and zeros around it."""
        s = self.shape
        x = np.linspace(-1, 1, s.w) if s.w > 1 else np.zeros(1)
        y = np.linspace(-1, 1, s.h)[:, None] if s.h > 1 else np.zeros((1, 1))
        maps = [np.broadcast_to(m, (s.h, s.w)) for m in (x, y, np.hypot(x, y))][:coords]
        whole = np.concatenate([self.x[n].astype(float)] + [m[..., None] for m in maps], 2)
        return np.pad(whole, ((s.p, s.p), (s.p, s.p), (0, 0)))

    def sample_y(self, coords, count):
        """((n, i, j, o), value): the corners of the first image, and anywhere."""
        s = self.shape
        random = np.random.default_rng(2)
        weight = self.w[:, :s.c + coords].astype(float)
        last, images = (s.n - 1, s.oh - 1, s.ow - 1, s.o - 1), {}
        places = [(0, i, j, 0) for i in (0, last[1]) for j in (0, last[2])] + [last]
        some = random.integers(0, s.n, 3)
        places += [(int(random.choice(some)), *map(int, random.integers(0, [s.oh, s.ow, s.o])))
                   for _ in range(count)]
        for n, i, j, o in places:
            if n not in images:
                images[n] = self.joined(n, coords)
            window = images[n][i * s.s:i * s.s + s.k, j * s.s:j * s.s + s.k]
            yield (n, i, j, o), self.b[o] + np.einsum("klc,ckl->", window, weight[o])

    def sample_dw(self, coords, count):
        s = self.shape
        random = np.random.default_rng(3)
        places = [tuple(map(int, random.integers(0, [s.o, s.c + coords, s.k, s.k])))
                  for _ in range(count)]
        places += [(0, s.c + q, 0, s.k - 1) for q in range(coords)]
        total = {place: 0.0 for place in places}
        for n in range(s.n):
            image = self.joined(n, coords)
            for o, c, k, m in total:
                view = image[k:k + s.s * (s.oh - 1) + 1:s.s, m:m + s.s * (s.ow - 1) + 1:s.s, c]
                total[o, c, k, m] += np.vdot(view, self.dy[n, :, :, o].astype(float))
        return total.items()

    def sample_dx(self, count):
        s = self.shape
        random = np.random.default_rng(4)
        places = [(0, 0, 0, 0), (s.n - 1, s.h - 1, s.w - 1, s.c - 1)]
        places += [tuple(map(int, random.integers(0, [s.n, s.h, s.w, s.c]))) for _ in range(count)]
        for n, i, j, c in places:
            value = 0.0
            for k in range(s.k):
                for m in range(s.k):
                    a, b = i + s.p - k, j + s.p - m
                    if a % s.s == 0 and b % s.s == 0 and 0 <= a < s.oh * s.s and 0 <= b < s.ow * s.s:
                        value += self.dy[n, a // s.s, b // s.s].astype(float) @ self.w[:, c, k, m]
            yield (n, i, j, c), value


def write_step(step, folder):
    """The weights, one pixel or point a sample, and what is to be said of it."""
    random = np.random.default_rng(5)
    os.makedirs(folder, exist_ok=True)
    for i, (inputs, outputs, kernel) in enumerate(step.layers):
        scale = (6 / (inputs * kernel * kernel)) ** 0.5
        save(folder, "w%d" % i, scale * (random.random((outputs, inputs, kernel, kernel)) * 2 - 1))
    rows, columns = random.integers(4, CANVAS - 4, (2, step.batch))
    points = np.stack([columns, rows], 1) / CANVAS
    if step.task == "classification":
        save(folder, "x", points)
        save(folder, "target", rows * CANVAS + columns)
    else:
        image = np.zeros((step.batch, CANVAS, CANVAS))
        image[np.arange(step.batch), rows, columns] = 1
        save(folder, "x", image)
        save(folder, "target", points)
