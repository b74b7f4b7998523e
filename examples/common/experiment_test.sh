#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# experiment_test.sh - what every experiment promises: the same figures on one thread and on two,
# and after pauses; results that are whole; nothing overwritten; wrong options refused.
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

# Everything but when, how fast and in how much memory.
plain()
{
    sed -e '/"metric": ".*_\(seconds\|bytes\)"/,/}/d' -e '/_bytes":/d' \
        -e '/seconds":/d; /"date":/d; /"id":/d' -e '/"command": \[/,/\]/d' "$1"
}

table()
{
    grep -v '_seconds\|_bytes' "$1"
}

# A short call into the folder $1, with the further options.
short()
{
    folder=$1
    shift
    "$program" --quick --seeds 1 --steps "$steps" --quiet --out "$out/$folder" "$@"
}

short a "$@" --threads 1 >"$out/table" 2>"$out/message"
[ ! -s "$out/message" ] || fail "not quiet: $(cat "$out/message")"
short b "$@" --threads 2 >/dev/null
plain "$out/a/results.json" >"$out/a.plain"
plain "$out/b/results.json" >"$out/b.plain"
cmp "$out/a.plain" "$out/b.plain" || fail "two threads give other figures than one"
grep -q '"stopped": "schedule"' "$out/a/results.json" || fail "no run came to its end"
grep -q '"metric":' "$out/a/results.json" || fail "no summary"
if grep -q '"figures": {}' "$out/a/results.json"; then fail "a run without figures"; fi

# Paused within the first run; resumed and paused within a later one; resumed until nothing is left.
# Without --resume nothing of it is lost.
for more in '' --resume; do
    status=0
    # shellcheck disable=SC2086
    short c "$@" --threads 1 --pause-at $((steps / 2)) $more >/dev/null 2>&1 || status=$?
    [ $status -eq 130 ] || fail "status $status after a pause $more"
    ls "$out"/c/*.checkpoint-* >/dev/null 2>&1 || fail "a pause left no checkpoint $more"
    cp "$out/c/results.json" "$out/c.paused"
    if short c "$@" --threads 1 >/dev/null 2>"$out/message"; then fail "results overwritten"; fi
    grep -q -- "--resume" "$out/message" || fail "no word about results that are there"
    cmp "$out/c/results.json" "$out/c.paused" || fail "results that are there were changed"
done
grep -q '"stopped": "schedule"' "$out/c.paused" || fail "the second pause was in the first run"
short c "$@" --threads 1 --resume >"$out/table-c"
table "$out/table" >"$out/table.plain"
table "$out/table-c" | cmp "$out/table.plain" - || fail "a resumed run gives other figures"
plain "$out/c/results.json" >"$out/c.plain"
cmp "$out/a.plain" "$out/c.plain" || fail "a resumed run leaves other results"
if ls "$out"/c/*.checkpoint-* >/dev/null 2>&1; then fail "checkpoints left behind"; fi
for picture in "$out"/a/*.png; do
    [ "$(dd if="$picture" bs=1 skip=1 count=3 2>/dev/null)" = PNG ] || fail "$picture is no PNG"
done

# Resuming what was made with other options is refused, and so is what is not understood.
steps=$((steps + 1))
if short c "$@" --resume >/dev/null 2>"$out/message"; then fail "resumed with other options"; fi
grep -q "other options" "$out/message" || fail "no word about other options"
for wrong in --seeds=0 --budget=x --nothing stray; do
    if "$program" "$wrong" --out "$out/d" 2>"$out/message"; then
        fail "$wrong was accepted"
    fi
    [ -s "$out/message" ] || fail "no word about $wrong"
done
[ ! -e "$out/d" ] || fail "a refused command left a folder"
"$program" --help >"$out/help"
for word in seeds threads budget out json resume quick quiet mnist; do
    grep -q -- "--$word" "$out/help" || fail "no --$word in --help"
done
