# SPDX-License-Identifier: BSD-2-Clause
"""dlpack.h beside PyTorch's torch.utils.dlpack, in both directions.

usage: test_torch.py LIBRARY
"""
import gc
from ctypes import c_double

from binding import (RELEASE, as_array, call, capsule_of, expect_refusal, import_capsule, lib,
                     new_context, numpy, run, skip, wrap)

try:
    import torch
    from torch.utils import dlpack
except ImportError:
    skip("no torch")

context = new_context()
released = []
release = RELEASE(lambda user, data: released.append(data))
TYPES = [torch.float32, torch.float64, torch.int32, torch.int64, torch.uint8]


def our_tensor_in_torch():
    array = numpy.arange(24, dtype="float32").reshape(2, 3, 4).transpose(2, 0, 1)
    del released[:]
    tensor = wrap(context, array, release)
    theirs = dlpack.from_dlpack(capsule_of(tensor))
    tensor.drop()
    assert theirs.data_ptr() == array.ctypes.data
    assert tuple(theirs.shape) == (4, 2, 3) and theirs.stride() == (1, 12, 4)
    theirs.mul_(2)
    assert array[3, 1, 2] == 46
    part = theirs[1:, 0]
    del theirs
    gc.collect()
    assert released == []
    del part
    gc.collect()
    assert released == [array.ctypes.data]


def torch_tensor_in_ours():
    for kind in TYPES:
        theirs = torch.arange(24).reshape(2, 3, 4).to(kind).permute(2, 0, 1)[::3]
        tensor = import_capsule(context, dlpack.to_dlpack(theirs))
        assert lib.coordconv_tensor_data(tensor) == theirs.data_ptr()
        assert numpy.array_equal(as_array(tensor), theirs.numpy())
        call("tensor_fill", tensor, c_double(5))
        assert bool((theirs == 5).all())


def our_tensor_keeps_the_torch_tensor():
    theirs = torch.ones(1000)
    tensor = import_capsule(context, dlpack.to_dlpack(theirs))
    del theirs
    gc.collect()
    assert as_array(tensor).sum() == 1000
    tensor.drop()


def round_trips_share_memory():
    theirs = torch.arange(6, dtype=torch.float64)
    back = dlpack.from_dlpack(capsule_of(import_capsule(context, dlpack.to_dlpack(theirs))))
    gc.collect()
    back[2] = -1
    assert theirs[2] == -1 and back.data_ptr() == theirs.data_ptr()


def what_torch_has_and_we_have_not_is_refused():
    for kind, text in ((torch.float16, "type code 2 and 16 bits"),
                       (torch.bfloat16, "type code 4 and 16 bits"),
                       (torch.int8, "type code 0 and 8 bits"),
                       (torch.complex64, "type code 5 and 64 bits")):
        theirs = torch.zeros(3, dtype=kind)
        expect_refusal(text, import_capsule, context, dlpack.to_dlpack(theirs))


run([our_tensor_in_torch, torch_tensor_in_ours, our_tensor_keeps_the_torch_tensor,
     round_trips_share_memory, what_torch_has_and_we_have_not_is_refused])
