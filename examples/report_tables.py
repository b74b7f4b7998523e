# SPDX-License-Identifier: BSD-2-Clause
"""The tables of the pages about the experiments, from the programs' JSON documents.

Means, deviations and intervals are computed here from the runs; `report.py --check` compares them
with those the programs have computed.
"""
import math


# ---- statistics ----

def student_within(t, freedom):
    """How probable it is that Student's t lies between -t and t; the series ends by itself."""
    angle = math.atan(t / math.sqrt(freedom))
    c, s = math.cos(angle), math.sin(angle)
    is_odd = freedom % 2
    term, total = (c if is_odd else 1), 0
    for i in range(is_odd, freedom - 1, 2):
        total += term
        term *= (i + 1) / (i + 2) * c * c
    return 2 / math.pi * (angle + s * total) if is_odd else s * total


def student_quantile(within, freedom):
    low, high = 0, 1
    while student_within(high, freedom) < within:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        if student_within(middle, freedom) < within:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def describe(values):
    """Mean, deviation, interval and p (of a mean of 0) of a few numbers."""
    count = len(values)
    mean = math.fsum(values) / count
    line = {"seeds": count, "mean": mean, "deviation": None, "low": None, "high": None, "p": None}
    if count > 1:
        deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (count - 1))
        error = deviation / math.sqrt(count)
        margin = student_quantile(0.95, count - 1) * error
        line.update(deviation=deviation, low=mean - margin, high=mean + margin)
        if deviation > 0:
            line["p"] = 1 - student_within(abs(mean) / error, count - 1)
    return line


# ---- numbers and tables ----

def number(value):
    if value is None:
        return "-"
    if value != 0 and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def probability(line):
    """p is 1 less a sum of terms near 1, so that nothing below 1e-14 means anything."""
    if line["seeds"] < 2:
        return "-"
    if line["deviation"] == 0:
        return "no spread"
    return "< 1e-14" if line["p"] < 1e-14 else number(line["p"])


def span(line):
    return "-" if line["seeds"] < 2 else f"{number(line['low'])} .. {number(line['high'])}"


def cell(values, most):
    """Of the values of a case's runs, those not finite being None; most: what the legend says."""
    finite = [v for v in values if v is not None]
    if not values:
        return "-"
    if not finite:
        return f"none of {len(values)} finite"
    line = describe(finite)
    text = number(line["mean"])
    if line["seeds"] > 1:
        text += f" ({number(line['deviation'])}) [{number(line['low'])}, {number(line['high'])}]"
    if len(finite) < len(values):
        return f"{text}, {len(finite)} of {len(values)} finite"
    return text if len(finite) == most else f"{text}, n = {len(finite)}"


def markdown(head, rows):
    lines = [head, ["---"] * len(head)] + rows
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def without_single_first(head, rows):
    """The column of the condition, where there is but one."""
    if len({row[0] for row in rows}) < 2:
        return head[1:], [row[1:] for row in rows]
    return head, rows


def duration(seconds):
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.0f} s"


# ---- what a document has ----

def cases(document, words=()):
    """(condition, variant) of the runs, in their order, or the conditions in that of the words."""
    conditions = [w[3:] for w in words if w.startswith("in=")]
    variants = [w[3:] for w in words if w.startswith("of=")]
    chosen = [(condition, variant) for condition, variant in
              dict.fromkeys((r["condition"], r["variant"]) for r in document["runs"])
              if condition in (conditions or [condition]) and variant in (variants or [variant])]
    return sorted(chosen, key=lambda case: conditions.index(case[0])) if conditions else chosen


def metrics_of(words):
    return [w for w in words if not w.startswith(("in=", "of="))]


def runs_of(document, case):
    return [r for r in document["runs"] if (r["condition"], r["variant"]) == case]


def values_of(document, case, metric):
    """Of the runs that have this figure, or this property; None where it is not finite."""
    found = [r["figures"] if metric in r["figures"] else r for r in runs_of(document, case)]
    return [f[metric] for f in found if metric in f]


def most_seeds(document, chosen, metrics):
    return max((len(values_of(document, c, m)) for c in chosen for m in metrics), default=0)


def legend(seeds):
    return (f"{seeds} seeds: mean (standard deviation) [95 % interval].\n\n" if seeds > 1 else
            "One seed.\n\n")


# ---- kinds of tables ----

def table(document, words):
    metrics = metrics_of(words)
    chosen = cases(document, words)
    most = most_seeds(document, chosen, metrics)
    rows = []
    for case in chosen:
        values = [values_of(document, case, m) for m in metrics]
        if any(values):
            rows.append(list(case) + [cell(v, most) for v in values])
    head, rows = without_single_first(["condition", "variant"] + metrics, rows)
    return legend(most) + markdown(head, rows)


