# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of this folder share: the library through ctypes, tensors and arrays.

Each test is run as SCRIPT LIBRARY [MORE]; exit status 77, with the reason, where a module it
needs is not there.
"""
import ctypes
import os
import sys
from ctypes import CFUNCTYPE, PYFUNCTYPE, Structure, byref, c_char_p, c_int32, c_int64, c_void_p


def skip(reason):
    print("skipped:", reason)
    sys.exit(77)


if os.environ.get("COORDCONV_TEST_SKIP"):
    skip(os.environ["COORDCONV_TEST_SKIP"])
try:
    import numpy
except ImportError:
    skip("no numpy")

lib = ctypes.CDLL(sys.argv[1])
lib.coordconv_last_error.restype = c_char_p
lib.coordconv_tensor_data.restype = c_void_p
DTYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 4, "uint8": 5}
DELETER = CFUNCTYPE(None, c_void_p)
RELEASE = CFUNCTYPE(None, c_void_p, c_void_p)


class Refused(Exception):
    """A call of the library that failed, with its message."""


def call(name, *arguments):
    if getattr(lib, "coordconv_" + name)(*arguments) != 0:
        raise Refused(lib.coordconv_last_error().decode())


class Handle:
    def __init__(self, kind, new, *arguments):
        self.unref = getattr(lib, "coordconv_%s_unref" % kind)
        self._as_parameter_ = c_void_p()
        call(new, *arguments, byref(self._as_parameter_))

    def drop(self):
        self.unref(self._as_parameter_)
        self._as_parameter_ = c_void_p()

    def __del__(self):
        self.unref(self._as_parameter_)


class Managed(Structure):
    """DLManagedTensor, its first field in words."""
    _fields_ = [("tensor", ctypes.c_uint64 * 6), ("manager_ctx", c_void_p), ("deleter", c_void_p)]


# Capsules by address, so that a destructor can look at one that is dying.
new_capsule = PYFUNCTYPE(ctypes.py_object, c_void_p, c_char_p, c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi))
is_capsule = PYFUNCTYPE(c_int32, c_void_p, c_char_p)(("PyCapsule_IsValid", ctypes.pythonapi))
pointer_in = PYFUNCTYPE(c_void_p, c_void_p, c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
set_name = PYFUNCTYPE(c_int32, c_void_p, c_char_p)(("PyCapsule_SetName", ctypes.pythonapi))
NAME, USED = b"dltensor", b"used_dltensor"


@PYFUNCTYPE(None, c_void_p)
def delete_unused(capsule):
    if is_capsule(capsule, NAME):
        managed = pointer_in(capsule, NAME)
        DELETER(Managed.from_address(managed).deleter)(managed)


def capsule_of(tensor):
    managed = c_void_p()
    call("tensor_to_dlpack", tensor, byref(managed))
    return new_capsule(managed, NAME, delete_unused)


def import_capsule(context, capsule):
    """The tensor; the capsule is used up where that succeeds."""
    tensor = Handle("tensor", "tensor_from_dlpack", context,
                    c_void_p(pointer_in(id(capsule), NAME)))
    set_name(id(capsule), USED)
    return tensor


class Shared:
    """A tensor as numpy.from_dlpack takes it."""
    def __init__(self, tensor):
        self.tensor = tensor

    def __dlpack__(self, **_):
        return capsule_of(self.tensor)

    def __dlpack_device__(self):
        return 1, 0


def as_array(tensor):
    return numpy.from_dlpack(Shared(tensor))


def new_context():
    return Handle("context", "context_new", None)


def wrap(context, array, release=None):
    extents = c_int64 * array.ndim
    strides = extents(*(s // array.itemsize for s in array.strides))
    return Handle("tensor", "tensor_wrap", context, DTYPES[array.dtype.name], array.ndim,
                  extents(*array.shape), strides, c_void_p(array.ctypes.data), release, None)


def expect_refusal(text, function, *arguments):
    try:
        function(*arguments)
    except Refused as refused:
        assert text in str(refused), "%r is not in %r" % (text, str(refused))
        return
    raise AssertionError("not refused, expected %r" % text)


class Skipped(Exception):
    """What a test wants is not here."""


def run(functions):
    """Call each; a failed assertion shows where."""
    for number, function in enumerate(functions, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
        except Skipped as reason:
            name += " # SKIP %s" % reason
        print("ok %d - %s" % (number, name), flush=True)
