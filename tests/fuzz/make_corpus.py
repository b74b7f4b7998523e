#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write the seed corpus anew: small inputs, good and nearly good. usage: make_corpus.py

A seed shows the fuzzer a way through the reader; it changes and combines them by itself.
"""
import io
import json
import os
import shutil
import struct
import warnings

import numpy

here = os.path.dirname(os.path.abspath(__file__))


def write(target, seeds):
    folder = os.path.join(here, "corpus", target)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name, data in seeds.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)


def npy_file(array, version=(1, 0)):
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        numpy.lib.format.write_array(out, array, version)
    return out.getvalue()


def npy_text(text, data=b"", major=1):
    text = text.encode()
    return (b"\x93NUMPY" + bytes([major, 0]) +
            struct.pack("<H" if major == 1 else "<I", len(text)) + text + data)


def npy():
    small = numpy.arange(6).reshape(2, 3)
    seeds = {dtype.strip("<>|") + ("-big" if ">" in dtype else ""): npy_file(small.astype(dtype))
             for dtype in ("<f4", "<f8", "<i4", "<i8", "|u1", ">f4", ">i8", "<f2", "|b1")}
    seeds["version-2"] = npy_file(small.astype("<f4"), (2, 0))
    seeds["version-3"] = npy_file(small.astype("<f4"), (3, 0))
    seeds["fortran"] = npy_file(numpy.asfortranarray(small))
    seeds["scalar"] = npy_file(numpy.array(1.0))
    seeds["empty"] = npy_file(numpy.zeros((0, 3)))
    seeds["eight-axes"] = npy_file(numpy.zeros((1,) * 7 + (2,), "u1"))
    seeds["fields"] = npy_file(numpy.zeros(2, [("a", "<f4"), ("b", "<i4")]))
    seeds["short"] = npy_file(small.astype("<f4"))[:-1]
    seeds["nothing"] = b""
    seeds["magic"] = b"\x93NUMPY"
    seeds["double-quotes"] = npy_text('{"shape":(1,),"fortran_order":True,"descr":"|u1"}', b"\0")
    seeds["negative"] = npy_text("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3), }")
    seeds["huge"] = npy_text("{'descr': '<f8', 'fortran_order': False, "
                             "'shape': (2147483647, 2147483647, 2147483648)}")
    seeds["twice"] = npy_text("{'shape': (), 'shape': ()}")
    seeds["long-header"] = npy_text("{}")[:8] + b"\xff\xff"
    seeds["longer-header"] = npy_text("{}", major=2)[:8] + b"\xff\xff\xff\xff"
    return {name + ".npy": data for name, data in seeds.items()}


def dl(kind=0, version=(1, 1), flags=0, device=(1, 0), dtype=(2, 32, 1), offset=0, shape=(2, 3),
       strides=(3, 1), ndim=None):
    """The fields in the order of dlpack.c."""
    axes = [*shape, *(() if kind & 2 else strides)]
    return struct.pack("<BIIQiiBBHiQ%dq" % len(axes), kind, *version, flags, *device, *dtype,
                       len(shape) if ndim is None else ndim, offset, *axes)


def dlpack():
    seeds = {
        "plain": dl(), "versioned": dl(kind=1), "compact": dl(kind=2), "compact-versioned": dl(3),
        "no-shape": dl(kind=4), "no-data": dl(kind=8), "no-deleter": dl(kind=16),
        "f64": dl(dtype=(2, 64, 1)), "i32": dl(dtype=(0, 32, 1)), "i64": dl(dtype=(0, 64, 1)),
        "u8": dl(dtype=(1, 8, 1), offset=3), "f16": dl(dtype=(2, 16, 1)), "lanes": dl(
            dtype=(2, 32, 4)), "offset": dl(offset=64), "misaligned": dl(offset=2),
        "far": dl(offset=2**64 - 4), "gpu": dl(device=(2, 0)), "scalar": dl(shape=(), strides=()),
        "empty": dl(kind=8, shape=(2, 0)), "eight-axes": dl(
            shape=(1, 2, 1, 2, 1, 2, 1, 2), strides=(9, 8, 9, 4, 9, 2, 9, 1)),
        "nine-axes": dl(ndim=9), "no-axes": dl(ndim=-1), "negative-extent": dl(shape=(-1, 3)),
        "large-extent": dl(shape=(2**31, 3)), "product": dl(shape=(2**31 - 1,) * 3,
                                                            strides=(0, 0, 0)),
        "negative-stride": dl(strides=(-3, 1)), "large-stride": dl(strides=(2**62, 1)),
        "broadcast": dl(strides=(0, 1)), "turned": dl(strides=(1, 2)),
        "version-2": dl(kind=1, version=(2, 0)), "read-only": dl(kind=1, flags=1),
        "unknown-flag": dl(kind=1, flags=8), "minor": dl(kind=1, version=(1, 99), flags=2),
        "cut": dl()[:20], "nothing": b"",
    }
    return {name + ".bin": data for name, data in seeds.items()}


def st(tensors, way=0, data=None, metadata=None, text=None, length=None):
    """tensors: name, dtype, shape, bytes each; way: the first byte, as of safetensors.c."""
    header, size = {} if metadata is None else {"__metadata__": metadata}, 0
    for name, dtype, shape, count in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [size, size + count]}
        size += count
    text = text or json.dumps(header, separators=(",", ":")).encode()
    return (bytes([way]) + struct.pack("<Q", len(text) if length is None else length) + text +
            bytes(i % 251 for i in range(size if data is None else data)))


def safetensors():
    weight, bias = ("c.weight", "F32", [2, 3, 1, 1], 24), ("c.bias", "F32", [2], 8)
    other = ("m.a.b.weight", "F16", [2, 3, 1, 1], 12), ("m.a.b.bias", "BF16", [2], 4)
    counter = ("c.num_batches_tracked", "I64", [], 8)
    entry = b'{"c.weight":{"dtype":"F32","shape":%s,"data_offsets":%s}}'
    state = [("optimizer." + name + slot, *rest) for name, *rest in (weight, bias)
             for slot in (".m", ".v")]
    words = {"coordconv.version": "1", "coordconv.optimizer": "adam", "coordconv.steps": "3",
             "coordconv.learning_rate": struct.pack(">d", 0.001).hex()}
    seeds = {
        "good": st([weight, bias]), "own": st([weight, bias], 1, metadata={"coordconv.version": "0"}),
        "own-state": st([weight, bias, ("optimizer.c.bias.m", "F32", [2], 8)], 1),
        "trained": st([weight, bias, *state], 17, metadata=words),
        "trained-steps": st([weight, bias, *state], 17,
                            metadata={**words, "coordconv.steps": "9223372036854775808"}),
        "trained-rate": st([weight, bias, *state], 17,
                           metadata={**words, "coordconv.learning_rate": "7ff0000000000000"}),
        "trained-missing": st([weight, bias, *state[1:]], 17, metadata=words),
        "lenient": st([weight, ("z", "U8", [3], 3)], 2), "convention": st([weight, bias], 4),
        "renamed": st(other, 8), "renamed-lenient": st([*other, ("m.e.c.bias", "F32", [2], 8)], 10),
        "counter": st([weight, bias, counter]), "f64": st([("c.weight", "F64", [2, 3, 1, 1], 48),
                                                           ("c.bias", "F64", [2], 16)], 4),
        "missing": st([bias]), "unexpected": st([weight, bias, ("d.x", "F4", [2], 1)]),
        "shape": st([("c.weight", "F32", [2, 1, 1, 1], 8), bias]), "nothing": b"", "way": b"\x02",
        "short": st([weight, bias])[:-1], "rest": st([weight, bias]) + b"x", "empty": st([]),
        "length": st([], length=2**64 - 1), "longer": st([], length=3),
        "hole": st([], text=entry % (b"[2,3,1,1]", b"[4,28]"), data=28),
        "product": st([], text=entry % (b"[4294967296,4294967296]", b"[0,0]")),
        "negative": st([], text=entry % (b"[-1]", b"[0,0]")),
        "exponent": st([], text=entry % (b"[1e999]", b"[0,0]")),
        "axes": st([], text=entry % (b"[1,1,1,1,1,1,1,1,6]", b"[0,24]"), data=24),
        "deep": st([], text=b'{"a":' + b"[" * 2000), "dense": st([], text=b'{"a":[' + b"{}," * 900),
        "twice": st([], text=b'{"a":{},"a":{}}'), "escape": st([("\u00e9\U0001f600\n", "F32", [], 4)]),
        "surrogate": st([], text=b'{"\\ud800":{}}'), "nul": st([], text=b'{"\\u0000":{}}'),
    }
    return {name + ".bin": data for name, data in seeds.items()}


def idx_file(*shape, kind=8, ndim=None, data=None):
    """Elements 0, 1, 2 ... 9, 0, 1 ...: as many as the shape says, or as data says."""
    count = int(numpy.prod(shape)) if data is None else data
    return (bytes([0, 0, kind, len(shape) if ndim is None else ndim]) +
            struct.pack(">%dI" % len(shape), *shape) + bytes(i % 10 for i in range(count)))


def idx():
    most = 2**32 - 1
    seeds = {
        "labels": idx_file(12), "images": idx_file(3, 4, 5), "pairs": idx_file(4, 2),
        "colours": idx_file(2, 3, 3, 3), "empty": idx_file(0, 28, 28), "five-axes": idx_file(
            1, 1, 1, 1, 2), "no-axes": idx_file(), "all-axes": idx_file(2, ndim=255),
        "short": idx_file(3, 4, 5)[:-1], "rest": idx_file(3, 4, 5) + b"x", "nothing": b"",
        "magic": b"\0\0\x08", "header": idx_file(3, 4, 5)[:11], "label-10": idx_file(2)[:-1] +
        b"\x0a", "little-endian": bytes([0, 0, 8, 1, 2, 0, 0, 0, 1, 2]),
        "wraps-32": idx_file(2**16, 2**16, data=0), "wraps-64": idx_file(
            2**31, 2**31, 4, data=0), "zero-first": idx_file(0, most, most),
        "zero-last": idx_file(most, most, 0), "most": idx_file(most, most, most, most, data=4),
        "npy": npy_file(numpy.arange(6)), "gzip": b"\x1f\x8b\x08\0\0\0\0\0",
    }
    for name, kind in (("i8", 9), ("i16", 11), ("i32", 12), ("f32", 13), ("f64", 14), ("0", 0)):
        seeds["type-" + name] = idx_file(3, kind=kind)
    return {name + ".idx": data for name, data in seeds.items()}


if __name__ == "__main__":
    write("idx", idx())
    write("safetensors", safetensors())
    write("npy", npy())
    write("dlpack", dlpack())
