# SPDX-License-Identifier: BSD-2-Clause
"""Run examples/python: the same numbers from both, from every run of one seed, and a progress
line that is drawn over on a terminal only.

usage: test_examples.py LIBRARY DECLARATIONS FOLDER [short]
"""
import os
import pty
import re
import subprocess
import sys

from binding import Skipped, run, skip

try:
    import cffi  # noqa: F401, only whether it is there
except ImportError:
    skip("no cffi")

library, declarations, folder = sys.argv[1:4]
short = len(sys.argv) > 4
WAYS = "locate_ctypes.py", "locate_cffi.py"


def command(way, *options):
    return [sys.executable, os.path.join(folder, way), *options]


def learn(way, *options):
    """(standard output, standard error) of a run that must succeed."""
    environment = {**os.environ, "COORDCONV_LIBRARY": library, "COORDCONV_CDEF": declarations}
    done = subprocess.run(command(way, *options), env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def both_say_the_same():
    first, second = (learn(way, "--quick", "--seed", "3")[0] for way in WAYS)
    assert re.fullmatch(r"test error \d+\.\d{4} pixels on average, \d+\.\d{4} at most, "
                        r"over 27 places\n", first), first
    assert first == second, (first, second)


def a_seed_says_it_all():
    first, second, other = (learn(WAYS[0], "--quick", "--seed", seed)[0] for seed in "334")
    assert first == second, (first, second)
    assert first != other, first


def elsewhere_there_is_a_line_an_epoch():
    for way in WAYS:
        errors = learn(way, "--quick")[1]
        assert re.fullmatch(r"epoch 1 of 1, step +5 of 5, loss \d\.\d{6}\n", errors), errors


def on_a_terminal_a_line_is_drawn_over():
    environment = {**os.environ, "COORDCONV_CDEF": declarations}
    for way in WAYS:
        try:
            ours, theirs = pty.openpty()
        except OSError as error:
            raise Skipped(error)
        done = subprocess.run(command(way, library, "--quick"), env=environment, stderr=theirs,
                              stdout=subprocess.PIPE, text=True)
        os.close(theirs)
        drawn = os.read(ours, 10000).decode()
        os.close(ours)
        assert done.returncode == 0, drawn
        assert drawn.count("\r") == 6 and drawn.count("\n") == 1, drawn  # a terminal adds one \r


def an_epoch_of_training_finds_the_pixel():
    for way in WAYS:
        error = float(re.match(r"test error (\S+)", learn(way, "--epochs", "1")[0]).group(1))
        assert error < 1, error


def a_missing_library_is_an_error():
    for way in WAYS:
        done = subprocess.run(command(way, "/no/such/library.so"), capture_output=True, text=True,
                              env={**os.environ, "COORDCONV_CDEF": declarations})
        assert done.returncode != 0 and "/no/such/library.so" in done.stderr, done.stderr


run([both_say_the_same, a_seed_says_it_all, elsewhere_there_is_a_line_an_epoch,
     on_a_terminal_a_line_is_drawn_over, a_missing_library_is_an_error])
if not short:
    run([an_epoch_of_training_finds_the_pixel])
