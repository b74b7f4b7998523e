# SPDX-License-Identifier: BSD-2-Clause
"""npy.h beside NumPy: files written by one and read by the other, and damaged files judged by both.

usage: test_npy.py LIBRARY
"""
import io
import itertools
import os
import random
import tempfile
import warnings

from binding import DTYPES, Handle, Refused, as_array, call, new_context, numpy, run, wrap

SHAPES = [(), (1,), (7,), (0,), (2, 3), (3, 0, 2), (4, 3, 2), (1, 5, 1, 2), (2,) * 8]
context = new_context()
folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "x.npy")


def arrays(order):
    """One of each shape and type; numbers that no byte order leaves alone."""
    for shape, name in itertools.product(SHAPES, DTYPES):
        count = int(numpy.prod(shape))
        values = (numpy.arange(count) * 37 + 1).astype(name)
        yield numpy.asarray(values.reshape(shape), order=order)


def same(tensor, array):
    got = as_array(tensor)
    assert got.dtype == array.dtype.newbyteorder("="), (got.dtype, array.dtype)
    assert got.shape == array.shape, (got.shape, array.shape)
    assert numpy.array_equal(got, array), (got, array)


def numpy_writes_we_read():
    for order, byte_order, version in itertools.product("CF", "<>", [(1, 0), (2, 0), (3, 0)]):
        for array in arrays(order):
            array = numpy.asarray(array.astype(array.dtype.newbyteorder(byte_order)), order=order)
            with open(path, "wb") as f, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy's about versions 2 and 3
                numpy.lib.format.write_array(f, array, version)
            with open(path, "rb") as f:
                data = f.read()
            same(Handle("tensor", "npy_read", context, path.encode()), array)
            same(Handle("tensor", "npy_map", context, path.encode()), array)
            same(Handle("tensor", "npy_read_memory", context, data, len(data)), array)


def we_write_numpy_reads():
    for array in itertools.chain(arrays("C"), arrays("F")):
        call("npy_write", wrap(context, array), path.encode())
        back = numpy.load(path)
        assert back.dtype == array.dtype and back.shape == array.shape
        assert numpy.array_equal(back, array)


def we_write_what_numpy_writes():
    if tuple(map(int, numpy.__version__.split(".")[:2])) < (1, 24):
        return
    longest = numpy.zeros((0, 10**9, 1, 1, 1, 1, 1, 10**9), "u1")
    for array in itertools.chain(arrays("C"), [longest]):
        theirs = io.BytesIO()
        numpy.save(theirs, array)
        call("npy_write", wrap(context, array), path.encode())
        with open(path, "rb") as f:
            ours = f.read()
        assert ours == theirs.getvalue(), (ours, theirs.getvalue())


def steps_of_an_array_are_followed():
    array = numpy.arange(60, dtype="int32").reshape(3, 4, 5)[::2, 1:, ::3].transpose(2, 0, 1)
    call("npy_write", wrap(context, array), path.encode())
    assert numpy.array_equal(numpy.load(path), array)


def what_we_read_numpy_reads_too():
    """Good files changed at random: what we take, NumPy takes, and finds the same in it."""
    changed = random.Random(1)
    taken = 0
    for array in itertools.chain(arrays("C"), arrays("F")):
        with open(path, "wb") as f:
            numpy.save(f, array)
        with open(path, "rb") as f:
            good = f.read()
        for _ in range(200):
            data = bytearray(good)
            for _ in range(changed.randrange(1, 3)):
                at = changed.randrange(8, 80)
                data[at] = changed.choice(b" \t\n,(){}[]'\":<>|=0123456789-+.LTFalsef4u8i\0")
            data = bytes(data)
            try:
                ours = Handle("tensor", "npy_read_memory", context, data, len(data))
            except Refused:
                continue
            same(ours, numpy.load(io.BytesIO(data)))
            taken += 1
    assert taken > 100, taken  # there was something to compare


run([numpy_writes_we_read, we_write_numpy_reads, we_write_what_numpy_writes,
     steps_of_an_array_are_followed, what_we_read_numpy_reads_too])