def pivot(document, words):
    (metric,) = metrics_of(words)
    chosen = cases(document, words)
    columns = list(dict.fromkeys(condition for condition, _ in chosen))
    most = most_seeds(document, chosen, [metric])
    rows = [[variant] + [cell(values_of(document, (c, variant), metric), most)
                         if (c, variant) in chosen else "" for c in columns]
            for variant in dict.fromkeys(variant for _, variant in chosen)]
    return legend(most) + markdown([metric] + columns, rows)


def list_runs(document, words, metrics, is_wanted):
    rows = []
    for case in cases(document, words):
        for run in runs_of(document, case):
            values = [run["figures"].get(m) for m in metrics]
            if any(v is not None for v in values) and is_wanted(run):
                rows.append(list(case) + [str(run["seed"])] + [number(v) for v in values])
    head = ["condition", "variant", "seed"] + metrics
    if not any(row[0] for row in rows):
        head, rows = head[1:], [row[1:] for row in rows]
    return markdown(head, rows) if rows else "None.\n"


def each(document, words):
    return list_runs(document, words, metrics_of(words), lambda run: True)


def above(document, words):
    limit, *metrics = metrics_of(words)
    return list_runs(document, words, metrics,
                     lambda run: (run["figures"].get(metrics[0]) or 0) > float(limit))


def tests(document, words):
    conditions = [w[3:] for w in words if w.startswith("in=")]
    rows = [[c["condition"], c["metric"], f"{c['variant']} - {c['against']}", number(c["mean"]),
             span(c), probability(c), str(c["seeds"])]
            for c in document.get("comparisons", [])
            if not conditions or c["condition"] in conditions]
    head, rows = without_single_first(
        ["condition", "metric", "difference", "mean", "95 % interval", "p", "seeds"], rows)
    return markdown(head, rows)


def pairs(document, condition, variants, metric):
    """Figures of two variants, of the seeds for which both are finite."""
    ours, theirs = ({r["seed"]: r["figures"].get(metric) for r in
                     runs_of(document, (condition, variant))} for variant in variants)
    return [(ours[seed], theirs[seed]) for seed in ours
            if ours[seed] is not None and theirs.get(seed) is not None]


def relative(document, words):
    variant, against, *metrics = metrics_of(words)
    rows = []
    for condition in dict.fromkeys(condition for condition, _ in cases(document, words)):
        for metric in metrics:
            both = pairs(document, condition, (variant, against), metric)
            if both and all(b != 0 for _, b in both):
                line = describe([100 * (a / b - 1) for a, b in both])
                rows.append([condition, metric, number(line["mean"]), span(line),
                             probability(line), str(line["seeds"])])
    head, rows = without_single_first(
        ["condition", "metric", f"{variant} against {against}, %", "95 % interval", "p", "seeds"],
        rows)
    return markdown(head, rows)


def budget(document, words):
    """What a run had and took."""
    parts = list(dict.fromkeys(name for run in document["runs"] for name in run["figures"]
                               if name.endswith("-parameters")))
    rows = []
    for case in cases(document, words):
        runs = [r for r in runs_of(document, case) if r["steps"] > 0]
        if not runs:
            continue
        counts = [runs[0]["parameters"]] + [runs[0]["figures"].get(part, 0) for part in parts]
        times = [[r[kind] for r in runs] for kind in ("seconds", "core_seconds")]
        rows.append(list(case) + [f"{count:,.0f}" for count in counts] +
                    [f"{runs[0]['steps']:,}"] + [f"{min(t):.0f} .. {max(t):.0f}" for t in times])
    head, rows = without_single_first(["condition", "variant", "parameters"] + parts +
                                     ["steps", "seconds a run", "core-seconds a run"], rows)
    return markdown(head, rows)


def cost(document, _):
    """Of programs whose runs give the figure "operations"; beside the paper's ImageNet runs."""
    operations = sum(run["figures"]["operations"] for run in document["runs"])
    seconds = core_seconds_of(document)
    return markdown(["", "runs", "floating-point operations of training", "processors"],
                    [["here", str(len(document["runs"])), f"{operations:.1e}",
                      f"one core for {seconds / 3600:.2f} hours"],
                     ["the paper", "10", "not told; about 3e+19 by the estimate below",
                      "100 GPUs, for how long is not told"]])


# ---- how it was run ----

def seconds_of(document):
    return sum(run["seconds"] for run in document["runs"])


def core_seconds_of(document):
    return sum(run["core_seconds"] for run in document["runs"])


def drew_digits(document):
    """Where there are digits: were any drawn in place of MNIST's?"""
    said = [run["figures"]["digits_drawn"] for run in document["runs"]
            if "digits_drawn" in run["figures"]]
    if said:
        return any(said)
    return document["settings"].get("mnist") is False


