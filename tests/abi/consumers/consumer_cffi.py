# SPDX-License-Identifier: BSD-2-Clause
"""consumer.c again, in Python, through cffi and the installed declarations.

usage: consumer_cffi.py LIBRARY DECLARATIONS
"""
import sys

import cffi
import numpy

HEIGHT, WIDTH, STEPS = 3, 4, 60

ffi = cffi.FFI()
with open(sys.argv[2], encoding="utf-8") as declarations:
    ffi.cdef(declarations.read())
lib = ffi.dlopen(sys.argv[1])


def check(status):
    if status != lib.COORDCONV_OK:
        raise RuntimeError(ffi.string(lib.coordconv_last_error()).decode())


def made(kind, new, *arguments):
    """The handle a _new function hands out, dropped when Python forgets it."""
    out = ffi.new("coordconv_%s **" % kind)
    check(new(*arguments, out))
    return ffi.gc(out[0], getattr(lib, "coordconv_%s_unref" % kind))


def described(what, **fields):
    """A zeroed descriptor with struct_size and the fields set."""
    desc = ffi.new("coordconv_%s_desc *" % what, fields)
    desc.struct_size = ffi.sizeof(desc[0])
    return desc


def wrapped(context, array):
    shape = ffi.new("int64_t[]", array.shape)
    return made("tensor", lib.coordconv_tensor_wrap, context, lib.COORDCONV_F32, array.ndim, shape,
                ffi.NULL, ffi.cast("void *", array.ctypes.data), ffi.NULL, ffi.NULL)


def main():
    context = made("context", lib.coordconv_context_new, ffi.NULL)
    conv = made("layer", lib.coordconv_conv2d_new, context, described(
        "conv2d", coords=lib.COORDCONV_COORDS_XY, in_channels=1, out_channels=1, kernel=[1, 1],
        init=lib.COORDCONV_INIT_ZEROS))
    model = made("model", lib.coordconv_model_new, context)
    open_shape = ffi.new("int64_t[]", [-1, HEIGHT, WIDTH, 1])
    x = lib.coordconv_model_input(model, b"image", lib.COORDCONV_F32, 4, open_shape)
    t = lib.coordconv_model_input(model, b"target", lib.COORDCONV_F32, 4, open_shape)
    y = lib.coordconv_model_apply(model, conv, x)
    lib.coordconv_model_output(model, b"loss", lib.coordconv_model_mse(model, y, t))
    plan = made("plan", lib.coordconv_plan_new, model,
                described("plan", mode=lib.COORDCONV_TRAINING))

    pixels = numpy.zeros((1, HEIGHT, WIDTH, 1), numpy.float32)
    columns = numpy.linspace(-1, 1, WIDTH, dtype=numpy.float32)
    goal = numpy.broadcast_to(columns[:, None], pixels.shape).copy()
    image, target = wrapped(context, pixels), wrapped(context, goal)
    check(lib.coordconv_plan_bind(plan, b"image", image))
    check(lib.coordconv_plan_bind(plan, b"target", target))
    optimizer = made("optimizer", lib.coordconv_optimizer_new, plan,
                     described("optimizer", kind=lib.COORDCONV_SGD, learning_rate=0.5))

    losses = []
    for _ in range(STEPS):
        check(lib.coordconv_plan_run(plan))
        loss = made("tensor", lib.coordconv_plan_output, plan, b"loss")
        losses.append(ffi.cast("float *", lib.coordconv_tensor_data(loss))[0])
        check(lib.coordconv_optimizer_step(optimizer))
    weight = made("tensor", lib.coordconv_layer_parameter, conv, b"weight")
    w = ffi.cast("float *", lib.coordconv_tensor_data(weight))
    version = lib.coordconv_version()
    print("coordconv %d.%d: loss %.3f to %.3f, x %.3f, y %.3f" % (
        version >> 16, version >> 8 & 255, losses[0], losses[-1], w[1], w[2]))


main()
