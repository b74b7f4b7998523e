#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""make_resnet.py - logits of ResNet-50 as PyTorch computes them, plain and behind a CoordConv.

Run: python3 tests/golden/make_resnet.py      (needs PyTorch; 1.13 made the files in the tree)

The net is that of He, Zhang, Ren, Sun (2015) with the names and the strides of
torchvision, of which nothing is needed here; before it, if wanted, the CoordConv
paper's 1x1 convolution of image, x, y and radius to 8 channels.

resnet50-plain.npy and resnet50-coordconv.npy hold logits alone: images and all
weights are made by a formula of a tensor's name and an element's number, which
test_golden_resnet.c has as well. Files are in the form of make_golden.py: the
configuration, [batch, height, width] for each array; the bounds, the deviation of
the logits of each array; the arrays.

resnet-narrow.safetensors is the state dict of the same net of 2 channels and 10
classes, behind a CoordConv of the convention "mkocabas"; resnet-narrow.npy its
logits.

PyTorch computes in float64 from the float32 weights.
"""
import os

import numpy as np
import torch
from torch import nn

from make_checkpoints import mkocabas, ours, save_safetensors
from make_golden import HERE, save


# ---- the formula ------------------------------------------------------------


def noise(name, index):
    """Numbers in [-1, 1) of 24 bits, from FNV-1a of the name and the last step of MurmurHash3."""
    h = 2166136261
    for byte in name.encode():
        h = (h ^ byte) * 16777619 & 0xffffffff
    k = (index.astype(np.uint32) * np.uint32(0x9e3779b9) + np.uint32(h)).astype(np.uint32)
    for shift, factor in ((16, 0x85ebca6b), (13, 0xc2b2ae35)):
        k = (k ^ k >> np.uint32(shift)) * np.uint32(factor)
    k ^= k >> np.uint32(16)
    return (k >> np.uint32(8)) * 2.0 ** -23 - 1


def centre_and_reach(name, shape):
    """Weights keep the size of what they see, but for the last norm of a block, which halves it:
    twice sixteen sums of equals would leave nothing of the first."""
    if len(shape) > 1:
        return 0.0, np.sqrt(6 / np.prod(shape[1:], dtype=np.int64))
    if name.endswith("running_var"):
        return 1.0, 0.5
    if name.endswith("weight"):
        return (0.5, 0.25) if name.endswith("bn3.weight") else (1.0, 0.25)
    return 0.0, 0.25


def fill(net):
    for name, t in net.state_dict().items():
        if t.dtype == torch.int64:
            t.fill_(1000)
            continue
        name = name.replace("coordconv.conv.", "coordconv.")
        centre, reach = centre_and_reach(name, tuple(t.shape))
        values = centre + reach * noise(name, np.arange(t.numel()))
        t.copy_(torch.from_numpy(values.astype(np.float32)).reshape(t.shape))


def image(batch, height, width):
    """[N, C, H, W]: squares of 16 x 16 pixels, and noise on them."""
    n, i, j, c = np.meshgrid(*map(np.arange, (batch, height, width, 3)), indexing="ij")
    square = ((n * height + i // 16) * width + j // 16) * 3 + c
    pixel = ((n * height + i) * width + j) * 3 + c
    x = 1.5 * noise("square", square) + 0.5 * noise("pixel", pixel)
    return torch.from_numpy(x.astype(np.float32)).double().permute(0, 3, 1, 2)


# ---- the net ----------------------------------------------------------------


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        out = 4 * width
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False),
                                            nn.BatchNorm2d(out))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class CoordConv(nn.Module):
    """1x1, of the image and three coordinates."""

    def __init__(self, make, out):
        super().__init__()
        self.make, self.conv = make, nn.Conv2d(6, out, 1)

    def forward(self, x):
        coords = self.make(*x.shape[2:]).to(x.dtype).expand(x.shape[0], -1, -1, -1)
        return self.conv(torch.cat([x, coords], 1))


class ResNet(nn.Module):
    def __init__(self, width=64, classes=1000, make=None, extra=8):
        super().__init__()
        self.coordconv = CoordConv(make, extra) if make else None
        self.conv1 = nn.Conv2d(extra if make else 3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        channels = width
        for stage, blocks in enumerate((3, 4, 6, 3)):
            inner, layers = width << stage, []
            for i in range(blocks):
                layers.append(Bottleneck(channels, inner, 2 if i == 0 and stage > 0 else 1))
                channels = 4 * inner
            setattr(self, "layer%d" % (stage + 1), nn.Sequential(*layers))
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = x if self.coordconv is None else self.coordconv(x)
        x = torch.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.fc(x.mean((2, 3)))


# ---- cases ------------------------------------------------------------------

SIZES = ((1, 224, 224), (2, 97, 70))


def logits_of(net):
    with torch.no_grad():
        return [net(image(*size)) for size in SIZES]


def make(case, net):
    fill(net)
    logits = logits_of(net.double().eval())
    for y in logits:
        print("%s %s: mean %.3g, deviation %.3g, between images %.3g" % (
            case, tuple(y.shape), y.mean(), y.std(), (y[0] - y[-1]).std()))
    save(case, [n for size in SIZES for n in size], [y.std() for y in logits], logits)


def main():
    plain = ResNet()
    assert sum(p.numel() for p in plain.parameters()) == 25557032
    make("resnet50-plain", plain)
    make("resnet50-coordconv", ResNet(make=ours))
    narrow = ResNet(width=2, classes=10, make=mkocabas)
    make("resnet-narrow", narrow)
    save_safetensors(os.path.join(HERE, "resnet-narrow.safetensors"), narrow.float().state_dict())


if __name__ == "__main__":
    main()
