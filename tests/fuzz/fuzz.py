# SPDX-License-Identifier: BSD-2-Clause
"""Let a libFuzzer target run for some seconds and say how often it ran.

usage: fuzz.py TARGET CORPUS [SECONDS], which default to $COORDCONV_FUZZ_SECONDS, then to 60
New inputs are collected in a folder beside the target, where the next run goes on from; an input
that breaks something stays there, and is an error.
"""
import os
import re
import subprocess
import sys

target, corpus = sys.argv[1:3]
seconds = int(sys.argv[3] if len(sys.argv) > 3 else os.environ.get("COORDCONV_FUZZ_SECONDS", 60))
name = os.path.basename(target).replace("fuzz_", "", 1)
found = target + ".found"
os.makedirs(found, exist_ok=True)
# A leak would be one of every input that takes the same way: looked for at the end alone.
done = subprocess.run(
    [target, found, corpus, "-max_total_time=%d" % seconds, "-max_len=4096", "-timeout=10",
     "-rss_limit_mb=1024", "-print_final_stats=1", "-verbosity=1",
     "-artifact_prefix=%s%s" % (target, ".broken-")],
    stderr=subprocess.PIPE, text=True, errors="replace")
executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
covered = re.findall(r"cov: (\d+)", done.stderr)
if done.returncode != 0 or executions is None:
    print(done.stderr[-6000:])
    sys.exit("%s: exit status %d" % (name, done.returncode))
print("%s: %s executions in %d s, %s places of the code reached" % (
    name, executions.group(1), seconds, covered[-1]))
