# SPDX-License-Identifier: BSD-2-Clause
"""dlpack.h beside NumPy: the same memory on both sides, and nothing freed early, late or twice.

usage: test_dlpack.py LIBRARY
"""
import gc
import sys
import threading
from ctypes import c_double, c_int32

from binding import (DTYPES, RELEASE, Handle, Shared, as_array, call, capsule_of, expect_refusal,
                     import_capsule, lib, new_context, numpy, run, wrap)

context = new_context()
released = []
release = RELEASE(lambda user, data: released.append(data))


def tensor_of(array):
    """A tensor over the array that says when it is gone."""
    del released[:]
    return wrap(context, array, release)


def an_export_is_the_memory_itself():
    for name in DTYPES:
        for array in (numpy.arange(24, dtype=name).reshape(2, 3, 4),
                      numpy.arange(24, dtype=name).reshape(2, 3, 4).transpose(1, 2, 0)[1:, ::2],
                      numpy.array(3, dtype=name), numpy.zeros((2, 0, 3), name)):
            seen = as_array(tensor_of(array))
            assert seen.dtype == array.dtype and seen.shape == array.shape
            assert numpy.array_equal(seen, array)
            if array.size > 0:
                assert seen.ctypes.data == array.ctypes.data
                assert seen.strides == array.strides
                array[...] = 7
                assert (seen == 7).all()


def an_array_keeps_its_tensor():
    array = numpy.arange(6, dtype="float32")
    tensor = tensor_of(array)
    seen = as_array(tensor)
    part = seen[2:]
    tensor.drop()
    del seen
    gc.collect()
    assert released == [] and part[0] == 2
    del part
    assert released == [array.ctypes.data]


def a_capsule_nobody_takes_is_deleted():
    array = numpy.arange(6, dtype="float32")
    tensor = tensor_of(array)
    capsule = capsule_of(tensor)
    tensor.drop()
    assert released == []
    del capsule
    assert released == [array.ctypes.data]


def arrays_that_die_in_other_threads():
    array = numpy.arange(6, dtype="float32")
    tensor = tensor_of(array)
    seen = [[as_array(tensor)] for _ in range(8)]
    tensor.drop()
    threads = [threading.Thread(target=box.clear) for box in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert released == [array.ctypes.data], released


def an_import_is_the_memory_itself():
    for name in DTYPES:
        for array in (numpy.arange(24, dtype=name).reshape(2, 3, 4),
                      numpy.arange(24, dtype=name).reshape(2, 3, 4).transpose(1, 2, 0)[1:, ::2],
                      numpy.broadcast_to(numpy.arange(4, dtype=name), (3, 4)).copy()[:, :1],
                      numpy.array(3, dtype=name)):
            tensor = import_capsule(context, array.__dlpack__())
            assert lib.coordconv_tensor_data(tensor) == array.ctypes.data
            assert numpy.array_equal(as_array(tensor), array)
            call("tensor_fill", tensor, c_double(9))
            assert (array == 9).all()
    empty = import_capsule(context, numpy.zeros((2, 0)).__dlpack__())
    assert as_array(empty).shape == (2, 0)


def a_tensor_keeps_its_array_until_it_is_gone():
    array = numpy.arange(6, dtype="float32")
    before = sys.getrefcount(array)
    tensor = import_capsule(context, array.__dlpack__())
    assert sys.getrefcount(array) == before + 1
    axes = (c_int32 * 1)(0)
    view = Handle("tensor", "tensor_permute", tensor, axes)
    tensor.drop()
    gc.collect()
    assert sys.getrefcount(array) == before + 1
    view.drop()
    assert sys.getrefcount(array) == before


def a_refused_array_is_given_back_once():
    whole = numpy.arange(24).reshape(4, 6)
    for array, text in ((whole[::-1], "stride -6 of axis 0"),
                        (whole.astype("float16"), "type code 2 and 16 bits"),
                        (whole.astype("int16"), "type code 0 and 16 bits"),
                        (whole.astype("complex64"), "type code 5 and 64 bits"),
                        (whole.reshape((1,) * 9 + (24,)), "10 axes")):
        before = sys.getrefcount(array)
        capsule = array.__dlpack__()
        for _ in range(3):
            expect_refusal(text, import_capsule, context, capsule)
        assert sys.getrefcount(array) == before + 1
        del capsule
        assert sys.getrefcount(array) == before


def out_and_in_and_out_again():
    array = numpy.arange(6, dtype="float64").reshape(2, 3)
    before = sys.getrefcount(array)
    seen = array
    for _ in range(4):
        capsule = (seen.__dlpack__() if seen is array else
                   Shared(seen_tensor).__dlpack__())  # NumPy exports no read-only array
        seen_tensor = import_capsule(context, capsule)
        seen = as_array(seen_tensor)
    assert seen.ctypes.data == array.ctypes.data and seen[1, 2] == 5
    del seen
    seen_tensor.drop()
    gc.collect()
    assert sys.getrefcount(array) == before


run([an_export_is_the_memory_itself, an_array_keeps_its_tensor, a_capsule_nobody_takes_is_deleted,
     arrays_that_die_in_other_threads, an_import_is_the_memory_itself,
     a_tensor_keeps_its_array_until_it_is_gone, a_refused_array_is_given_back_once,
     out_and_in_and_out_again])
