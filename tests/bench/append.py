# SPDX-License-Identifier: BSD-2-Clause
"""Appending coordinates to the pixels of an image: this library beside the machine's bound, NumPy,
PyTorch and OpenCV. Everything writes into memory that is there, and all take turns in one process.

usage: append.py BUILD [--rounds N] [--height H] [--width W] [--threads N] [--doc]
"""
import argparse
import ctypes as c
import os
import sys
import time

try:
    import numpy as np
except ImportError:
    print("1..0 # SKIP no NumPy")
    sys.exit(77)

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BEGIN, END = "<!-- append: begin -->", "<!-- append: end -->"
RGB, BGR, U8 = 2, 3, 5
ALL, DATA, COORDS = 0, 1, 2
MEAN, SCALE = 127.5, 1 / 127.5


class Pixels(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("format", c.c_int32), ("dtype", c.c_int32),
                ("planar", c.c_int32), ("data", c.c_void_p), ("bytes", c.c_size_t),
                ("height", c.c_int64), ("width", c.c_int64), ("row_stride", c.c_int64),
                ("plane_stride", c.c_int64)]


class Append(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("parts", c.c_int32), ("format", c.c_int32),
                ("before", c.c_int32), ("convention", c.c_char_p), ("channels", c.c_void_p),
                ("channel_count", c.c_int32), ("coords", c.c_uint32), ("grid", c.c_void_p),
                ("frame", c.c_void_p), ("center_x", c.c_double), ("center_y", c.c_double),
                ("focal_x", c.c_double), ("focal_y", c.c_double), ("mean", c.c_float * 4),
                ("scale", c.c_float * 4), ("channel_stride", c.c_int64),
                ("row_stride", c.c_int64), ("column_stride", c.c_int64)]


class Context(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("max_isa", c.c_uint32), ("seed", c.c_uint64),
                ("threads", c.c_int32), ("direct_sums", c.c_uint32)] + [
                    (name, c.c_void_p) for name in "alloc free alloc_user parallel_for "
                    "parallel_user log log_user".split()]


class Case:
    """One way of appending: what is measured, and what has to come out."""

    def __init__(self, title, image, nhwc=False, scaled=False, parts=ALL, threads=0):
        self.title, self.image, self.nhwc, self.scaled = title, image, nhwc, scaled
        self.parts, self.threads = parts, threads
        self.height, self.width = image.shape[:2]
        self.out = aligned((self.height, self.width, 5) if nhwc else (5, self.height, self.width))
        self.planes = self.out.transpose(2, 0, 1) if nhwc else self.out  # (5, H, W)
        self.x = np.linspace(-1, 1, self.width, dtype=np.float32)[None, :]
        self.y = np.linspace(-1, 1, self.height, dtype=np.float32)[:, None]

    def written(self):
        return {ALL: 5, DATA: 3, COORDS: 2}[self.parts] * self.height * self.width


