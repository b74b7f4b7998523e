# SPDX-License-Identifier: BSD-2-Clause
"""The pages about the experiments, their tables made from the programs' JSON and from nothing else.

usage: report.py OUT          the pages into OUT, from OUT/results
       report.py OUT --doc    the same, and results, pictures and pages into doc/
       report.py --check      are the pages in doc/ what doc/results gives?

In a page a table stands between <!-- results: PROGRAM KIND [WORD...] --> and <!-- end of results -->:
  PROGRAM about             how it was run, when, for how long
  PROGRAM table METRIC...   a line a case: mean (standard deviation) [95 % interval]; with words
                            in="CONDITION" the cases of those conditions
  PROGRAM pivot METRIC      a line a variant, a column a condition; in="CONDITION" chooses columns
  PROGRAM tests             the paired tests between variants; in="CONDITION" chooses some
  PROGRAM cost              operations of training and processor time
  resnet50 nets             sizes and times
  all about                 every program's command, date and time, and the sum
"""
import json
import os
import re
import shlex
import shutil
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOC = os.path.join(TOP, "doc")
PAGES = ["reproduction.md", "periphery.md"]
PROGRAMS = "resnet50 downsample null_result periphery detect vae gan".split()
BLOCK = re.compile(r"(<!-- results: ([^>]*?) -->\n).*?(<!-- end of results -->)", re.S)


def read_results(folder):
    """Of each program that was run its document; resnet50's is a list of lines."""
    results = {}
    for program in PROGRAMS:
        path = os.path.join(folder, program + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            results[program] = ([json.loads(line) for line in text.splitlines()]
                                if program == "resnet50" else json.loads(text))
    return results


# ---- numbers and tables ----

def number(value):
    if value is None:
        return "-"
    if value != 0 and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def interval(line):
    if line["seeds"] < 2:
        return number(line["mean"])
    return (f"{number(line['mean'])} ({number(line['deviation'])}) "
            f"[{number(line['low'])}, {number(line['high'])}]")


def markdown(head, rows):
    lines = [head, ["---"] * len(head)] + rows
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def minutes(seconds):
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.0f} s"


# ---- kinds of tables ----

def cases(document):
    """(condition, variant) of the summary, in its order."""
    return list(dict.fromkeys((s["condition"], s["variant"]) for s in document["summary"]))


def choose(words):
    """Metrics, and the conditions that in= names."""
    metrics = [w for w in words if not w.startswith("in=")]
    return metrics, [w[3:] for w in words if w.startswith("in=")]


def legend(seeds):
    return (f"{seeds} seeds: mean (standard deviation) [95 % interval].\n\n" if seeds > 1 else
            "One seed.\n\n")


def table(document, words):
    metrics, wanted = choose(words)
    cells = {(s["condition"], s["variant"], s["metric"]): s for s in document["summary"]}
    seeds = max((s["seeds"] for s in document["summary"]), default=0)
    rows = []
    for condition, variant in cases(document):
        if wanted and condition not in wanted:
            continue
        row = [cells.get((condition, variant, m)) for m in metrics]
        if any(row):
            rows.append([condition, variant] + [interval(c) if c else "-" for c in row])
    head = ["condition", "variant"] + metrics
    if len({row[0] for row in rows}) < 2:
        head, rows = head[1:], [row[1:] for row in rows]
    return legend(seeds) + markdown(head, rows)


def pivot(document, words):
    (metric,), wanted = choose(words)
    cells = {(s["condition"], s["variant"]): s for s in document["summary"]
             if s["metric"] == metric}
    columns = wanted or list(dict.fromkeys(condition for condition, _ in cells))
    variants = dict.fromkeys(variant for condition, variant in cells if condition in columns)
    rows = [[v] + [interval(cells[c, v]) if (c, v) in cells else "" for c in columns]
            for v in variants]
    return (legend(max((c["seeds"] for c in cells.values()), default=0)) +
            markdown([metric] + columns, rows))


def tests(document, words):
    _, wanted = choose(words)
    rows = [[c["condition"], c["metric"], f"{c['variant']} - {c['against']}", number(c["mean"]),
             f"{number(c['low'])} .. {number(c['high'])}", number(c["p"]), str(c["seeds"])]
            for c in document["comparisons"] if not wanted or c["condition"] in wanted]
    head = ["condition", "metric", "difference", "mean", "95 % interval", "p", "seeds"]
    if not any(row[0] for row in rows):
        head, rows = head[1:], [row[1:] for row in rows]
    return markdown(head, rows)


