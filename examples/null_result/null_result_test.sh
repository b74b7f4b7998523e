#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# null_result_test.sh - what every experiment promises, and that nets without coordinates do not
# know where on a wide strip a digit stands.
# Usage: null_result_test.sh path/to/null_result
set -eu

here=$(dirname "$0")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"$here/../common/experiment_test.sh" "$1" 4 --judged 40

# The metric "moved" by condition and net; the table's columns are as wide as this.
"$1" --quick --seeds 1 --steps 4 --judged 40 --threads 1 --quiet --out "$out/a" |
    awk '{
        condition = substr($0, 1, 24); net = substr($0, 26, 24); metric = substr($0, 51, 20)
        gsub(/ +$/, "", condition); gsub(/ +$/, "", net); gsub(/ /, "", metric)
        if (metric != "moved")
            next
        knows = condition == "sides, narrow" || net == "coordconv first"
        seen++
        if (knows != (substr($0, 71) + 0 > 1e-3)) {
            print "null_result_test: wrong: " $0
            wrong = 1
        }
    }
    END { exit wrong || seen != 9 }'
