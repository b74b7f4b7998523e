# SPDX-License-Identifier: BSD-2-Clause
"""The pages about the experiments, their tables made from the programs' JSON and from nothing else.

usage: report.py OUT          the pages into OUT, from OUT/results
       report.py OUT --doc    the same, and results, pictures and pages into doc/
       report.py --write      the pages in doc/, from doc/results
       report.py --check      are the pages in doc/ what doc/results gives?

In a page a table stands between <!-- results: PROGRAM KIND [WORD...] --> and <!-- end of results
-->. in="CONDITION" and of="VARIANT", as often as wanted, choose cases:
  PROGRAM about             how it was run, when, for how long
  PROGRAM table METRIC...   a line a case: mean (standard deviation) [95 % interval]
  PROGRAM pivot METRIC      a line a variant, a column a condition
  PROGRAM each METRIC...    a line a run
  PROGRAM above LIMIT METRIC...   the same of the runs whose first METRIC is above LIMIT
  PROGRAM tests             the paired tests between variants
  PROGRAM relative VARIANT AGAINST METRIC...   the mean of a seed's ratio of the two, less 1
  PROGRAM budget            parameters, steps and time of a run
  PROGRAM cost              operations of training and processor time
  resnet50 nets             sizes and times
  all about                 every program's command, date and time, and the whole script's; that of
                            a quick run, too, whose results/reproduce.json was copied to
                            doc/results/reproduce-quick.json
"""
import json
import os
import re
import shlex
import shutil
import sys

from report_tables import block, describe, values_of

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOC = os.path.join(TOP, "doc")
PAGES = ["reproduction.md", "periphery.md"]
PROGRAMS = "resnet50 downsample null_result periphery detect vae gan".split()
# Of the run that the results are from; and of a quick one, whose time alone is told.
RECORDS = ["reproduce", "reproduce-quick"]
BLOCK = re.compile(r"(<!-- results: ([^>]*?) -->\n).*?(<!-- end of results -->)", re.S)
PICTURE = re.compile(r"!\[[^\]]*\]\(pictures/([\w-]+/[\w.-]+\.png)\)\n*")
LINK = re.compile(r"\]\(([\w.-]+\.md)(#[\w-]+)?\)")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def read_results(folder):
    """Of each program that was run its document, and the records of the script that ran them."""
    results = {}
    for program in PROGRAMS + RECORDS:
        path = os.path.join(folder, program + ".json")
        if os.path.exists(path):
            results[program] = json.loads(read(path))
    return results


# ---- pages ----

def fill(text, results):
    return BLOCK.sub(lambda m: m[1] + block(results, shlex.split(m[2])) + m[3], text)


def move(text, folder):
    """For a page outside doc/: pictures as the programs left them, none where one has left none;
    links to pages that stay in doc/."""
    def picture(match):
        there = os.path.exists(os.path.join(folder, match[1]))
        return match[0].replace("(pictures/", "(") if there else ""

    def link(match):
        if match[1] in PAGES:
            return match[0]
        return f"]({os.path.relpath(os.path.join(DOC, match[1]), folder)}{match[2] or ''})"

    return LINK.sub(link, PICTURE.sub(picture, text))


def write_page(page, text, folder):
    with open(os.path.join(folder, page), "w", encoding="utf-8") as file:
        file.write(text)
    print(os.path.join(folder, page))


def write_doc():
    results = read_results(os.path.join(DOC, "results"))
    for page in PAGES:
        write_page(page, fill(read(os.path.join(DOC, page)), results), DOC)


def without_folders(text):
    """Results with the last part of each path in the command: folders say nothing."""
    return re.sub(r'"command": \[.*?\]', lambda m: re.sub(r'"/[^"]*/', '"', m[0]), text, count=1,
                  flags=re.S)


def take_over(out):
    """Results as they are but for folders; of the pictures those that the pages show."""
    os.makedirs(os.path.join(DOC, "results"), exist_ok=True)
    for name in os.listdir(os.path.join(out, "results")):
        with open(os.path.join(DOC, "results", name), "w", encoding="utf-8") as file:
            file.write(without_folders(read(os.path.join(out, "results", name))))
    shown = set()
    for page in PAGES:
        shown.update(PICTURE.findall(read(os.path.join(DOC, page))))
    for picture in sorted(shown):
        source = os.path.join(out, picture)
        if os.path.exists(source):
            target = os.path.join(DOC, "pictures", picture)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(source, target)


def write(out, is_for_doc):
    results = read_results(os.path.join(out, "results"))
    for page in PAGES:
        write_page(page, move(fill(read(os.path.join(DOC, page)), results), out), out)
    if is_for_doc:
        take_over(out)
        write_doc()


# ---- checks ----

def disagreements(program, document):
    """Where our statistics are not those of the program."""
    for line in document.get("summary", []):
        case = (line["condition"], line["variant"])
        ours = describe([v for v in values_of(document, case, line["metric"]) if v is not None])
        scale = abs(line["mean"]) + (line["deviation"] or 0) + 1e-12
        for name in ("mean", "low", "high"):
            if (ours[name] is None) != (line[name] is None) or \
                    ours[name] is not None and abs(ours[name] - line[name]) > 1e-8 * scale:
                yield f"{program}: {' '.join(case)}: {line['metric']}: {name} {line[name]}, " \
                      f"here {ours[name]}"


def check():
    results = read_results(os.path.join(DOC, "results"))
    wrong = [f"doc/{page} is not what doc/results gives; write it by examples/report.py --write"
             for page in PAGES
             if fill(read(os.path.join(DOC, page)), results) != read(os.path.join(DOC, page))]
    for program in PROGRAMS:
        wrong += disagreements(program, results.get(program, {}))
    for line in wrong:
        print(line)
    return 1 if wrong else 0


def main(arguments):
    if arguments == ["--check"]:
        return check()
    if arguments == ["--write"]:
        write_doc()
        return 0
    if not arguments or arguments[0].startswith("-") or arguments[1:] not in ([], ["--doc"]):
        print(__doc__)
        return 1
    write(arguments[0], is_for_doc=bool(arguments[1:]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
