# SPDX-License-Identifier: BSD-2-Clause
"""consumer.c again, in Python, through ctypes alone. usage: consumer_ctypes.py LIBRARY"""
import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_uint32, c_void_p

HEIGHT, WIDTH, STEPS = 3, 4, 60
F32, SGD, TRAINING, INIT_ZEROS, COORDS_XY = 1, 1, 1, 1, 1

lib = ctypes.CDLL(sys.argv[1])


class Conv2dDesc(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("coords", c_uint32), ("in_channels", c_int32),
                ("out_channels", c_int32), ("kernel", c_int32 * 2), ("stride", c_int32 * 2),
                ("dilation", c_int32 * 2), ("padding", c_int32), ("pads", c_int32 * 4),
                ("groups", c_int32), ("no_bias", c_int32), ("init", c_int32),
                ("init_value", c_double)]


class PlanDesc(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("mode", c_int32), ("batch", c_int64),
                ("inputs", c_void_p), ("input_count", c_int32), ("input_gradients", c_int32),
                ("loss", c_char_p), ("arena", c_void_p), ("arena_bytes", ctypes.c_size_t)]


class OptimizerDesc(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("kind", c_int32), ("learning_rate", c_double),
                ("momentum", c_double), ("dampening", c_double), ("beta1", c_double),
                ("beta2", c_double), ("epsilon", c_double), ("weight_decay", c_double),
                ("clip_norm", c_double), ("nesterov", c_int32), ("decay", c_int32),
                ("decoupled", c_int32), ("layer_count", c_int32), ("layers", c_void_p)]


def declare(name, result, *arguments):
    function = getattr(lib, "coordconv_" + name)
    function.restype = result
    function.argtypes = arguments
    return function


def checked(status, function, arguments):
    if status != 0:
        raise RuntimeError(last_error().decode())
    return status


def fallible(name, *arguments):
    function = declare(name, c_int32, *arguments)
    function.errcheck = checked
    return function


last_error = declare("last_error", c_char_p)
out = POINTER(c_void_p)
shape_type = POINTER(c_int64)
version = declare("version", c_uint32)
coords_fill = fallible("coords_fill", c_uint32, c_int64, c_int64, POINTER(c_float), c_int64,
                       c_int64, c_int64)
context_new = fallible("context_new", c_void_p, out)
conv2d_new = fallible("conv2d_new", c_void_p, POINTER(Conv2dDesc), out)
model_new = fallible("model_new", c_void_p, out)
model_input = declare("model_input", c_int32, c_void_p, c_char_p, c_int32, c_int32, shape_type)
model_apply = declare("model_apply", c_int32, c_void_p, c_void_p, c_int32)
model_mse = declare("model_mse", c_int32, c_void_p, c_int32, c_int32)
model_output = declare("model_output", None, c_void_p, c_char_p, c_int32)
plan_new = fallible("plan_new", c_void_p, POINTER(PlanDesc), out)
plan_bind = fallible("plan_bind", c_void_p, c_char_p, c_void_p)
plan_run = fallible("plan_run", c_void_p)
plan_output = fallible("plan_output", c_void_p, c_char_p, out)
tensor_wrap = fallible("tensor_wrap", c_void_p, c_int32, c_int32, shape_type, shape_type,
                       c_void_p, c_void_p, c_void_p, out)
tensor_data = declare("tensor_data", POINTER(c_float), c_void_p)
optimizer_new = fallible("optimizer_new", c_void_p, POINTER(OptimizerDesc), out)
optimizer_step = fallible("optimizer_step", c_void_p)
layer_parameter = fallible("layer_parameter", c_void_p, c_char_p, out)
unref = {kind: declare(kind + "_unref", None, c_void_p)
         for kind in ("context", "layer", "model", "plan", "optimizer", "tensor")}


def made(new, *arguments):
    """The handle a _new function hands out through its last argument."""
    handle = c_void_p()
    new(*arguments, byref(handle))
    return handle


def main():
    context = made(context_new, None)
    conv = made(conv2d_new, context, byref(Conv2dDesc(
        struct_size=ctypes.sizeof(Conv2dDesc), coords=COORDS_XY, in_channels=1, out_channels=1,
        kernel=(1, 1), init=INIT_ZEROS)))
    model = made(model_new, context)
    open_shape = (c_int64 * 4)(-1, HEIGHT, WIDTH, 1)
    x = model_input(model, b"image", F32, 4, open_shape)
    t = model_input(model, b"target", F32, 4, open_shape)
    model_output(model, b"loss", model_mse(model, model_apply(model, conv, x), t))
    plan = made(plan_new, model, byref(PlanDesc(
        struct_size=ctypes.sizeof(PlanDesc), mode=TRAINING)))

    pixels = (c_float * (HEIGHT * WIDTH))()
    channels = (c_float * (2 * HEIGHT * WIDTH))()
    coords_fill(COORDS_XY, HEIGHT, WIDTH, channels, HEIGHT * WIDTH, WIDTH, 1)
    shape = (c_int64 * 4)(1, HEIGHT, WIDTH, 1)
    image = made(tensor_wrap, context, F32, 4, shape, None, pixels, None, None)
    target = made(tensor_wrap, context, F32, 4, shape, None, channels, None, None)
    plan_bind(plan, b"image", image)
    plan_bind(plan, b"target", target)
    optimizer = made(optimizer_new, plan, byref(OptimizerDesc(
        struct_size=ctypes.sizeof(OptimizerDesc), kind=SGD, learning_rate=0.5)))

    losses = []
    for _ in range(STEPS):
        plan_run(plan)
        loss = made(plan_output, plan, b"loss")
        losses.append(tensor_data(loss)[0])
        unref["tensor"](loss)
        optimizer_step(optimizer)
    weight = made(layer_parameter, conv, b"weight")
    w = tensor_data(weight)
    print("coordconv %d.%d: loss %.3f to %.3f, x %.3f, y %.3f" % (
        version() >> 16, version() >> 8 & 255, losses[0], losses[-1], w[1], w[2]))
    for kind, handle in (("tensor", weight), ("tensor", image), ("tensor", target),
                         ("optimizer", optimizer), ("plan", plan), ("model", model),
                         ("layer", conv), ("context", context)):
        unref[kind](handle)


main()
