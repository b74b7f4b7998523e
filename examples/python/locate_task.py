# SPDX-License-Identifier: BSD-2-Clause
"""What locate_ctypes.py and locate_cffi.py have in common: the task, no word about the library.

Not-so-Clevr regression: from an image of 64 x 64 pixels, one of them lit, to the place of that
pixel. Places of the lower right quadrant are kept back for the test.
"""
import argparse
import math
import os
import sys

import numpy

SIZE, BATCH, TEST_BATCH, RATE, EPOCHS = 64, 16, 27, 0.01, 16
QUICK_STEPS = 5

# Channels in, channels out and kernel of each layer; the first sees coordinates.
LAYERS = (1, 8, 1), (8, 8, 1), (8, 8, 1), (8, 8, 3), (8, 2, 3)

parser = argparse.ArgumentParser(description="Learn where the lit pixel of an image is.")
parser.add_argument("library", nargs="?", help="default $COORDCONV_LIBRARY or libcoordconv.so.0",
                    default=os.environ.get("COORDCONV_LIBRARY", "libcoordconv.so.0"))
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--epochs", type=int, default=EPOCHS)
parser.add_argument("--quick", action="store_true", help="a few steps, only to see that it runs")
options = parser.parse_args()


def places():
    """(x, y) of the squares' centres: those to train on, those to test on."""
    xy = numpy.array([(x, y) for x in range(4, 60) for y in range(4, 60)])
    kept_back = (xy > SIZE // 2).all(axis=1)
    return xy[~kept_back], xy[kept_back]


def show(epoch, epochs, step, steps, loss):
    """A line that is drawn over on a terminal; elsewhere one line an epoch."""
    line = "epoch %d of %d, step %3d of %d, loss %.6f" % (epoch, epochs, step, steps, loss)
    if sys.stderr.isatty():
        sys.stderr.write("\r%s%s" % (line, "\n" if (epoch, step) == (epochs, steps) else ""))
    elif step == steps:
        sys.stderr.write(line + "\n")
    sys.stderr.flush()


def run(net):
    """Train, test, print. net has train(places, rate), which returns the loss, and locate(places),
    which lights these places and returns where the net sees them, in pixels."""
    train, test = places()
    order = numpy.random.RandomState(options.seed)
    epochs = 1 if options.quick else options.epochs
    steps = QUICK_STEPS if options.quick else len(train) // BATCH
    for epoch in range(epochs):
        shuffled = order.permutation(train)
        for step in range(steps):
            done = (epoch * steps + step) / (epochs * steps)
            rate = RATE * (0.001 + 0.999 * (1 + math.cos(math.pi * done)) / 2)
            loss = net.train(shuffled[step * BATCH:(step + 1) * BATCH], rate)
            show(epoch + 1, epochs, step + 1, steps, loss)
    batches = test.reshape(-1, TEST_BATCH, 2)[:1 if options.quick else None]
    errors = [numpy.hypot(*(net.locate(batch) - batch).T) for batch in batches]
    print("test error %.4f pixels on average, %.4f at most, over %d places" % (
        numpy.mean(errors), numpy.max(errors), numpy.size(errors)))
