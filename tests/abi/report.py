# SPDX-License-Identifier: BSD-2-Clause
"""Run checks and report them in TAP.

A check is a function without arguments that returns its complaints, one a
string: none means it passed. It raises Skip where it cannot be run.
"""
import traceback


class Skip(Exception):
    pass


def run(checks):
    """Exit status: 0 if no check complained."""
    failed = 0
    print("1..%d" % len(checks))
    for number, check in enumerate(checks, 1):
        name = check.__name__.replace("_", " ")
        try:
            complaints = check()
        except Skip as reason:
            print("ok %d # SKIP %s: %s" % (number, name, reason), flush=True)
            continue
        except Exception as error:  # the other checks still have something to say
            complaints = [traceback.format_exc(limit=-1) + str(getattr(error, "stderr", ""))]
        print("%sok %d - %s" % ("not " if complaints else "", number, name))
        for complaint in complaints:
            print("\n".join("# " + line for line in complaint.splitlines()))
        print(end="", flush=True)
        failed += bool(complaints)
    return 1 if failed else 0
