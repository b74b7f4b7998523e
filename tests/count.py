# SPDX-License-Identifier: BSD-2-Clause
"""Add up Meson's test logs. A program that reports its cases in TAP counts as its
cases, any other as one.

usage: count.py [LOG | --skipped REASON | --of FOLDER LOG]...
--of: the log must have a program NAME for each test_NAME.c of the folders in FOLDER.
Last line: N passed, N failed[, N skipped]. Exit status 1 if anything failed or nothing ran.
"""
import json
import pathlib
import re
import sys

CASE = re.compile(r"^(not )?ok \d+(.*)$", re.M)
GOOD = ("OK", "EXPECTEDFAIL")


def count_program(test):
    """Passed, failed and skipped cases of one program."""
    if test["result"] == "SKIP":
        return 0, 0, 1
    passed = failed = skipped = 0
    for refused, rest in CASE.findall(test.get("stdout", "")):
        if "# SKIP" in rest:
            skipped += 1
        elif refused:
            failed += 1
        else:
            passed += 1
    if test["result"] not in GOOD:
        failed = max(failed, 1)  # also where it died before it could say so
    elif passed + failed + skipped == 0:
        passed = 1
    return passed, failed, skipped


def complain_of_missing(folder, log):
    """Sources of tests that did not run: a program can drop out of the build unnoticed."""
    with open(log, encoding="utf-8") as f:
        ran = {json.loads(line)["name"].split(" / ")[-1] for line in f}
    missing = [str(source) for source in sorted(pathlib.Path(folder).glob("*/test_*.c"))
               if source.stem[len("test_"):] not in ran]
    if missing:
        raise ValueError("did not run: " + ", ".join(missing))


def count_log(path):
    """The same for a log, and the names of programs that failed or were skipped."""
    total = [0, 0, 0]
    notes = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            test = json.loads(line)
            numbers = count_program(test)
            total = [a + b for a, b in zip(total, numbers)]
            if numbers[1]:
                notes.append("failed: %s (%d)" % (test["name"], numbers[1]))
            elif numbers[2]:
                notes.append("skipped: %s (%d)" % (test["name"], numbers[2]))
    if sum(total) == 0:
        raise ValueError("no test ran")
    return total, notes


def main(arguments):
    total = [0, 0, 0]
    while arguments:
        argument = arguments.pop(0)
        if argument == "--skipped":
            print("skipped: " + arguments.pop(0))
            total[2] += 1
            continue
        try:
            if argument == "--of":
                folder, argument = arguments.pop(0), arguments.pop(0)
                complain_of_missing(folder, argument)
            numbers, notes = count_log(argument)
        except (OSError, ValueError) as error:  # not built, not begun, nothing in it
            numbers, notes = [0, 1, 0], ["failed: %s: %s" % (argument, error)]
        print("%s: %d passed, %d failed, %d skipped" % (argument, *numbers))
        for note in notes:
            print("  " + note)
        total = [a + b for a, b in zip(total, numbers)]
    passed, failed, skipped = total
    print("%d passed, %d failed" % (passed, failed) + (", %d skipped" % skipped if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
