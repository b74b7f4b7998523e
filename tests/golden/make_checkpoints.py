#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""make_checkpoints.py - write state dicts of PyTorch nets, one for each convention of coordinates.

Run: python3 tests/golden/make_checkpoints.py      (needs PyTorch; 1.13 made the files in the tree)

For each case there are weights-<case>.safetensors, the state dict, and
weights-<case>.npy, in the form of make_golden.py: the coordinate channels the
net sees (COORDCONV_COORDS_*), the largest absolute output, input, output. All
is float32, as PyTorch computes it; images are NHWC in the files.

The nets make their coordinates as the implementations they are named after do
it, slips included, told again in our own words: none of their code is here.
What an implementation cannot do is tried as well and must fail.
"""
import json
import os
import struct
import zlib

import numpy as np
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))

XY, RADIUS, Y = 1, 2, 16  # COORDCONV_COORDS_*


# ---- safetensors ------------------------------------------------------------

DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}


def tensor_bytes(t):
    t = t.detach().contiguous()
    if t.dtype == torch.bfloat16:  # which NumPy does not know
        t = t.view(torch.int16)
    return t.numpy().tobytes()


def save_safetensors(path, tensors):
    header, data = {}, b""
    for name, t in tensors.items():
        piece = tensor_bytes(t)
        header[name] = {"dtype": DTYPES[t.dtype], "shape": list(t.shape),
                        "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


# ---- coordinates: functions of (height, width) to [channels, height, width] ----


def planes(*channels):
    return torch.stack(channels)


def along_rows(values, width):
    return values[:, None].repeat(1, width)


def along_columns(values, height):
    return values[None, :].repeat(height, 1)


def stretched(n):
    """0 .. n - 1 to -1 .. 1 by a division, 0/0 where there is one sample."""
    return 2 * (torch.arange(n, dtype=torch.float32) / (n - 1)) - 1


def offset_radius(a, b):
    return torch.sqrt((a - 0.5) ** 2 + (b - 0.5) ** 2)


def ours(h, w):
    y, x = along_rows(stretched(h), w), along_columns(stretched(w), h)
    return planes(x, y, torch.sqrt(x * x + y * y))


def paper(h, w):
    """Lengths of the two axes confused when the planes are made: square or nothing."""
    a = along_columns(stretched(h), h)
    b = along_rows(stretched(w), w)
    return planes(a, b, offset_radius(a, b))


def uber(h, w):
    """Column counted up to the width, divided by the height, and the other way round."""
    a = along_columns(torch.arange(w) / (h - 1) * 2 - 1, h)
    b = along_rows(torch.arange(h) / (w - 1) * 2 - 1, w)
    return planes(a, b, torch.sqrt(a ** 2 + b ** 2))


def mkocabas(h, w):
    """The channel called x runs with the rows."""
    a, b = along_rows(stretched(h), w), along_columns(stretched(w), h)
    return planes(a, b, offset_radius(a, b))


def keras(h, w):
    """The same made for a channels-last image, which is turned afterwards."""
    i, j = np.mgrid[0:h, 0:w].astype(np.float32)
    last = np.stack([i / (h - 1) * 2 - 1, j / (w - 1) * 2 - 1], -1)
    last = np.concatenate([last, np.sqrt(((last - 0.5) ** 2).sum(-1, keepdims=True))], -1)
    return torch.from_numpy(last).permute(2, 0, 1)


def normalized(h, w):
    a, b = along_rows(stretched(h), w), along_columns(stretched(w), h)
    r = torch.sqrt(a * a + b * b)
    return planes(a, b, r / r.max())


def solo(h, w):
    y, x = torch.linspace(-1, 1, h), torch.linspace(-1, 1, w)
    return planes(along_columns(x, h), along_rows(y, w))


def pfrendl(h, w):
    return solo(h, w).flip(0)


def batdetect2(h, w):
    return planes(along_rows(torch.linspace(-1, 1, h), w))


def paddle(h, w):
    return planes(along_columns(torch.arange(w) / (w - 1) * 2 - 1, h),
                  along_rows(torch.arange(h) / (h - 1) * 2 - 1, w))


def paddle_slip(h, w):
    """The doubling went below the line."""
    return planes(along_columns(torch.arange(w) / ((w - 1) * 2) - 1, h),
                  along_rows(torch.arange(h) / ((h - 1) * 2) - 1, w))


def monai(h, w):
    return planes(*torch.meshgrid(torch.linspace(-0.5, 0.5, h), torch.linspace(-0.5, 0.5, w),
                                  indexing="ij"))


def dref360(h, w):
    return planes(along_rows(2 * torch.arange(h) / h - 1, w),
                  along_columns(2 * torch.arange(w) / w - 1, h))


def n_mca(h, w):
    return planes(along_rows(torch.arange(h) / (h - 1), w),
                  along_columns(torch.arange(w) / (w - 1), h))


def cell_center(h, w):
    y = along_rows((2 * torch.arange(h) + 1) / h - 1, w)
    x = along_columns((2 * torch.arange(w) + 1) / w - 1, h)
    return planes(x, y, torch.sqrt(x * x + y * y))


# ---- nets -------------------------------------------------------------------


class CoordConv(nn.Module):
    def __init__(self, make, count, before, channels, out, **arguments):
        super().__init__()
        self.make, self.before = make, before
        self.conv = nn.Conv2d(channels + count, out, 3, padding=1, **arguments)

    def forward(self, x):
        coords = self.make(*x.shape[2:]).expand(x.shape[0], -1, -1, -1)
        return self.conv(torch.cat([coords, x] if self.before else [x, coords], 1))


class Net(nn.Module):
    def __init__(self, make, count, before):
        super().__init__()
        self.stem = CoordConv(make, count, before, 2, 4, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.block = CoordConv(make, count, before, 4, 3, stride=2)
        self.head = nn.Conv2d(3, 3, 1)
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.relu(self.head(self.block(x)))
        return self.fc(x.permute(0, 2, 3, 1))  # linear in each place: [N, H, W, 2]


CASES = {
    # case: coordinates, channels, before the data, height, width, type of the weights
    "coordconv": (ours, XY | RADIUS, False, 5, 7),
    "paper": (paper, XY | RADIUS, False, 6, 6),
    "uber": (uber, XY | RADIUS, False, 5, 7),
    "mkocabas": (mkocabas, XY | RADIUS, False, 5, 7),
    "keras-coordconv": (keras, XY | RADIUS, False, 5, 7),
    "wizaron": (normalized, XY | RADIUS, True, 5, 7),
    "adaptive-wing-loss": (normalized, XY | RADIUS, False, 5, 7),
    "solo": (solo, XY, False, 5, 7),
    "solo-one-row": (solo, XY, False, 1, 7),
    "pfrendl": (pfrendl, XY, False, 5, 7),
    "batdetect2": (batdetect2, Y, False, 5, 7),
    "dominikandreas": (ours, XY | RADIUS, False, 7, 4),
    "paddle": (paddle, XY, False, 5, 7),
    "paddle-slip": (paddle_slip, XY, False, 5, 7),
    "monai": (monai, XY, False, 5, 7),
    "monai-one-column": (monai, XY, False, 5, 1),
    "dref360": (dref360, XY, False, 5, 7),
    "n-mca": (n_mca, XY, False, 5, 7),
    "cell-center": (cell_center, XY | RADIUS, False, 5, 7),
    "mkocabas-f16": (mkocabas, XY | RADIUS, False, 5, 7, torch.float16),
    "mkocabas-bf16": (mkocabas, XY | RADIUS, False, 5, 7, torch.bfloat16),
}


def checkpoint(case, make, coords, before, height, width, dtype=torch.float32):
    torch.manual_seed(zlib.crc32(case.encode()))
    net = Net(make, make(height, width).shape[0], before).eval()
    for name, t in net.state_dict().items():
        if t.dtype == torch.float32:
            t.copy_(torch.randn(t.shape) * 0.5)
            if name.endswith("running_var"):
                t.copy_(t.abs() + 0.5)
            t.copy_(t.to(dtype).float())
        else:
            t.fill_(1000)
    state = {"module." + name: t.to(dtype) if t.dtype == torch.float32 else t
             for name, t in net.state_dict().items()}
    x = torch.randn(2, 2, height, width)
    y = net(x).detach()
    assert torch.isfinite(y).all(), case
    save_safetensors(os.path.join(HERE, "weights-" + case + ".safetensors"), state)
    with open(os.path.join(HERE, "weights-" + case + ".npy"), "wb") as f:
        for a, kind in (([coords], "<i4"), ([float(y.abs().max())], "<f4"),
                        (x.permute(0, 2, 3, 1).numpy(), "<f4"), (y.numpy(), "<f4")):
            np.save(f, np.ascontiguousarray(np.asarray(a, dtype=kind)))


def check_limits():
    """What the implementations cannot do."""
    try:
        paper(5, 7)
    except RuntimeError as e:
        print("paper, 5 x 7: fails,", str(e).splitlines()[0])
    else:
        raise AssertionError("paper took an image that is not square")
    print("uber, 2 x 3: x", uber(2, 3)[0, 0].tolist(), "y", uber(2, 3)[1, :, 0].tolist())
    for name, (make, *_) in CASES.items():
        if make in (paper, solo, pfrendl, batdetect2, monai, dref360, cell_center):
            continue
        with np.errstate(all="ignore"):
            assert not torch.isfinite(make(1, 7)).all(), name
        print(name + ", 1 x 7: NaN or infinity")


if __name__ == "__main__":
    check_limits()
    for case, arguments in CASES.items():
        checkpoint(case, *arguments)
