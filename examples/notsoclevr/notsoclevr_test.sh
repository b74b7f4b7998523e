#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# notsoclevr_test.sh - a short run of the main job, and what it must leave behind.
# Usage: notsoclevr_test.sh path/to/notsoclevr
set -eu

program=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

fail() {
    echo "notsoclevr_test: $1" >&2
    exit 1
}

# The nets wired by hand are exact at every position, and need no training.
"$program" --net analytic --threads 1 --quiet --out "$out/a" >"$out/table"
[ "$(grep -c '"net": "analytic"' "$out/a/results.json")" -eq 6 ] || fail "not six results"
[ "$(grep -c '"train_right": 1, "test_right": 1' "$out/a/results.json")" -eq 6 ] ||
    fail "an analytic net is wrong somewhere"
[ "$(grep -c '^| .*analytic' "$out/a/table.md")" -eq 12 ] || fail "table.md is not complete"
for picture in "$out"/a/*.png; do
    [ "$(dd if="$picture" bs=1 skip=1 count=3 2>/dev/null)" = PNG ] || fail "$picture is no PNG"
done
[ "$(ls "$out"/a/*.png | wc -l)" -eq 7 ] || fail "not seven pictures"

# A learned net, the same figures on one thread and on two; the parameters the paper's table gives.
for threads in 1 2; do
    "$program" --task regression --split quadrant --net coordconv --epochs 1 --budget 200 \
        --threads $threads --quiet --out "$out/b" --json "$out/$threads.json" >/dev/null
    sed 's/"seconds": [0-9.e-]*, "threads": [0-9]*//' "$out/$threads.json" >"$out/$threads.plain"
done
cmp "$out/1.plain" "$out/2.plain" || fail "two threads compute something else than one"
grep -q '"parameters": 906,' "$out/1.json" || fail "not 906 parameters"

# A budget ends a run, and so does an interrupt; both leave a result.
"$program" --task classification --split uniform --net baseline --budget 2 --threads 1 --quiet \
    --out "$out/c" >/dev/null
grep -q '"stopped": "budget"\|"stopped": "schedule"' "$out/c/results.json" || fail "no end by budget"
"$program" --task rendering --split quadrant --net coordconv --budget 200 --threads 1 --quiet \
    --out "$out/d" >/dev/null 2>&1 &
running=$!
sleep 2
kill -INT $running
status=0
wait $running || status=$?
[ $status -eq 130 ] || fail "status $status after an interrupt"
grep -q '"parameters": 11850,.*"stopped": "interrupted"' "$out/d/results.json" ||
    fail "an interrupted run left no result"

# What is not understood is refused, with the reason.
for wrong in --seeds=0 --task=nothing --budget=x --nothing stray; do
    if "$program" "$wrong" --out "$out/e" 2>"$out/message"; then
        fail "$wrong was accepted"
    fi
    grep -q "notsoclevr: " "$out/message" || fail "no word about $wrong"
done
[ ! -e "$out/e" ] || fail "a refused command left a folder"
"$program" --help | grep -q -- '--budget' || fail "--help does not help"
