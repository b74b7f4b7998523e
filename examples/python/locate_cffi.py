#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Learn where the lit pixel of an image is, through cffi and NumPy alone.

Arrays and tensors share memory: batches are written into arrays that tensors are wrapped around,
and what the net answers is read as an array through DLPack. The task is in locate_task.py.

usage: locate_cffi.py [LIBRARY] [--seed N] [--epochs N] [--quick]
Declarations: $COORDCONV_CDEF, or the installed coordconv.cdef.h.
"""
import ctypes
import os
import subprocess

import cffi
import numpy

import locate_task as task

cdef = os.environ.get("COORDCONV_CDEF") or subprocess.check_output(
    ["pkg-config", "--variable=cdef", "coordconv"], text=True).strip()
ffi = cffi.FFI()
with open(cdef, encoding="utf-8") as declarations:
    ffi.cdef(declarations.read())
lib = ffi.dlopen(task.options.library)

# A DLPack struct travels in a capsule; its consumer renames it, and one not renamed is deleted.
# Capsules are made through ctypes.pythonapi: cffi lets go of the interpreter's lock around a call.
CAPSULE = b"dltensor"
api = ctypes.pythonapi
DELETE = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
api.PyCapsule_New.restype = ctypes.py_object
api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, DELETE]
api.PyCapsule_IsValid.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
api.PyCapsule_GetPointer.restype = ctypes.c_void_p
api.PyCapsule_GetPointer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]


@DELETE
def delete_unused(capsule):
    if api.PyCapsule_IsValid(capsule, CAPSULE):
        managed = ffi.cast("coordconv_dl_managed *", api.PyCapsule_GetPointer(capsule, CAPSULE))
        managed.deleter(managed)


def check(status):
    if status != lib.COORDCONV_OK:
        raise RuntimeError(ffi.string(lib.coordconv_last_error()).decode())


def made(kind, new, *arguments):
    """The handle a _new function hands out, dropped when Python forgets it."""
    out = ffi.new("coordconv_%s **" % kind)
    check(new(*arguments, out))
    return ffi.gc(out[0], getattr(lib, "coordconv_%s_unref" % kind))


def desc(what, **fields):
    """A descriptor with these fields, the others zero."""
    out = ffi.new("coordconv_%s_desc *" % what, fields)
    out.struct_size = ffi.sizeof(out[0])
    return out


class Shared:
    """A tensor as numpy.from_dlpack takes it."""
    def __init__(self, tensor):
        self.tensor = tensor

    def __dlpack__(self, **_):
        managed = ffi.new("coordconv_dl_managed **")
        check(lib.coordconv_tensor_to_dlpack(self.tensor, managed))
        return api.PyCapsule_New(int(ffi.cast("uintptr_t", managed[0])), CAPSULE, delete_unused)

    def __dlpack_device__(self):
        return lib.COORDCONV_DL_CPU, 0


alive = set()  # handles of arrays that tensors are wrapped around
release = ffi.callback("coordconv_release_fn", lambda user, _: alive.remove(user))


def tensor_over(context, array):
    strides = [stride // array.itemsize for stride in array.strides]
    array_handle = ffi.new_handle(array)
    tensor = made("tensor", lib.coordconv_tensor_wrap, context, lib.COORDCONV_F32, array.ndim,
                  ffi.new("int64_t[]", array.shape), ffi.new("int64_t[]", strides),
                  ffi.cast("void *", array.ctypes.data), release, array_handle)
    alive.add(array_handle)
    return tensor


class Feed:
    """A plan, and the arrays that its inputs are read from."""
    def __init__(self, context, model, mode, batch):
        self.images = numpy.zeros((batch, task.SIZE, task.SIZE, 1), numpy.float32)
        self.targets = numpy.zeros((batch, 2), numpy.float32)
        self.plan = made("plan", lib.coordconv_plan_new, model,
                         desc("plan", mode=mode, batch=batch))
        check(lib.coordconv_plan_bind(self.plan, b"image", tensor_over(context, self.images)))
        check(lib.coordconv_plan_bind(self.plan, b"target", tensor_over(context, self.targets)))

    def run(self, places, output):
        """The output's memory as an array, until the next run."""
        self.images[:] = 0
        self.images[numpy.arange(len(places)), places[:, 1], places[:, 0], 0] = 1
        self.targets[:] = places / task.SIZE
        check(lib.coordconv_plan_run(self.plan))
        tensor = made("tensor", lib.coordconv_plan_output, self.plan, output)
        return numpy.from_dlpack(Shared(tensor))


class Net:
    def __init__(self):
        context = made("context", lib.coordconv_context_new,
                       desc("context", seed=task.options.seed))
        model = made("model", lib.coordconv_model_new, context)
        h = lib.coordconv_model_input(model, b"image", lib.COORDCONV_F32, 4,
                                      [-1, task.SIZE, task.SIZE, 1])
        target = lib.coordconv_model_input(model, b"target", lib.COORDCONV_F32, 2, [-1, 2])
        for inputs, outputs, kernel in task.LAYERS:
            layer = made("layer", lib.coordconv_conv2d_new, context, desc(
                "conv2d", in_channels=inputs, out_channels=outputs, kernel=[kernel, kernel],
                padding=lib.COORDCONV_SAME))
            if inputs == 1:  # their weights begin at 0, so that the lit pixel is the largest
                layer = made("layer", lib.coordconv_layer_with_coords, layer,
                             lib.COORDCONV_COORDS_XY)
            h = lib.coordconv_model_apply(model, layer, h)
        h = lib.coordconv_model_global_max_pool(model, h)
        lib.coordconv_model_output(model, b"xy", h)
        lib.coordconv_model_output(model, b"loss", lib.coordconv_model_mse(model, h, target))
        self.training = Feed(context, model, lib.COORDCONV_TRAINING, task.BATCH)
        self.testing = Feed(context, model, lib.COORDCONV_INFERENCE, task.TEST_BATCH)
        self.optimizer = made("optimizer", lib.coordconv_optimizer_new, self.training.plan, desc(
            "optimizer", kind=lib.COORDCONV_ADAM, beta2=0.99, weight_decay=2e-5, clip_norm=0.1,
            decay=lib.COORDCONV_DECAY_KERNELS))

    def train(self, places, rate):
        loss = float(self.training.run(places, b"loss"))
        check(lib.coordconv_optimizer_set_learning_rate(self.optimizer, rate))
        check(lib.coordconv_optimizer_step(self.optimizer))
        return loss

    def locate(self, places):
        return task.SIZE * self.testing.run(places, b"xy")


task.run(Net())