def aligned(shape):
    """Zeros that begin with a page."""
    room = np.zeros(int(np.prod(shape)) + 1024, np.float32)
    return room[-room.ctypes.data % 4096 // 4:][:int(np.prod(shape))].reshape(shape)


# ---- this library ----

def ours(library, case):
    context = None
    if case.threads:
        desc = Context(c.sizeof(Context), threads=case.threads)
        context = c.c_void_p()
        check(library, library.coordconv_context_new(c.byref(desc), c.byref(context)))
    pixels = Pixels(c.sizeof(Pixels), RGB, U8, 0, case.image.ctypes.data, case.image.nbytes,
                    case.height, case.width)
    desc = Append(c.sizeof(Append), case.parts)
    if case.scaled:
        desc.mean, desc.scale = (MEAN,) * 3, (SCALE,) * 3
    if case.nhwc:
        desc.channel_stride, desc.column_stride, desc.row_stride = 1, 5, 5 * case.width
    pointer, count = case.out.ctypes.data, c.c_size_t(case.out.size)
    return lambda: check(library, library.coordconv_append(
        context, c.byref(pixels), c.byref(desc), c.c_void_p(pointer), count))


def check(library, status):
    if status != 0:
        raise RuntimeError(library.coordconv_last_error().decode())


# ---- the others: each a name and a function; the fastest counts ----

def coords_of_numpy(case):
    if case.parts != DATA:
        np.copyto(case.planes[3], case.x)
        np.copyto(case.planes[4], case.y)


def numpy_ways(case):
    planes, image = case.planes[:3], case.image
    moved = image.transpose(2, 0, 1)

    def whole():
        if case.parts != COORDS:
            if case.scaled:
                np.subtract(moved, np.float32(MEAN), out=planes)
                np.multiply(planes, np.float32(SCALE), out=planes)
            else:
                np.copyto(planes, moved)
        coords_of_numpy(case)

    def by_channel():
        for k in range(3 if case.parts != COORDS else 0):
            if case.scaled:
                np.subtract(image[:, :, k], np.float32(MEAN), out=planes[k])
                np.multiply(planes[k], np.float32(SCALE), out=planes[k])
            else:
                np.copyto(planes[k], image[:, :, k])
        coords_of_numpy(case)

    def by_row():  # a row of the image stays in the cache
        for i in range(case.height if case.parts != COORDS else 0):
            if case.scaled:
                np.subtract(moved[:, i], np.float32(MEAN), out=planes[:, i])
                np.multiply(planes[:, i], np.float32(SCALE), out=planes[:, i])
            else:
                np.copyto(planes[:, i], moved[:, i])
        coords_of_numpy(case)

    return [whole, by_channel, by_row]


def torch_ways(case):
    try:
        import torch  # pylint: disable=import-outside-toplevel
    except ImportError:
        return []
    torch.set_num_threads(max(case.threads, 1))
    image, planes = torch.from_numpy(case.image), torch.from_numpy(case.planes)
    x, y = torch.from_numpy(case.x), torch.from_numpy(case.y)

    def finish():
        if case.scaled and case.parts != COORDS:
            planes[:3].sub_(MEAN).mul_(SCALE)
        if case.parts != DATA:
            planes[3].copy_(x)
            planes[4].copy_(y)

    def whole():
        if case.parts != COORDS:
            planes[:3].copy_(image.permute(2, 0, 1))
        finish()

    def by_channel():
        for k in range(3 if case.parts != COORDS else 0):
            planes[k].copy_(image[:, :, k])
        finish()

    def bytes_first():  # turned as bytes, which are fewer
        if case.parts != COORDS:
            planes[:3].copy_(image.permute(2, 0, 1).contiguous())
        finish()

    return [whole, by_channel, bytes_first]


def opencv_ways(case):
    try:
        import cv2  # pylint: disable=import-outside-toplevel
    except ImportError:
        return []
    if case.nhwc or case.parts == COORDS:
        return []
    cv2.setNumThreads(max(case.threads, 1))
    bytes_of = [np.empty(case.image.shape[:2], np.uint8) for _ in range(3)]

    def split():
        cv2.split(case.image, bytes_of)
        for k in range(3):
            np.copyto(case.planes[k], bytes_of[k])
        coords_of_numpy(case)

    return [] if case.scaled else [split]


def bound_ways(bound, case):
    """Pieces of different sizes; the image counts where it is read."""
    size = case.image.nbytes if case.parts != COORDS else 0
    return [lambda parts=parts: bound.append_bound(
        c.c_void_p(case.image.ctypes.data), c.c_size_t(size), c.c_void_p(case.out.ctypes.data),
        c.c_size_t(case.written()), c.c_size_t(parts)) for parts in (1, 64, 1080)]


# ---- measuring ----

def expected(case):
    want = np.zeros((5, case.height, case.width), np.float32)
    if case.parts != COORDS:
        want[:3] = case.image.transpose(2, 0, 1)
        if case.scaled:
            want[:3] = (want[:3] - np.float32(MEAN)) * np.float32(SCALE)
    if case.parts != DATA:
        want[3], want[4] = case.x, case.y
    return want


def check_result(case, what, run):
    case.out[:] = 0
    run()
    worst = np.abs(case.planes - expected(case)).max()
    if not worst < 1e-6:
        raise RuntimeError("%s: %s is off by %g" % (case.title, what, worst))


def measure(case, library, bound, rounds):
    """Least seconds of each: {"ours": .., "bound": .., ...}; of several ways, of the fastest."""
    candidates = [("ours", ours(library, case))]
    for name, ways in (("numpy", numpy_ways(case)), ("torch", torch_ways(case)),
                       ("opencv", opencv_ways(case))):
        candidates += [(name, way) for way in ways]
    for name, run in candidates:
        check_result(case, name, run)
    if not case.threads:
        candidates += [("bound", way) for way in bound_ways(bound, case)]
    least = {}
    for _ in range(rounds):
        for name, run in candidates:
            run()
            start = time.perf_counter()
            run()
            seconds = time.perf_counter() - start
            least[name] = min(seconds, least.get(name, seconds))
    return least


def line(case, least):
    def ratio(name):
        return "%.2f" % (least[name] / least["ours"]) if name in least else "-"
    return "| %s | %.2f | %s | %s | %s | %s |" % (
        case.title, least["ours"] * 1e3, ratio("bound"), ratio("numpy"), ratio("torch"),
        ratio("opencv"))


def machine():
    """What the figures are of: the processor and the libraries."""
    names = []
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            names += [row.split(":")[1].strip() for row in f if row.startswith("model name")][:1]
    except OSError:
        pass
    for name, title in (("numpy", "NumPy"), ("torch", "PyTorch"), ("cv2", "OpenCV")):
        if name in sys.modules:
            names.append("%s %s" % (title, sys.modules[name].__version__))
    return ", ".join(names)


def report(lines, height, width):
    return "\n".join([
        "%d x %d pixels, uint8, to float32. Times are least of interleaved rounds; other columns "
        "are" % (width, height),
        "their time divided by ours, the bound being a streaming write of the result and a read of",
        "the image. One thread each; - where a library is not there or has no such way.",
        machine() + ".", "",
        "| what | ours, ms | bound | best of NumPy | best of PyTorch | OpenCV |",
        "| --- | --- | --- | --- | --- | --- |"] + lines)


def write_doc(text):
    path = os.path.join(TOP, "doc", "interop.md")
    with open(path, encoding="utf-8") as f:
        before, rest = f.read().split(BEGIN)
    with open(path, "w", encoding="utf-8") as f:
        f.write(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--threads", type=int, default=0,
                        help="also ours and PyTorch's on so many; one alone may fill the memory bus")
    parser.add_argument("--doc", action="store_true", help="write the table into doc/interop.md")
    args = parser.parse_args()
    library = c.CDLL(os.path.join(args.build, "lib", "libcoordconv.so"))
    bound = c.CDLL(os.path.join(args.build, "tests", "bench", "libbench_append_bound.so"))
    library.coordconv_last_error.restype = c.c_char_p
    image = np.random.default_rng(1).integers(0, 256, (args.height, args.width, 3), np.uint8)
    cases = [Case("NCHW", image), Case("NCHW, mean and scale", image, scaled=True),
             Case("NCHW, data only", image, parts=DATA),
             Case("NCHW, coordinates only", image, parts=COORDS),
             Case("NHWC", image, nhwc=True),
             Case("NHWC, mean and scale", image, nhwc=True, scaled=True)]
    if args.threads:
        cases.append(Case("NCHW, %d threads" % args.threads, image, threads=args.threads))
    lines = [line(case, measure(case, library, bound, args.rounds)) for case in cases]
    text = report(lines, args.height, args.width)
    print(text)
    if args.doc:
        write_doc(text)


if __name__ == "__main__":
    main()
