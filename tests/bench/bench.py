# SPDX-License-Identifier: BSD-2-Clause
"""How fast the library is beside its peers and beside the machine. See doc/performance.md.

usage: run [OPTION...]
"""
import argparse
import json
import os
import signal
import sys
import time

import data
import measure
import peers as libraries
import report
import shapes

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def options():
    parser = argparse.ArgumentParser(prog="run", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--quick", action="store_true", help="about two minutes: fewer and shorter rounds")
    add("--json", metavar="FILE", help="one object a line: every shape, pass and thread count")
    add("--shape", action="append", metavar="SHAPE",
        help="only this, as '32,8,64,64->8 k3 s2'; may be given several times")
    add("--what", action="append", choices=["fwd", "fwd+bwd", "step", "avx2"],
        help="only this; may be given several times")
    add("--threads", type=int, action="append", metavar="N", help="default 1 and 2")
    add("--peer", action="append", metavar="NAME",
        help="only these libraries beside ours: onednn, xnnpack, torch-usual, torch-best, "
             "onnxruntime, or none")
    add("--rounds", type=int, metavar="N", help="default 5, with --quick 2")
    add("--doc", action="store_true", help="write the tables into doc/performance.md and its "
        "picture")
    add("--build", metavar="FOLDER", default=os.path.join(TOP, "build-bench"),
        help="where the workers are, default build-bench")
    add("--onnxruntime", metavar="FOLDER", default=os.environ.get("COORDCONV_ONNXRUNTIME"),
        help="where npm has installed onnxruntime-node; default $COORDCONV_ONNXRUNTIME")
    add("--allocator", metavar="LIBRARY", default=os.environ.get("COORDCONV_ALLOCATOR"),
        help="preloaded for PyTorch at its best; default jemalloc or tcmalloc if installed")
    return parser.parse_args()


def choose_peers(chosen, args):
    wanted = args.peer or [p.name for p in chosen]
    for peer in chosen:
        if peer.name in wanted and peer.missing:
            measure.say("%s: %s" % (peer.name, peer.missing))
    return [p for p in chosen if p.name in wanted and not p.missing]


def measure_all(bench, args):
    """Records in the order of the list; the machine is measured between shapes."""
    what = args.what or ["fwd", "fwd+bwd", "step", "avx2"]
    threads = args.threads or [1, 2]
    wanted = [shapes.parse(text) for text in args.shape] if args.shape else shapes.SHAPES
    for count in threads:
        bench.start_machine(count)
    for number, shape in enumerate(wanted, 1):
        layer = data.Layer(shape, bench.folder)
        bench.known = {}
        bench.measure_machine(memory=not args.quick or number % 5 == 1)
        for one, isa in (("fwd", "best"), ("fwd+bwd", "best"), ("fwd", "avx2")):
            if ("avx2" if isa == "avx2" else one) in what:
                for count in threads:
                    try:
                        record = bench.measure_layer(layer, one, count, isa)
                    except libraries.Failure as error:  # the others are still worth measuring
                        bench.complaints.append("%s %s not measured: %s" % (shape, one, error))
                        measure.say(bench.complaints[-1])
                        continue
                    measure.say("%2d/%d %s" % (number, len(wanted), report.line_of(record)))
                    yield record
    if "step" in what and not args.shape:
        for step in shapes.STEPS:
            for count in threads:
                record = bench.measure_step(step, count)
                measure.say(report.line_of(record))
                yield record
    bench.measure_machine()


def other_measures(bench, args):
    """What is no time: memory, allocations, size."""
    found = {}
    if not args.shape:
        found["arena"] = bench.resnet_arena()
    layer = data.Layer(shapes.parse("1,64,56,56->64 k3"), bench.folder)
    found["allocations"] = bench.count_allocations(layer)
    found["library"] = report.stripped_size(os.path.join(args.build, "lib", "libcoordconv.so"))
    return found


def main():
    args = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of `finally`
    start = time.monotonic()
    chosen = libraries.make_peers(args.build, sys.executable, args.onnxruntime, args.allocator)
    effort = measure.Effort(args.quick)
    effort.rounds = args.rounds or effort.rounds
    programs = [os.path.join(args.build, "tests", "bench", name)
                for name in ("bench_ours", "bench_machine")]
    machine = programs[1] if os.path.exists(programs[1]) else None
    bench = measure.Bench(programs[0], machine, choose_peers(chosen, args), effort)
    try:
        records = list(measure_all(bench, args))
        others = other_measures(bench, args)
    finally:
        bench.stop()
    run = report.Run(records, bench.figures, others, bench.complaints,
                     {p.name: p.missing for p in chosen}, time.monotonic() - start)
    run.complete()
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            for record in records:
                f.write(json.dumps({**record, "isa": record["ours_isa"]}) + "\n")
    print(run.text())
    if args.doc:
        run.write_doc(TOP)
    return 0


if __name__ == "__main__":
    sys.exit(main())
