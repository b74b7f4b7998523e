# SPDX-License-Identifier: BSD-2-Clause
"""That the benchmark works: a tiny shape, this library alone, one short round.

Nothing here is about speed. usage: smoke.py BUILD
"""
import argparse
import os
import sys
import tempfile
import xml.dom.minidom

try:
    import numpy as np
except ImportError:
    print("1..0 # SKIP no NumPy")
    sys.exit(77)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
import bench as driver
import data
import measure
import report
import shapes

SHAPE = shapes.parse("2,5,9,7->6 k3 s2")
FIELDS = ("shape threads what isa ours_ms ours_conv_ms ours_radius_ms best_peer best_peer_ms "
          "torch_usual_ms torch_best_ms onednn_plain_ms gflops peak_gflops bound_gbs").split()


def run_it(build):
    """A finished run over one shape and a step."""
    programs = [os.path.join(build, "tests", "bench", n) for n in ("bench_ours", "bench_machine")]
    effort = measure.Effort(True)
    effort.rounds, effort.turn, effort.trial, effort.machine = 1, 1, 1, 1
    bench = measure.Bench(programs[0], programs[1], [], effort)
    args = argparse.Namespace(what=["fwd", "fwd+bwd"], threads=[1, 2], shape=[str(SHAPE)],
                              build=build, quick=True)
    try:
        records = list(driver.measure_all(bench, args))
        records.append(bench.measure_step(shapes.Step("regression", 1), 1))
        records.append(bench.measure_step(shapes.Step("classification", 1), 1))
        others = driver.other_measures(bench, args)
        others["arena"] = bench.resnet_arena()
    finally:
        bench.stop()
    assert not bench.complaints, bench.complaints
    return report.Run(records, bench.figures, others, bench.complaints, {"none": "not here"}, 1)


def check_records(run):
    run.complete()
    assert len(run.records) == 6, run.records
    for record in run.records:
        missing = [f for f in FIELDS if f not in record]
        assert not missing, missing
        assert record["ours_ms"] > 0 and record["gflops"] > 0, record
    assert run.others["allocations"] == 0, run.others
    assert "| allocations while a plan runs | 0 | 0 | yes |" in run.text(), run.text()


def check_document(run):
    """The tables replace what is between their marks, and nothing else."""
    with tempfile.TemporaryDirectory() as top:
        os.makedirs(os.path.join(top, "doc", "pictures"))
        path = os.path.join(top, "doc", "performance.md")
        with open(path, "w", encoding="utf-8") as f:
            f.write("before\n%s\nold\n%s\nafter\n" % (report.BEGIN, report.END))
        run.write_doc(top)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        assert text.startswith("before\n") and text.endswith("\nafter\n"), text
        assert "old" not in text and str(SHAPE) in text, text
        xml.dom.minidom.parse(os.path.join(top, "doc", "pictures", "roofline.svg"))


def check_oracle():
    """A wrong value in an output is seen, in the gradients too."""
    with tempfile.TemporaryDirectory() as folder:
        layer = data.Layer(SHAPE, folder)
        bench = measure.Bench.__new__(measure.Bench)
        for samples, shape in ((layer.sample_y(3, 20), layer.dy.shape),
                               (layer.sample_dw(3, 20), (SHAPE.o, SHAPE.c + 3, SHAPE.k, SHAPE.k)),
                               (layer.sample_dx(20), layer.x.shape)):
            samples, array = list(samples), np.ones(shape, np.float32)
            for place, value in samples:
                array[place] = value
            bench.check_samples(array, samples, "right")
            array[samples[7][0]] += 1e-2
            try:
                bench.check_samples(array, samples, "wrong")
            except measure.Disagreement:
                continue
            raise AssertionError("a wrong value was not seen")


def check_judging():
    """What fails is named."""
    row = report.Row("title", lambda r: True, lambda r: r["value"], 2, mean=3)
    records = [{"shape": "1,2,3,4->5 k3", "threads": 1, "what": "fwd", "value": 1.5},
               {"shape": "1,2,3,4->6 k3", "threads": 1, "what": "fwd", "value": 4.0}]
    _, measured, count, failing = row.judge(records, 1)
    assert (measured, count) == ("1.500, mean 2.449", 2), measured
    assert failing == ["the mean", "1,2,3,4->5 k3 (1.5)"], failing


def main():
    run = run_it(sys.argv[1])
    check_records(run)
    check_document(run)
    check_oracle()
    check_judging()
    print("1..1\nok 1 - a benchmark of one shape")


if __name__ == "__main__":
    main()