def command_of(document):
    words = [w for w in document["command"][1:] if w != "--resume"]
    for option in ("--out", "--json", "--mnist"):
        if option in words:
            at = words.index(option)
            keep = option == "--mnist" and "mnist" in document["settings"] and \
                not drew_digits(document)
            words[at:at + 2] = ["--mnist DIR"] if keep else []
    return " ".join([document["program"]] + words)


def count_runs(document):
    return len(document["runs"])


def failures(document):
    """Runs that ended early, and those that gave a figure which is not finite."""
    runs = document["runs"]
    over = sum(run["stopped"] == "budget" for run in runs)
    broken = sum(any(v is None for v in run["figures"].values()) for run in runs)
    return ([f"{over} ended by their budget"] if over else []) + \
        ([f"{broken} with a figure that is not finite"] if broken else [])


def outcome(program, results):
    """How a program itself ended, where that is not well."""
    entry = results.get("reproduce", {}).get("programs", {}).get(program, {"status": 0})
    if entry["status"] == 0:
        return ""
    if entry["status"] is None:
        return f"**`{program}` was not run to its end.**"
    return f"**`{program}` failed, with status {entry['status']}.**"


def about(document, _):
    text = (f"`{command_of(document)}`, {document['date'][:10]}, {document['machine']}: "
            f"{count_runs(document)} runs in {duration(seconds_of(document))}")
    if drew_digits(document):
        text += "; the digits were drawn, not MNIST's"
    for failure in failures(document):
        text += f"; {failure}"
    return text + ".\n"


def calls(record):
    """Of the whole script."""
    made = [call for call in record["calls"] if call["seconds"] > 0]
    jobs = sorted({call["jobs"] for call in made})
    machines = ", ".join(dict.fromkeys(call["machine"] for call in made))
    lengths = " and ".join(duration(call["seconds"]) for call in made)
    return (f"All of it, `./examples/reproduce --{record['length']}"
            f"{' --mnist DIR' if record['mnist'] else ''}`, on {machines}: "
            f"{duration(record['seconds'])} by the clock, {' or '.join(map(str, jobs))} "
            f"program{'s' if jobs != [1] else ''} at a time"
            + (f", in {len(made)} calls of {lengths}" if len(made) > 1 else "") + ".\n")


def about_all(results):
    documents = {p: d for p, d in results.items() if "runs" in d}
    records = [d for d in results.values() if "calls" in d]
    if not documents:
        return "Not run.\n"
    rows = [[program, f"`{command_of(d)}`", d["date"][:10], str(count_runs(d)),
             duration(seconds_of(d)) if seconds_of(d) > 0 else "-",
             ", ".join(failures(d)) or "none"] for program, d in documents.items()]
    machines = ", ".join(dict.fromkeys(d["machine"] for d in documents.values() if d["machine"]))
    text = (f"On {machines}; the times are those of the runs, training and judging.\n\n" +
            markdown(["program", "command", "date", "runs", "time", "failed or cut short"], rows) +
            f"\nThe runs together: {duration(sum(map(seconds_of, documents.values())))}, "
            f"{duration(sum(map(core_seconds_of, documents.values())))} of one core.\n")
    for program in results.get("reproduce", {}).get("programs", {}):
        ended = outcome(program, results)
        text += f"\n{ended}\n" if ended else ""
    return text + "".join("\n" + calls(record) for record in records)


# ---- resnet50 ----

def nets(document, words):
    """Sizes and times of each net, the least of the runs, as others may have disturbed them."""
    def least(case, metric, scale=1):
        return scale * min(values_of(document, case, metric), default=math.nan)

    chosen = cases(document, words)
    most = most_seeds(document, chosen, ["loss_before"])
    rows = [[case[1], f"{runs_of(document, case)[0]['parameters']:,}",
             f"{least(case, 'image_seconds', 1e3):.0f} ms", f"{least(case, 'step_seconds'):.2f} s",
             f"{least(case, 'arena_bytes', 1e-6):.1f} MB",
             cell(values_of(document, case, "loss_before"), most),
             cell(values_of(document, case, "loss_after"), most)] for case in chosen]
    return legend(most) + markdown(["net", "parameters", "one image", "a training step",
                                    "arena of inference", "loss before", "after the steps"], rows)


# ---- blocks ----

KINDS = {"table": table, "pivot": pivot, "each": each, "above": above, "tests": tests,
         "relative": relative, "budget": budget, "cost": cost, "about": about, "nets": nets}


def block(results, words):
    """What stands in a page for these words."""
    program, kind, rest = words[0], words[1], words[2:]
    if program == "all":
        return about_all(results)
    ended = outcome(program, results)
    if program not in results:
        return (ended or "Not run.") + "\n"
    if not results[program]["runs"]:
        return (ended or "No run has ended.") + "\n"
    text = KINDS[kind](results[program], rest)
    return f"{ended} {text}" if ended and kind == "about" else text
