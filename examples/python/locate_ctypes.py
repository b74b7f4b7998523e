#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Learn where the lit pixel of an image is, through ctypes and NumPy alone.

Arrays and tensors share memory: batches are written into arrays that tensors are wrapped around,
and what the net answers is read as an array through DLPack. The task is in locate_task.py.

usage: locate_ctypes.py [LIBRARY] [--seed N] [--epochs N] [--quick]
"""
import ctypes
import itertools
from ctypes import (CFUNCTYPE, PYFUNCTYPE, Structure, byref, c_char_p, c_double, c_int32, c_int64,
                    c_size_t, c_uint32, c_uint64, c_void_p, py_object, pythonapi)

import numpy

import locate_task as task

F32, SAME, COORDS_XY, INFERENCE, TRAINING, ADAM, DECAY_KERNELS = 1, 1, 1, 0, 1, 2, 1

lib = ctypes.CDLL(task.options.library)
lib.coordconv_last_error.restype = c_char_p
lib.coordconv_optimizer_set_learning_rate.argtypes = [c_void_p, c_double]


def desc(fields):
    """Makes descriptors with fields such as "coords:I" or "kernel:2i", zero unless given."""
    kinds = {"i": c_int32, "I": c_uint32, "q": c_int64, "Q": c_uint64, "d": c_double,
             "p": c_void_p, "s": c_char_p, "z": c_size_t, "2i": c_int32 * 2, "4i": c_int32 * 4}
    named = [field.split(":") for field in ("struct_size:I " + fields).split()]
    made = type("Desc", (Structure,), {"_fields_": [(name, kinds[kind]) for name, kind in named]})
    return lambda **values: byref(made(struct_size=ctypes.sizeof(made), **values))


# Field by field as in the headers; the last ones may be left out.
context_desc = desc("max_isa:I seed:Q threads:i direct_sums:I alloc:p free:p alloc_user:p "
                    "parallel_for:p parallel_user:p log:p log_user:p")
conv2d_desc = desc("coords:I in_channels:i out_channels:i kernel:2i stride:2i dilation:2i "
                   "padding:i pads:4i groups:i no_bias:i init:i init_value:d")
plan_desc = desc("mode:i batch:q inputs:p input_count:i input_gradients:i loss:s arena:p "
                 "arena_bytes:z outputs:p output_count:i reserved:I")
optimizer_desc = desc("kind:i learning_rate:d momentum:d dampening:d beta1:d beta2:d epsilon:d "
                      "weight_decay:d clip_norm:d nesterov:i decay:i decoupled:i layer_count:i "
                      "layers:p")


def call(name, *arguments):
    if getattr(lib, "coordconv_" + name)(*arguments) != 0:
        raise RuntimeError(lib.coordconv_last_error().decode())


# A DLPack struct travels in a capsule; its consumer renames it, and one not renamed is deleted.
CAPSULE = b"dltensor"
new_capsule = PYFUNCTYPE(py_object, c_void_p, c_char_p, c_void_p)(("PyCapsule_New", pythonapi))
is_capsule = PYFUNCTYPE(c_int32, c_void_p, c_char_p)(("PyCapsule_IsValid", pythonapi))
pointer_in = PYFUNCTYPE(c_void_p, c_void_p, c_char_p)(("PyCapsule_GetPointer", pythonapi))


@PYFUNCTYPE(None, c_void_p)
def delete_unused(capsule):
    if is_capsule(capsule, CAPSULE):
        managed = pointer_in(capsule, CAPSULE)
        deleter = c_void_p.from_address(managed + 56).value  # its place in DLManagedTensor
        CFUNCTYPE(None, c_void_p)(deleter)(managed)


class Handle:
    """What a _new function hands out; dropped when Python forgets it."""
    def __init__(self, kind, new, *arguments):
        self.unref, self._as_parameter_ = getattr(lib, "coordconv_%s_unref" % kind), c_void_p()
        call(new, *arguments, byref(self._as_parameter_))

    def __del__(self):
        self.unref(self._as_parameter_)

    def __dlpack__(self, **_):
        managed = c_void_p()
        call("tensor_to_dlpack", self, byref(managed))
        return new_capsule(managed, CAPSULE, delete_unused)

    def __dlpack_device__(self):
        return 1, 0  # the CPU


alive, numbers = {}, itertools.count(1)  # arrays that tensors are wrapped around


@CFUNCTYPE(None, c_void_p, c_void_p)
def release(number, _):
    del alive[number]


def tensor_over(context, array):
    number, extents = next(numbers), c_int64 * array.ndim
    strides = [stride // array.itemsize for stride in array.strides]
    made = Handle("tensor", "tensor_wrap", context, F32, array.ndim, extents(*array.shape),
                  extents(*strides), c_void_p(array.ctypes.data), release, c_void_p(number))
    alive[number] = array
    return made


class Feed:
    """A plan, and the arrays that its inputs are read from."""
    def __init__(self, context, model, mode, batch):
        self.images = numpy.zeros((batch, task.SIZE, task.SIZE, 1), numpy.float32)
        self.targets = numpy.zeros((batch, 2), numpy.float32)
        self.plan = Handle("plan", "plan_new", model, plan_desc(mode=mode, batch=batch))
        call("plan_bind", self.plan, b"image", tensor_over(context, self.images))
        call("plan_bind", self.plan, b"target", tensor_over(context, self.targets))

    def run(self, places, output):
        """The output's memory as an array, until the next run."""
        self.images[:] = 0
        self.images[numpy.arange(len(places)), places[:, 1], places[:, 0], 0] = 1
        self.targets[:] = places / task.SIZE
        call("plan_run", self.plan)
        return numpy.from_dlpack(Handle("tensor", "plan_output", self.plan, output))


class Net:
    def __init__(self):
        context = Handle("context", "context_new", context_desc(seed=task.options.seed))
        model, extents = Handle("model", "model_new", context), c_int64 * 4
        h = lib.coordconv_model_input(model, b"image", F32, 4, extents(-1, task.SIZE, task.SIZE, 1))
        target = lib.coordconv_model_input(model, b"target", F32, 2, extents(-1, 2))
        for inputs, outputs, kernel in task.LAYERS:
            layer = Handle("layer", "conv2d_new", context, conv2d_desc(
                in_channels=inputs, out_channels=outputs, kernel=(kernel, kernel), padding=SAME))
            if inputs == 1:  # their weights begin at 0, so that the lit pixel is the largest
                layer = Handle("layer", "layer_with_coords", layer, COORDS_XY)
            h = lib.coordconv_model_apply(model, layer, h)
        h = lib.coordconv_model_global_max_pool(model, h)
        lib.coordconv_model_output(model, b"xy", h)
        lib.coordconv_model_output(model, b"loss", lib.coordconv_model_mse(model, h, target))
        self.training = Feed(context, model, TRAINING, task.BATCH)
        self.testing = Feed(context, model, INFERENCE, task.TEST_BATCH)
        self.optimizer = Handle("optimizer", "optimizer_new", self.training.plan, optimizer_desc(
            kind=ADAM, beta2=0.99, weight_decay=2e-5, clip_norm=0.1, decay=DECAY_KERNELS))

    def train(self, places, rate):
        loss = float(self.training.run(places, b"loss"))
        call("optimizer_set_learning_rate", self.optimizer, rate)
        call("optimizer_step", self.optimizer)
        return loss

    def locate(self, places):
        return task.SIZE * self.testing.run(places, b"xy")


task.run(Net())
