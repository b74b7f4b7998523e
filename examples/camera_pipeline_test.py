# SPDX-License-Identifier: BSD-2-Clause
"""camera_pipeline finds the red square in the lower half, in a picture and in a video of pictures.

usage: camera_pipeline_test.py [PROGRAM]; without one, the test is skipped.
"""
import os
import subprocess
import sys
import tempfile

WIDTH, HEIGHT, SIDE = 101, 80, 12


def picture(path, squares):
    """Grey, with squares of a colour at places."""
    rows = [[(90, 90, 90)] * WIDTH for _ in range(HEIGHT)]
    for x, y, colour in squares:
        for i in range(y, y + SIDE):
            rows[i][x:x + SIDE] = [colour] * SIDE
    with open(path, "wb") as f:
        f.write(b"P6 %d %d 255\n" % (WIDTH, HEIGHT))
        f.write(bytes(v for row in rows for pixel in row for v in pixel))


def run(program, *args):
    done = subprocess.run([program, *args], stdout=subprocess.PIPE, universal_newlines=True,
                          check=True, timeout=100)
    return [tuple(map(int, line.split()[2:])) for line in done.stdout.splitlines()]


def near(box, x, y):
    """The blur of 3 x 3 adds a pixel on each side at the most."""
    return (abs(box[0] - x) <= 1 and abs(box[1] - y) <= 1 and
            abs(box[2] - SIDE) <= 2 and abs(box[3] - SIDE) <= 2)


def main():
    if len(sys.argv) < 2:
        print("1..0 # SKIP no OpenCV for C++")
        return 77
    red, blue = (220, 30, 40), (30, 40, 220)
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.png")
        path = os.path.join(folder, "one.ppm")
        picture(path, [(10, 5, red), (70, 60, red), (30, 55, blue)])
        boxes = run(sys.argv[1], path, out)
        assert len(boxes) == 1 and near(boxes[0], 70, 60), boxes
        with open(out, "rb") as f:
            assert f.read(4) == b"\x89PNG"
        for k in range(4):
            picture(os.path.join(folder, "f%02d.ppm" % k),
                    [(80, 8, red), (10 + 20 * k, 50, red if k != 2 else blue)])
        boxes = run(sys.argv[1], os.path.join(folder, "f%02d.ppm"), out)
        assert len(boxes) == 4, boxes
        assert all(near(boxes[k], 10 + 20 * k, 50) for k in (0, 1, 3)), boxes
        assert boxes[2] == (0, 0, 0, 0), boxes
        wrong = subprocess.run([sys.argv[1], os.path.join(folder, "none.ppm"), out],
                               stderr=subprocess.PIPE, check=False)
        assert wrong.returncode == 1 and b"cannot read" in wrong.stderr, wrong
    print("1..1\nok 1 - the red square in the lower half")
    return 0


if __name__ == "__main__":
    sys.exit(main())
