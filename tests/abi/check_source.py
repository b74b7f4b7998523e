# SPDX-License-Identifier: BSD-2-Clause
"""What can be said of the source tree by reading it: floors, licence lines, size, format.

usage: check_source.py TREE
"""
import collections
import os
import re
import shutil
import subprocess
import sys

import report

ENTRIES = ("meson.build meson_options.txt README.md SECURITY.md COPYING include lib tests examples doc "
           "subprojects .ci .clang-format .editorconfig .gitignore").split()
FLOORS = {"base": 0, "kernels": 1, "core": 2, "ops": 3, "graph": 4, "train": 5, "io": 5,
          "analytic": 5}
MAX_LINES = 800
DATA = (".json", ".npy", ".png", ".safetensors")  # have no comments
CORPUS = "tests/fuzz/corpus/"  # files as they must be, to the byte
tree = sys.argv[1]


def files(*endings):
    """Paths of the tree's files of these endings, any ending if none is given."""
    found = []
    for entry in ENTRIES:
        top = os.path.join(tree, entry)
        if os.path.isfile(top):
            found.append(entry)
        for folder, folders, names in os.walk(top):
            where = os.path.relpath(folder, tree)
            # What Meson or Python leave there is not the tree's.
            folders[:] = [d for d in folders if d != "__pycache__" and
                          (where != "subprojects" or d == "packagefiles")]
            found += [os.path.join(where, name) for name in names]
    return sorted(f for f in found if f.endswith(endings or ("",)))


def read(path):
    with open(os.path.join(tree, path), encoding="utf-8") as f:
        return f.read()


def includes(path):
    """(line number, "<" or a quote, name) of each #include."""
    return [(number, *match.groups())
            for number, line in enumerate(read(path).splitlines(), 1)
            for match in [re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)] if match]


def code(*folders):
    return [f for f in files(".c", ".h", ".inc") if f.split("/")[0] in folders]


def complaint_of_floor(mine, name):
    """What is wrong with a file of floor `mine` including "name", or None."""
    theirs = name.split("/")[0]
    if theirs not in FLOORS or "/" not in name:
        return "is not written from lib/, as floor/file.h"
    if mine == "analytic" and theirs not in ("analytic", "base", "core"):
        return "is internal; analytic builds by public calls, base and core are for reporting"
    if theirs != mine and FLOORS[theirs] >= FLOORS[mine]:
        return "is on floor %d, this file on %d" % (FLOORS[theirs], FLOORS[mine])
    return None


def no_include_runs_up_a_floor():
    complaints = []
    for path in code("lib"):
        mine = path.split("/")[1]
        if mine not in FLOORS:
            complaints.append("%s: not in a folder that has a floor" % path)
            continue
        for number, bracket, name in includes(path):
            if bracket == '"':
                wrong = complaint_of_floor(mine, name)
                if wrong:
                    complaints.append('%s:%d: "%s" %s' % (path, number, name, wrong))
    return complaints


def public_headers_include_only_each_other():
    return ["%s:%d: %s" % (path, number, name) for path in code("include")
            for number, bracket, name in includes(path)
            if name not in ("stddef.h", "stdint.h") and
            not (bracket == "<" and name.startswith("coordconv/"))]


def examples_use_the_public_headers_alone():
    return ["%s:%d: %s" % (path, number, name) for path in code("examples")
            for number, bracket, name in includes(path)
            if bracket == '"' and name.split("/")[0] in FLOORS]


def every_file_names_its_licence():
    complaints = []
    for path in files():
        if path == "COPYING" or path.endswith(DATA) or path.startswith(CORPUS):
            continue
        head = "\n".join(read(path).splitlines()[:3])
        if "SPDX-License-Identifier: BSD-2-Clause" not in head:
            complaints.append("%s: no SPDX line at its beginning" % path)
    return complaints


def no_file_is_too_long():
    return ["%s: %d lines, the limit is %d" % (path, lines, MAX_LINES) for path in files(".c", ".h")
            for lines in [len(read(path).splitlines())] if lines > MAX_LINES]


def clang_format_has_nothing_to_change():
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    version = subprocess.run([tool, "--version"], capture_output=True, text=True) if tool else None
    if not tool or " 14." not in version.stdout:  # other versions lay out some lines otherwise
        raise report.Skip("no clang-format 14")
    changes = subprocess.run([tool, "--dry-run", "-Werror"] + files(".c", ".h"), cwd=tree,
                             capture_output=True, text=True)
    places = collections.Counter(re.findall(r"^(\S+?):\d+:\d+: error", changes.stderr, re.M))
    return ["%s: %d places" % place for place in sorted(places.items())]


sys.exit(report.run([
    no_include_runs_up_a_floor,
    public_headers_include_only_each_other,
    examples_use_the_public_headers_alone,
    every_file_names_its_licence,
    no_file_is_too_long,
    clang_format_has_nothing_to_change,
]))