def seconds_of(document):
    return sum(run["seconds"] for run in document["runs"])


def command_of(document):
    words = [w for w in document["command"][1:] if w != "--resume"]
    for option in ("--out", "--json", "--mnist"):
        if option in words:
            at = words.index(option)
            words[at:at + 2] = ["--mnist DIR"] if option == "--mnist" else []
    return " ".join([document["program"]] + words)


def about(document):
    over = sum(run["stopped"] == "budget" for run in document["runs"])
    return (f"`{command_of(document)}`, {document['date'][:10]}, {document['machine']}: "
            f"{len(document['runs'])} runs in {minutes(seconds_of(document))}"
            + (f", {over} of them ended by their budget" if over else "") + ".\n")


def cost(document):
    """Of programs whose runs give the figure "operations"."""
    operations = sum(run["figures"]["operations"] for run in document["runs"])
    seconds = sum(run["core_seconds"] for run in document["runs"])
    return (f"{len(document['runs'])} runs: {operations:.1e} floating-point operations of training, "
            f"{minutes(seconds)} of one processor core.\n")


def about_all(results):
    documents = [d for p, d in results.items() if p != "resnet50"]
    if not documents:
        return "Not run.\n"
    rows = [[d["program"], f"`{command_of(d)}`", d["date"][:10], str(len(d["runs"])),
             minutes(seconds_of(d))] for d in documents]
    machines = ", ".join(dict.fromkeys(d["machine"] for d in documents))
    return (f"On {machines}; the times are those of the runs, training and judging.\n\n" +
            markdown(["program", "command", "date", "runs", "time"], rows) +
            f"\nTogether {minutes(sum(map(seconds_of, documents)))}.\n")


def nets(lines):
    rows = [[line["net"], f"{line['parameters']:,}", f"{1e3 * line['image_seconds']:.0f} ms",
             f"{line['step_seconds']:.2f} s", f"{line['arena_bytes'] / 1e6:.1f} MB",
             number(line["loss_0"]), number(line["loss_1"])] for line in lines]
    return markdown(["net", "parameters", "one image", "a training step", "arena of inference",
                     "loss before", "after the step"], rows)


def block(results, words):
    program, kind, rest = words[0], words[1], words[2:]
    if program == "all":
        return about_all(results)
    if program not in results:
        return "Not run.\n"
    kinds = {"table": lambda: table(results[program], rest),
             "pivot": lambda: pivot(results[program], rest),
             "tests": lambda: tests(results[program], rest),
             "about": lambda: about(results[program]), "cost": lambda: cost(results[program]),
             "nets": lambda: nets(results[program])}
    return kinds[kind]()


def fill(text, results):
    return BLOCK.sub(lambda m: m[1] + block(results, shlex.split(m[2])) + m[3], text)


# ---- pages ----

def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write_pages(results, folder):
    for page in PAGES:
        text = fill(read(os.path.join(DOC, page)), results)
        with open(os.path.join(folder, page), "w", encoding="utf-8") as file:
            file.write(text)
        print(os.path.join(folder, page))


def take_over(out):
    """Results as they are; of the pictures those that the pages show."""
    shutil.copytree(os.path.join(out, "results"), os.path.join(DOC, "results"), dirs_exist_ok=True)
    shown = set()
    for page in PAGES:
        shown.update(re.findall(r"\]\(pictures/([\w-]+)/([\w.-]+\.png)\)", read(os.path.join(DOC, page))))
    for program, picture in sorted(shown):
        source = os.path.join(out, program, picture)
        if os.path.exists(source):
            os.makedirs(os.path.join(DOC, "pictures", program), exist_ok=True)
            shutil.copy(source, os.path.join(DOC, "pictures", program, picture))


def check():
    results = read_results(os.path.join(DOC, "results"))
    wrong = [page for page in PAGES
             if fill(read(os.path.join(DOC, page)), results) != read(os.path.join(DOC, page))]
    for page in wrong:
        print(f"doc/{page} is not what doc/results gives; write it by examples/reproduce --doc")
    return 1 if wrong else 0


def main(arguments):
    if arguments == ["--check"]:
        return check()
    if not arguments or arguments[1:] not in ([], ["--doc"]):
        print(__doc__)
        return 1
    out = arguments[0]
    write_pages(read_results(os.path.join(out, "results")), out)
    if arguments[1:]:
        take_over(out)
        write_pages(read_results(os.path.join(DOC, "results")), DOC)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
