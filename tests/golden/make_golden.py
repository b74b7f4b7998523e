#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""make_golden.py - write the golden values the C tests compare with.

Run: python3 tests/golden/make_golden.py      (needs PyTorch; 1.13 made the files in the tree)

Each case is one file, <case>.npy, of several arrays one after the other, as
numpy.save() appends them to an open file. The first, int32, is the
configuration, so that no number is written twice by hand; the second, the
bounds, has one float for each array that is compared (see bound below); the
order of the rest is in the C test of the family.

Inputs are float32 numbers; PyTorch computes from them in float64 and the
results are rounded once, so the files are nearer to the truth than any float32
program. Images are NCHW here and NHWC in the files.

A bound is the largest sum of |a * b| behind any element of the array, for the
arrays that are sums of products (error analysis bounds the rounding error of
such a sum by a multiple of it whatever the order of summation), and the largest
absolute value for the others.
"""
import os
import zlib

import numpy as np
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))

XY, RADIUS, PIXEL, AXIS_X, AXIS_Z = 1, 2, 4, 8, 32  # COORDCONV_COORDS_*


def seed(case):
    torch.manual_seed(zlib.crc32(case.encode()))


def draw(*shape):
    """Normal numbers that float32 holds exactly, in float64."""
    return torch.randn(*shape, dtype=torch.float32).double()


def nhwc(t):
    return t.permute(0, 2, 3, 1) if t.dim() == 4 else t


def save(case, config, bounds, arrays):
    with open(os.path.join(HERE, case + ".npy"), "wb") as f:
        np.save(f, np.asarray(config, dtype="<i4"))
        np.save(f, np.asarray(bounds, dtype="<f4"))
        for a in arrays:
            a = a.detach().numpy() if torch.is_tensor(a) else np.asarray(a)
            a = a.astype("<i4" if a.dtype.kind == "i" else "<f4")
            np.save(f, np.ascontiguousarray(a).reshape(a.shape))


def largest(*tensors):
    return [float(t.detach().abs().max()) if t.numel() else 0.0 for t in tensors]


def pair(v):
    return (v, v) if isinstance(v, int) else tuple(v)


# ---- convolutions -----------------------------------------------------------


def coordinates(flags, height, width):
    """[1, channels, height, width]: x, y, radius."""
    if flags & PIXEL:
        x, y = torch.arange(width).double(), torch.arange(height).double()
    else:
        x, y = (torch.linspace(-1, 1, n, dtype=torch.float64) if n > 1 else
                torch.zeros(1, dtype=torch.float64) for n in (width, height))
    xx = x.reshape(1, width).expand(height, width)
    yy = y.reshape(height, 1).expand(height, width)
    channels = []
    if flags & XY:
        channels += [xx, yy]
    if flags & RADIUS:
        channels += [torch.sqrt(xx * xx + yy * yy)]
    return torch.stack(channels).unsqueeze(0)


def with_coordinates(x, flags, absolute):
    if not flags & (XY | RADIUS):
        return x
    c = coordinates(flags, x.shape[2], x.shape[3])
    return torch.cat([x, (c.abs() if absolute else c).expand(x.shape[0], -1, -1, -1)], 1)


def same_pads(extent, kernel, stride, dilation):
    out = -(-extent // stride)
    total = max((out - 1) * stride + dilation * (kernel - 1) + 1 - extent, 0)
    return total // 2, total - total // 2


def conv_case(case, transposed=False, shape=(2, 2, 5, 6), out=3, kernel=3, stride=1, dilation=1,
              pads=(0, 0, 0, 0), same=False, output_padding=0, groups=1, bias=True, coords=0):
    """pads: top, left, bottom, right. Arrays: x weight bias y dy dx dweight dbias."""
    seed(case)
    n, channels, height, width = shape
    kernel, stride, dilation = pair(kernel), pair(stride), pair(dilation)
    output_padding = pair(output_padding)
    extra = (2 if coords & XY else 0) + (1 if coords & RADIUS else 0)
    explicit = pads
    if same:
        image = (height * stride[0], width * stride[1]) if transposed else (height, width)
        (top, bottom), (left, right) = (
            same_pads(image[i], kernel[i], stride[i], dilation[i]) for i in (0, 1))
        explicit = (top, left, bottom, right)
    top, left, bottom, right = explicit

    def run(x, weight, b, absolute=False):
        x = with_coordinates(x, coords, absolute)
        if not transposed:
            return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, b, stride, 0, dilation,
                            groups)
        full = F.conv_transpose2d(x, weight, None, stride, 0, 0, groups, dilation)
        want = [same and image[i] or full.shape[2 + i] - explicit[i] - explicit[2 + i] +
                output_padding[i] for i in (0, 1)]
        full = F.pad(full, (0, max(left + want[1] - full.shape[3], 0),
                            0, max(top + want[0] - full.shape[2], 0)))
        y = full[:, :, top:top + want[0], left:left + want[1]]
        return y if b is None else y + b.reshape(1, -1, 1, 1)

    x = draw(*shape)
    weight = draw(*((channels + extra, out // groups) if transposed else
                    (out, channels // groups + extra)), *kernel)
    b = draw(out) if bias else None

    def both(x, weight, b, dy, absolute):
        leaves = [t.clone().requires_grad_() for t in (x, weight, b) if t is not None]
        y = run(leaves[0], leaves[1], leaves[2] if bias else None, absolute)
        dy = draw(*y.shape) if dy is None else dy
        grads = list(torch.autograd.grad(y, leaves, dy))
        return y, dy, grads + ([] if bias else [torch.zeros(0)])

    y, dy, grads = both(x, weight, b, None, False)
    y_abs, _, grads_abs = both(x.abs(), weight.abs(), b.abs() if bias else None, dy.abs(), True)
    if transposed and not same and top == bottom and left == right:  # PyTorch's own padding
        own = F.conv_transpose2d(with_coordinates(x, coords, False), weight, b, stride,
                                 (top, left), output_padding, groups, dilation)
        assert torch.allclose(own, y)
    config = [int(transposed), coords, channels, out, *kernel, *stride, *dilation, int(same),
              *(pads if not same else (0, 0, 0, 0)), *output_padding, groups, int(not bias)]
    save(case, config, largest(y_abs, *grads_abs),
         [nhwc(x), weight, b if bias else torch.zeros(0), nhwc(y), nhwc(dy), nhwc(grads[0]),
          grads[1], grads[2]])


def conv1d_case(case, shape=(2, 3, 7), out=4, kernel=3, stride=1, dilation=1, pads=(0, 0),
                same=False, groups=1, bias=True, coords=0):
    """Arrays as of conv_case; x [N, L, C]. Coordinates: x, then its magnitude."""
    seed(case)
    n, channels, length = shape
    extra = (1 if coords & AXIS_X else 0) + (1 if coords & RADIUS else 0)
    explicit = same_pads(length, kernel, stride, dilation) if same else pads
    line = (torch.arange(length).double() if coords & PIXEL else
            torch.linspace(-1, 1, length, dtype=torch.float64) if length > 1 else
            torch.zeros(1, dtype=torch.float64))
    wanted = [c for flag, c in ((AXIS_X, line), (RADIUS, line.abs())) if coords & flag]

    def both(x, weight, b, dy, absolute):
        leaves = [t.clone().requires_grad_() for t in (x, weight, b) if t is not None]
        all_x = leaves[0]
        for c in wanted:
            c = (c.abs() if absolute else c).reshape(1, 1, length).expand(n, 1, length)
            all_x = torch.cat([all_x, c], 1)
        y = F.conv1d(F.pad(all_x, explicit), leaves[1], leaves[2] if bias else None, stride, 0,
                     dilation, groups)
        dy = draw(*y.shape) if dy is None else dy
        grads = list(torch.autograd.grad(y, leaves, dy))
        return y, dy, grads + ([] if bias else [torch.zeros(0)])

    x = draw(*shape)
    weight = draw(out, channels // groups + extra, kernel)
    b = draw(out) if bias else None
    y, dy, grads = both(x, weight, b, None, False)
    y_abs, _, grads_abs = both(x.abs(), weight.abs(), b.abs() if bias else None, dy.abs(), True)
    config = [coords, channels, out, kernel, stride, dilation, int(same),
              *(pads if not same else (0, 0)), groups, int(not bias)]
    save(case, config, largest(y_abs, *grads_abs),
         [x.permute(0, 2, 1), weight, b if bias else torch.zeros(0), y.permute(0, 2, 1),
          dy.permute(0, 2, 1), grads[0].permute(0, 2, 1), grads[1], grads[2]])


def conv1d_cases():
    conv1d_case("conv1d-plain")
    conv1d_case("conv1d-all", shape=(2, 4, 17), out=6, kernel=4, stride=2, dilation=3, pads=(2, 5),
                groups=2)
    conv1d_case("conv1d-same", kernel=4, stride=3, same=True, bias=False)
    conv1d_case("coordconv1d-x", coords=AXIS_X, pads=(1, 1))
    conv1d_case("coordconv1d-pixel", coords=AXIS_X | PIXEL, shape=(3, 2, 9), kernel=5, stride=2)
    conv1d_case("coordconv1d-radius", coords=AXIS_X | RADIUS, kernel=3, dilation=2, same=True)
    conv1d_case("coordconv1d-1x1", coords=AXIS_X, kernel=1, out=9)
    conv1d_case("coordconv1d-one", coords=AXIS_X | RADIUS, shape=(2, 3, 1), pads=(1, 1))


def conv3d_case(case, shape=(2, 3, 4, 5, 6), out=4, kernel=(3, 3, 3), stride=(1, 1, 1),
                dilation=(1, 1, 1), pads=(0, 0, 0, 0, 0, 0), same=False, groups=1, bias=True,
                coords=0):
    """Arrays as of conv_case; x [N, D, H, W, C]. Coordinates: x, y, z, radius."""
    seed(case)
    n, channels, extents = shape[0], shape[1], shape[2:]
    z, y, x = torch.meshgrid(
        *[torch.arange(e).double() if coords & PIXEL else
          torch.linspace(-1, 1, e, dtype=torch.float64) if e > 1 else
          torch.zeros(1, dtype=torch.float64) for e in extents], indexing="ij")
    wanted = [c for flag, c in ((XY | AXIS_X, x), (XY, y), (AXIS_Z, z),
                                (RADIUS, (x * x + y * y + z * z).sqrt())) if coords & flag]
    ends = ([same_pads(e, k, s, d) for e, k, s, d in zip(extents, kernel, stride, dilation)]
            if same else list(zip(pads[:3], pads[3:])))
    explicit = [p for pair_of_ends in reversed(ends) for p in pair_of_ends]

    def both(x, weight, b, dy, absolute):
        leaves = [t.clone().requires_grad_() for t in (x, weight, b) if t is not None]
        all_x = leaves[0]
        for c in wanted:
            c = (c.abs() if absolute else c).expand(n, 1, *extents)
            all_x = torch.cat([all_x, c], 1)
        y = F.conv3d(F.pad(all_x, explicit), leaves[1], leaves[2] if bias else None, stride, 0,
                     dilation, groups)
        dy = draw(*y.shape) if dy is None else dy
        grads = list(torch.autograd.grad(y, leaves, dy))
        return y, dy, grads + ([] if bias else [torch.zeros(0)])

    def ndhwc(t):
        return t.permute(0, 2, 3, 4, 1)

    x = draw(*shape)
    weight = draw(out, channels // groups + len(wanted), *kernel)
    b = draw(out) if bias else None
    y, dy, grads = both(x, weight, b, None, False)
    y_abs, _, grads_abs = both(x.abs(), weight.abs(), b.abs() if bias else None, dy.abs(), True)
    config = [coords, channels, out, *kernel, *stride, *dilation, int(same), *pads, groups,
              int(not bias)]
    save(case, config, largest(y_abs, *grads_abs),
         [ndhwc(x), weight, b if bias else torch.zeros(0), ndhwc(y), ndhwc(dy), ndhwc(grads[0]),
          grads[1], grads[2]])


def conv3d_cases():
    conv3d_case("conv3d-plain")
    conv3d_case("conv3d-all", shape=(1, 4, 7, 6, 8), out=6, kernel=(2, 3, 1), stride=(2, 1, 3),
                dilation=(3, 1, 2), pads=(1, 0, 2, 4, 3, 0), groups=2)
    conv3d_case("conv3d-same", kernel=(4, 3, 2), stride=(3, 2, 1), same=True, bias=False)
    conv3d_case("conv3d-1x1", kernel=(1, 1, 1), out=9)
    conv3d_case("conv3d-depthwise", shape=(1, 5, 4, 4, 5), out=5, groups=5, pads=(1,) * 6)
    conv3d_case("coordconv3d-xyz", coords=XY | AXIS_Z, pads=(1,) * 6)
    conv3d_case("coordconv3d-xyzr", coords=XY | AXIS_Z | RADIUS, shape=(2, 2, 5, 4, 3), same=True,
                stride=(2, 1, 2))
    conv3d_case("coordconv3d-pixel", coords=XY | AXIS_Z | RADIUS | PIXEL, shape=(1, 2, 3, 4, 5),
                kernel=(2, 2, 2), bias=False)
    conv3d_case("coordconv3d-radius", coords=RADIUS, shape=(2, 1, 1, 5, 4), pads=(2, 1, 1, 2, 1, 1))
    conv3d_case("coordconv3d-xz", coords=AXIS_X | AXIS_Z, kernel=(1, 1, 1), shape=(3, 2, 3, 4, 2))


def conv_cases():
    conv_case("conv2d-plain")
    conv_case("conv2d-wide", shape=(1, 4, 3, 6), out=40, kernel=(2, 3))
    conv_case("conv2d-narrow", shape=(1, 17, 4, 5), out=1)
    conv_case("conv2d-1x1", shape=(1, 5, 4, 6), out=7, kernel=1)
    conv_case("conv2d-1x1-stride", shape=(2, 5, 5, 7), out=3, kernel=1, stride=2)
    conv_case("conv2d-stride", stride=(2, 3), pads=(1, 1, 1, 1), shape=(2, 2, 7, 8))
    conv_case("conv2d-dilation", dilation=(2, 3), pads=(2, 3, 2, 3))
    conv_case("conv2d-groups", shape=(1, 6, 4, 5), out=4, groups=2, pads=(1, 1, 1, 1))
    conv_case("conv2d-depthwise", shape=(1, 6, 4, 5), out=12, groups=6, pads=(1, 1, 1, 1))
    conv_case("conv2d-asymmetric", kernel=(3, 4), pads=(0, 2, 1, 3))
    conv_case("conv2d-wide-pads", kernel=2, pads=(3, 4, 2, 3), shape=(1, 2, 3, 2))
    conv_case("conv2d-same-even", kernel=(2, 4), same=True)
    conv_case("conv2d-same-stride", kernel=(4, 3), stride=2, same=True, shape=(1, 3, 7, 6))
    conv_case("conv2d-same-small-kernel", kernel=1, stride=3, same=True, shape=(2, 3, 7, 8))
    conv_case("conv2d-no-bias", bias=False, pads=(1, 1, 1, 1))
    conv_case("conv2d-all", shape=(2, 4, 7, 6), out=4, kernel=(3, 2), stride=(2, 1),
              dilation=(1, 2), pads=(2, 0, 1, 3), groups=2)
    conv_case("transpose-plain", transposed=True, shape=(2, 2, 3, 4))
    conv_case("transpose-stride-2", transposed=True, stride=2, kernel=4, pads=(1, 1, 1, 1),
              shape=(2, 2, 3, 4))
    conv_case("transpose-stride-3", transposed=True, stride=3, output_padding=(2, 1), out=2,
              pads=(1, 0, 1, 0), shape=(2, 2, 3, 4))
    conv_case("transpose-dilation", transposed=True, dilation=2, stride=2, output_padding=1, out=2,
              shape=(2, 2, 3, 4))
    conv_case("transpose-groups", transposed=True, groups=2, stride=2, kernel=2,
              shape=(2, 4, 3, 4), out=6)
    conv_case("transpose-depthwise", transposed=True, groups=4, stride=2, shape=(1, 4, 3, 4), out=4)
    conv_case("transpose-wide", transposed=True, stride=2, shape=(1, 4, 2, 3), out=33, kernel=2)
    conv_case("transpose-asymmetric", transposed=True, stride=2, kernel=(3, 4), pads=(0, 2, 1, 1),
              output_padding=(1, 0), shape=(1, 2, 3, 4))
    conv_case("transpose-same", transposed=True, stride=2, kernel=(3, 4), same=True,
              shape=(2, 2, 3, 4))
    conv_case("transpose-same-small-kernel", transposed=True, stride=(3, 2), kernel=1, same=True,
              shape=(1, 2, 3, 4))
    conv_case("transpose-no-bias", transposed=True, stride=2, bias=False, shape=(1, 2, 3, 4))
    conv_case("coordconv-xy", coords=XY, pads=(1, 1, 1, 1))
    conv_case("coordconv-xyr", coords=XY | RADIUS, pads=(1, 1, 1, 1))
    conv_case("coordconv-radius", coords=RADIUS, same=True)
    conv_case("coordconv-pixel", coords=XY | RADIUS | PIXEL, pads=(1, 0, 2, 1))
    conv_case("coordconv-1x1", coords=XY | RADIUS, kernel=1, shape=(2, 1, 5, 4), out=8)
    conv_case("coordconv-stride", coords=XY, stride=2, pads=(1, 1, 1, 1), shape=(2, 2, 5, 8))
    conv_case("coordconv-dilation", coords=XY | RADIUS, dilation=2, pads=(0, 3, 2, 1), kernel=(3, 2))
    conv_case("coordconv-wide", coords=XY | RADIUS, shape=(1, 2, 4, 3), out=33, kernel=(3, 2), same=True)
    conv_case("coordconv-one-row", coords=XY | RADIUS, shape=(2, 2, 1, 6), pads=(1, 1, 1, 1))
    conv_case("coordconv-transpose", coords=XY, transposed=True, stride=2, kernel=3,
              pads=(1, 1, 1, 1), output_padding=1, shape=(1, 2, 3, 4))
    conv_case("coordconv-transpose-same", coords=XY | RADIUS, transposed=True, stride=2, kernel=2,
              same=True, shape=(2, 2, 3, 4))


# ---- linear, batch norm -----------------------------------------------------


def linear_case(case, shape, out, bias):
    """Arrays: x weight bias y dy dx dweight dbias."""
    seed(case)
    x, weight, b = draw(*shape), draw(out, shape[-1]), draw(out) if bias else None
    dy = draw(*shape[:-1], out)

    def both(x, weight, b, dy):
        leaves = [t.clone().requires_grad_() for t in (x, weight, b) if t is not None]
        y = F.linear(*leaves)
        return [y] + list(torch.autograd.grad(y, leaves, dy)) + ([] if bias else [torch.zeros(0)])

    y, *grads = both(x, weight, b, dy)
    bounds = both(x.abs(), weight.abs(), b.abs() if bias else None, dy.abs())
    save(case, [shape[-1], out, int(not bias)], largest(*bounds),
         [x, weight, b if bias else torch.zeros(0), y, dy, *grads])


def batch_norm_case(case, shape, epsilon, momentum, scale=1.0, offset=0.0):
    """Arrays: epsilon_momentum x weight bias mean var y dy dx dweight dbias new_mean new_var
    inference."""
    seed(case)
    x = (draw(*shape) * scale + offset).float().double().requires_grad_()
    weight, b = draw(shape[1]).requires_grad_(), draw(shape[1]).requires_grad_()
    mean, var = draw(shape[1]), draw(shape[1]).abs()
    new_mean, new_var = mean.clone(), var.clone()
    y = F.batch_norm(x, new_mean, new_var, weight, b, True, momentum, epsilon)
    dy = draw(*shape)
    grads = torch.autograd.grad(y, (x, weight, b), dy)
    inference = F.batch_norm(x, mean, var, weight, b, False, momentum, epsilon)
    checked = [y, *grads, new_mean, new_var, inference]
    save(case, [shape[1]], largest(*checked),
         [np.array([epsilon, momentum]), nhwc(x), weight, b, mean, var, nhwc(y), nhwc(dy),
          nhwc(grads[0]), grads[1], grads[2], new_mean, new_var, nhwc(inference)])


def group_norm_case(case, shape, groups, epsilon, offset=0.0):
    """config: channels groups. Arrays: epsilon x weight bias y dy dx dweight dbias."""
    seed(case)
    x = (draw(*shape) + offset).float().double().requires_grad_()
    weight, b = draw(shape[1]).requires_grad_(), draw(shape[1]).requires_grad_()
    y = F.group_norm(x, groups, weight, b, epsilon)
    dy = draw(*shape)
    grads = torch.autograd.grad(y, (x, weight, b), dy)
    save(case, [shape[1], groups], largest(y, *grads),
         [np.array([epsilon]), nhwc(x), weight, b, nhwc(y), nhwc(dy), nhwc(grads[0]), grads[1],
          grads[2]])


def layer_cases():
    linear_case("linear-plain", (3, 7), 5, True)
    linear_case("linear-no-bias", (3, 10), 33, False)
    linear_case("linear-4d", (2, 3, 2, 6), 4, True)
    batch_norm_case("batch-norm-image", (2, 3, 4, 5), 1e-5, 0.1)
    batch_norm_case("batch-norm-vector", (9, 4), 1e-3, 0.25)
    batch_norm_case("batch-norm-offset", (2, 3, 3, 5), 1e-5, 1.0, 0.5, 4.0)
    group_norm_case("group-norm-image", (2, 6, 4, 5), 3, 1e-5)
    group_norm_case("group-norm-layer", (3, 4, 3, 3), 1, 1e-3, 2.0)
    group_norm_case("group-norm-instance", (2, 3, 5, 4), 3, 1e-5)
    group_norm_case("group-norm-vector", (4, 8), 2, 1e-5)


# ---- losses -----------------------------------------------------------------


def loss_case(case, kind, shape):
    """config: kind. kind 0 mse, 1 softmax by index, 2 softmax by distribution, 3 sigmoid, 4 the
    divergence of normal distributions by their means, 5 by their log-variances.
    Arrays: x target loss dx."""
    seed(case)
    x = (2 * draw(*shape)).requires_grad_()  # already NHWC: no loss here knows of layout
    n = shape[0]
    if kind == 0:
        target = draw(*shape)
        loss = F.mse_loss(x, target)
    elif kind == 1:
        target = torch.randint(0, x.numel() // n, (n,))
        loss = F.cross_entropy(x.reshape(n, -1), target)
    elif kind == 2:
        target = torch.softmax(draw(n, x.numel() // n), 1).float().double()
        loss = F.cross_entropy(x.reshape(n, -1), target)
        target = target.reshape(shape)
    elif kind == 3:
        target = torch.rand(*shape).double()
        loss = F.binary_cross_entropy_with_logits(x, target)
    else:
        target = draw(*shape)
        mean, log_variance = (x, target) if kind == 4 else (target, x)
        loss = torch.distributions.kl_divergence(
            torch.distributions.Normal(mean, (log_variance / 2).exp()),
            torch.distributions.Normal(0.0, 1.0)).sum() / n
    grad, = torch.autograd.grad(loss, x)
    save(case, [kind], largest(loss, grad), [x, target, loss, grad])


MSE, L1, SMOOTH_L1, ROBUST_L1, SIGMOID, SOFTMAX = 1, 2, 3, 4, 5, 6  # COORDCONV_LOSS_*


def described_loss_case(case, kind, shape, beta=0.0, total=False, weighted=True, ignore=False,
                        labels=False):
    """config: kind reduction weighted ignore. Arrays: x target loss dx weight beta."""
    seed(case)
    x = (1.5 * draw(*shape)).requires_grad_()
    n, flat = shape[0], x.reshape(shape[0], -1)
    target = draw(*shape) if kind <= ROBUST_L1 else torch.rand(*shape).double()
    weight = torch.rand(*(shape if kind != SOFTMAX else (n,))).double()
    weight[0] = 0.0
    if not weighted:
        weight = torch.ones_like(weight)
    if kind == MSE:
        terms = F.mse_loss(x, target, reduction="none")
    elif kind == L1:
        terms = F.l1_loss(x, target, reduction="none")
    elif kind == SMOOTH_L1:
        terms = F.smooth_l1_loss(x, target, reduction="none", beta=beta)
    elif kind == ROBUST_L1:
        d = (x - target).abs()
        terms = torch.where(d < beta, d * d / beta, d)
    elif kind == SIGMOID:
        terms = F.binary_cross_entropy_with_logits(x, target, reduction="none")
    elif labels:
        target = torch.randint(0, flat.shape[1], (n,))
        target[1] = -1 if ignore else target[1]
        terms = F.cross_entropy(flat, target, reduction="none", ignore_index=-1)
    else:
        target = torch.softmax(target.reshape(n, -1), 1).float().double().reshape(shape)
        terms = F.cross_entropy(flat, target.reshape(n, -1), reduction="none")
    counted = torch.where(target < 0, 0.0, weight) if ignore else weight
    loss = (counted * terms).sum() / (1.0 if total else counted.sum())
    grad, = torch.autograd.grad(loss, x)
    save(case, [kind, int(total), int(weighted), int(ignore)], largest(loss, grad),
         [x, target, loss, grad, weight, np.array([beta])])


def described_loss_cases():
    described_loss_case("loss-mse-weighted", MSE, (2, 3, 5, 2))
    described_loss_case("loss-l1", L1, (4, 7), weighted=False)
    described_loss_case("loss-smooth-l1", SMOOTH_L1, (5, 6), beta=1.0, weighted=False)
    described_loss_case("loss-smooth-l1-beta", SMOOTH_L1, (2, 3, 5, 2), beta=0.3)
    described_loss_case("loss-robust-l1", ROBUST_L1, (5, 6), beta=1.0, weighted=False, total=True)
    described_loss_case("loss-robust-l1-beta", ROBUST_L1, (5, 6), beta=2.5)
    described_loss_case("loss-sigmoid-weighted", SIGMOID, (6, 7))
    described_loss_case("loss-sigmoid-sum", SIGMOID, (2, 3, 5, 2), total=True)
    described_loss_case("loss-softmax-labels", SOFTMAX, (5, 7), labels=True)
    described_loss_case("loss-softmax-ignore", SOFTMAX, (5, 7), labels=True, ignore=True,
                        weighted=False)
    described_loss_case("loss-softmax-both", SOFTMAX, (4, 2, 3, 1), labels=True, ignore=True,
                        total=True)
    described_loss_case("loss-softmax-distribution", SOFTMAX, (4, 2, 3, 1))


def loss_cases():
    loss_case("mse-vector", 0, (4, 3))
    loss_case("mse-image", 0, (2, 3, 5, 2))
    loss_case("softmax-index-vector", 1, (5, 7))
    loss_case("softmax-index-map", 1, (3, 4, 6, 1))
    loss_case("softmax-distribution", 2, (3, 4, 6, 1))
    loss_case("sigmoid-vector", 3, (4, 3))
    loss_case("sigmoid-image", 3, (2, 3, 5, 2))
    loss_case("gaussian-kl-mean", 4, (4, 3))
    loss_case("gaussian-kl-variance", 5, (2, 3, 5, 2))


# ---- pooling and elementwise ------------------------------------------------


def pool_case(case, kind, shape, kernel, stride, pads=(0, 0, 0, 0), same=False, count_padding=False):
    """config: kind kernel stride same pads count_padding. kind 0 max, 1 average.
    Arrays: x y dy dx."""
    seed(case)
    kernel, stride = pair(kernel), pair(stride)
    x = draw(*shape).requires_grad_()
    explicit = pads
    if same:
        (top, bottom), (left, right) = (
            same_pads(shape[2 + i], kernel[i], stride[i], 1) for i in (0, 1))
        explicit = (top, left, bottom, right)
    top, left, bottom, right = explicit
    edges = (left, right, top, bottom)
    if kind == 0:
        y = F.max_pool2d(F.pad(x, edges, value=-torch.inf), kernel, stride)
    else:
        y = F.avg_pool2d(F.pad(x, edges), kernel, stride, 0, False, True)
        if not count_padding:  # divide by the pixels inside instead
            inside = F.avg_pool2d(F.pad(torch.ones_like(x), edges), kernel, stride)
            y = y / inside
    dy = draw(*y.shape)
    grad, = torch.autograd.grad(y, x, dy)
    if (top, left) == (bottom, right) and not same:  # PyTorch's own padding
        own = (F.max_pool2d(x, kernel, stride, (top, left)) if kind == 0 else
               F.avg_pool2d(x, kernel, stride, (top, left), False, count_padding))
        assert torch.allclose(own, y)
    config = [kind, *kernel, *stride, int(same), *(pads if not same else (0, 0, 0, 0)),
              int(count_padding)]
    save(case, config, largest(y, grad), [nhwc(x), nhwc(y), nhwc(dy), nhwc(grad)])


def upsample_case(case, shape, factor, mode, align_corners=False):
    """config: factors mode align_corners. Arrays: x y dy dx."""
    seed(case)
    x = draw(*shape).requires_grad_()
    y = F.interpolate(x, scale_factor=factor, mode=mode,
                      **({"align_corners": align_corners} if mode == "bilinear" else {}))
    dy = draw(*y.shape)
    grad, = torch.autograd.grad(y, x, dy)
    save(case, [*factor, int(mode == "bilinear"), int(align_corners)], largest(y, grad),
         [nhwc(x), nhwc(y), nhwc(dy), nhwc(grad)])


def op_case(case, kind, shape, function):
    """config: kind. Arrays: x y dy dx; shapes as in the library."""
    seed(case)
    x = draw(*shape).requires_grad_()
    y = function(x)
    dy = draw(*y.shape)
    grad, = torch.autograd.grad(y, x, dy)
    save(case, [kind], largest(y, grad), [x, y, dy, grad])


def op_cases():
    pool_case("max-pool", 0, (2, 2, 4, 6), 2, 2)
    pool_case("max-pool-overlap", 0, (1, 3, 7, 6), (3, 2), (2, 1), (1, 1, 1, 1))
    pool_case("max-pool-asymmetric", 0, (2, 3, 5, 6), 3, 2, (0, 1, 2, 0))
    pool_case("max-pool-same", 0, (2, 3, 5, 7), 2, 2, same=True)
    pool_case("avg-pool", 1, (2, 2, 4, 6), 2, 2)
    pool_case("avg-pool-inside", 1, (1, 3, 7, 6), 3, 2, (1, 1, 1, 1))
    pool_case("avg-pool-whole", 1, (1, 3, 7, 6), 3, 2, (1, 1, 1, 1), count_padding=True)
    pool_case("avg-pool-same", 1, (2, 3, 5, 7), (2, 3), 2, same=True)
    upsample_case("upsample-nearest", (2, 3, 4, 5), (2, 3), "nearest")
    upsample_case("upsample-bilinear", (2, 3, 4, 5), (2, 2), "bilinear")
    upsample_case("upsample-bilinear-3x1", (1, 2, 3, 4), (3, 1), "bilinear")
    upsample_case("upsample-corners", (2, 3, 4, 5), (3, 2), "bilinear", True)
    upsample_case("upsample-one-row", (1, 2, 1, 3), (4, 2), "bilinear", True)
    op_case("relu", 0, (2, 3, 5), torch.relu)
    op_case("leaky-relu", 1, (2, 3, 5), lambda x: F.leaky_relu(x, 0.125))
    op_case("sigmoid", 2, (3, 7), torch.sigmoid)
    op_case("tanh", 3, (3, 7), torch.tanh)
    op_case("softmax-last", 4, (2, 3, 4, 5), lambda x: torch.softmax(x, 3))
    op_case("softmax-space", 5, (2, 3, 4, 5),
            lambda x: torch.softmax(x.reshape(2, 12, 5), 1).reshape(2, 3, 4, 5))
    op_case("global-max", 6, (2, 3, 4, 5), lambda x: x.amax((1, 2)))
    op_case("global-avg", 7, (2, 3, 4, 5), lambda x: x.mean((1, 2)))
    op_case("global-sum", 8, (2, 3, 4, 5), lambda x: x.sum((1, 2)))
    op_case("exp", 9, (3, 7), torch.exp)


# ---- optimizers -------------------------------------------------------------

STEPS = 3


def flat(parameters):
    return torch.cat([p.detach().reshape(-1) for p in parameters])


def clip(parameters, norm):
    total = torch.sqrt(sum((p.grad * p.grad).sum() for p in parameters))
    for p in parameters:
        p.grad.mul_(min(1.0, norm / float(total)))


def optimizer_case(case, kind, make, numbers, flags=(0, 0), clip_norm=0.0, kernels_only=False):
    """A conv, ReLU, linear net with softmax cross-entropy.
    config: kind nesterov decoupled kernels_only.
    Arrays: numbers (rate momentum dampening beta1 beta2 epsilon decay clip) x target parameters,
    then of each step the loss before it [STEPS] and the parameters after it [STEPS, P]. Parameters
    are one vector: conv.weight conv.bias linear.weight linear.bias."""
    # Adam divides a gradient by its own size: where it is tiny, rounding decides. A draw is
    # taken in which no gradient is both.
    for attempt in range(1000):
        torch.manual_seed(attempt)
        x, target = draw(4, 2, 3, 4), torch.randint(0, 4, (4,))
        parameters = [t.float().double().requires_grad_() for t in
                      (draw(2, 2, 3, 3) * 0.3, draw(2) * 0.1, draw(4, 24) * 0.2, draw(4) * 0.1)]
        first = flat(parameters)
        optimizer = make(parameters[::2], parameters[1::2])
        losses, trace, tiny = [], [], False
        for _ in range(STEPS):
            optimizer.zero_grad()
            h = torch.relu(F.conv2d(x, parameters[0], parameters[1], padding=1))
            loss = F.cross_entropy(F.linear(nhwc(h).reshape(4, -1), *parameters[2:]), target)
            loss.backward()
            tiny |= any(bool(((p.grad != 0) & (p.grad.abs() < 1e-4)).any()) for p in parameters)
            if clip_norm:
                clip(parameters, clip_norm)
            optimizer.step()
            losses += [loss.detach()]
            trace += [flat(parameters)]
        if not tiny:
            break
    else:
        raise SystemExit(case + ": no draw without tiny gradients")
    losses, trace = torch.stack(losses), torch.stack(trace)
    save(case, [kind, *flags, int(kernels_only)], largest(losses, trace),
         [np.array([*numbers, clip_norm]), nhwc(x), target, first, losses, trace])


def optimizer_cases():
    sgd, adam, adamw = 1, 2, 3

    def sgd_case(case, rate, momentum=0.0, dampening=0.0, nesterov=False, decay=0.0, **rest):
        optimizer_case(case, sgd,
                       lambda w, b: torch.optim.SGD(
                           [{"params": w}, {"params": b, "weight_decay":
                                            0.0 if rest.get("kernels_only") else decay}], rate,
                           momentum, dampening, decay, nesterov),
                       [rate, momentum, dampening, 0, 0, 0, decay], (int(nesterov), 0), **rest)

    def adam_case(case, kind, rate, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.0, **rest):
        cls = torch.optim.Adam if kind == adam else torch.optim.AdamW
        optimizer_case(case, kind,
                       lambda w, b: cls([{"params": w}, {"params": b}], rate, (beta1, beta2),
                                        epsilon, decay),
                       [rate, 0, 0, beta1, beta2, epsilon, decay], (0, 0), **rest)

    sgd_case("sgd-plain", 0.1)
    sgd_case("sgd-momentum", 0.1, momentum=0.9)
    sgd_case("sgd-dampening", 0.1, momentum=0.9, dampening=0.5)
    sgd_case("sgd-nesterov", 0.1, momentum=0.9, nesterov=True)
    sgd_case("sgd-decay", 0.1, momentum=0.9, decay=0.02)
    sgd_case("sgd-decay-kernels", 0.1, momentum=0.9, decay=0.02, kernels_only=True)
    sgd_case("sgd-clip", 0.1, clip_norm=0.25)
    adam_case("adam-plain", adam, 0.01)
    adam_case("adam-coefficients", adam, 0.02, 0.8, 0.99, 1e-4)
    adam_case("adam-decay", adam, 0.01, decay=0.05)
    adam_case("adamw-plain", adamw, 0.01, decay=0.1)


def main():
    torch.set_num_threads(1)
    conv_cases()
    conv1d_cases()
    conv3d_cases()
    layer_cases()
    loss_cases()
    described_loss_cases()
    op_cases()
    optimizer_cases()


if __name__ == "__main__":
    main()
