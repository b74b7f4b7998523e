#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# experiment_test.sh - what every experiment promises: the same figures on one thread and on two,
# and after a pause; results that are whole; wrong options refused.
# usage: experiment_test.sh PROGRAM STEPS [OPTION...]   options make the run small
set -eu

program=$1
steps=$2
shift 2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

fail()
{
    echo "experiment_test: $1" >&2
    exit 1
}

# Everything but when and how fast.
plain()
{
    sed -e '/seconds":/d; /"date":/d; /"id":/d' -e '/"command": \[/,/\]/d' "$1"
}

"$program" "$@" --quick --seeds 1 --steps "$steps" --threads 1 --quiet --out "$out/a" >"$out/table"
"$program" "$@" --quick --seeds 1 --steps "$steps" --threads 2 --quiet --out "$out/b" >/dev/null
plain "$out/a/results.json" >"$out/a.plain"
plain "$out/b/results.json" >"$out/b.plain"
cmp "$out/a.plain" "$out/b.plain" || fail "two threads give other figures than one"
grep -q '"stopped": "schedule"' "$out/a/results.json" || fail "no run came to its end"
grep -q '"metric":' "$out/a/results.json" || fail "no summary"
if grep -q '"figures": {}' "$out/a/results.json"; then fail "a run without figures"; fi

# Paused within a run and resumed, until nothing is left to do.
status=0
"$program" "$@" --quick --seeds 1 --steps "$steps" --threads 1 --quiet --out "$out/c" \
    --pause-at $((steps / 2)) >/dev/null 2>&1 || status=$?
[ $status -eq 130 ] || fail "status $status after a pause"
ls "$out"/c/*.checkpoint-* >/dev/null 2>&1 || fail "a pause left no checkpoint"
"$program" "$@" --quick --seeds 1 --steps "$steps" --threads 1 --quiet --out "$out/c" --resume \
    >"$out/table-c"
cmp "$out/table" "$out/table-c" || fail "a resumed run gives other figures"
plain "$out/c/results.json" >"$out/c.plain"
cmp "$out/a.plain" "$out/c.plain" || fail "a resumed run leaves other results"
if ls "$out"/c/*.checkpoint-* >/dev/null 2>&1; then fail "checkpoints left behind"; fi
for picture in "$out"/a/*.png; do
    [ "$(dd if="$picture" bs=1 skip=1 count=3 2>/dev/null)" = PNG ] || fail "$picture is no PNG"
done

# Resuming what was made with other options is refused, and so is what is not understood.
if "$program" "$@" --quick --seeds 1 --steps $((steps + 1)) --quiet --out "$out/c" --resume \
    >/dev/null 2>"$out/message"; then
    fail "resumed with other options"
fi
grep -q "other options" "$out/message" || fail "no word about other options"
for wrong in --seeds=0 --budget=x --nothing stray; do
    if "$program" "$wrong" --out "$out/d" 2>"$out/message"; then
        fail "$wrong was accepted"
    fi
    [ -s "$out/message" ] || fail "no word about $wrong"
done
[ ! -e "$out/d" ] || fail "a refused command left a folder"
"$program" --help | grep -q -- '--pause-at' || fail "--help does not help"
