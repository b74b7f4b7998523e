#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check_exports.py MAP FOLDER - every function of the version map is called by an API test.

A new export without a test in FOLDER fails here.
"""
import pathlib
import re
import sys


def exported(text):
    """Names of the global sections; the local one is a star."""
    return re.findall(r"^\s*(coordconv_\w+);", text, re.M)


def called(text):
    """Names followed by an opening parenthesis, comments and strings left out."""
    text = re.sub(r'/\*.*?\*/|//[^\n]*|"(\\.|[^"\\\n])*"', " ", text, flags=re.S)
    return set(re.findall(r"\b(coordconv_\w+)\s*\(", text))


def main():
    version_map, folder = map(pathlib.Path, sys.argv[1:3])
    names = exported(version_map.read_text())
    calls = set().union(*(called(p.read_text()) for p in sorted(folder.glob("*.c"))))
    missing = [n for n in names if n not in calls]
    for name in missing:
        print(f"{name} is exported, but no test in {folder.name}/ calls it")
    if len(names) < 50:
        print(f"{version_map.name} lists {len(names)} functions: is it still read rightly?")
    return 1 if missing or len(names) < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
