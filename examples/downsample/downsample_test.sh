#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# downsample_test.sh - figures that a few steps must give.
# Usage: downsample_test.sh path/to/downsample
set -eu

program=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

fail() {
    echo "downsample_test: $1" >&2
    exit 1
}

# figure CONDITION VARIANT METRIC, of one seed
figure() {
    grep "^$1  *$2  *$3 " "$out/table" | awk '{ print $(NF - 1) }'
}

# within FIGURE LOW HIGH
within() {
    awk -v x="$1" -v low="$2" -v high="$3" 'BEGIN { exit !(x >= low && x <= high) }'
}

"$program" --quick --stages 2 --steps 40 --threads 1 --quiet --out "$out/a" >"$out/table"

# Who always says the middle is 12.2 or, of a quadrant, 16 pixels off; who adds to the place of the
# right sample of 8 x 8, a few.
for split in uniform quadrant; do
    condition="$split, 2 stages"
    off=$(figure "$condition" conv test_px)
    within "$off" 11 17 || fail "$condition: conv is $off pixels off after 40 steps"
    off=$(figure "$condition" "heat map" test_px)
    within "$off" 0 4 || fail "$condition: the heat map is $off pixels off after 40 steps"
done

# A pixel in an odd row and column is seen by four taps, one in an even by one: twice the root
# mean square if each tap has as much to learn. Coordinates get more than the pixel by far, and in
# an image of unit mean square about as much.
ratio=$(figure "uniform, 2 stages" conv odd_to_even)
within "$ratio" 1 4 || fail "gradients of odd pixels are $ratio of those of even ones"
ratio=$(figure "uniform, 2 stages" coordconv coords_to_data)
within "$ratio" 20 1000 || fail "gradients of coordinates are $ratio of those of the pixel"
ratio=$(figure "uniform, 2 stages" "coordconv, scaled" coords_to_data)
within "$ratio" 0.2 10 || fail "scaled: gradients of coordinates are $ratio of those of the pixel"
[ -z "$(figure "uniform, 2 stages" conv coords_to_data)" ] || fail "conv has coordinates"

# One variant alone; with other splits or another rate it does not come out the same.
one() {
    folder=$1
    shift
    "$program" --quick --stages 2 --variant conv --steps 20 --threads 1 --quiet \
        --out "$out/$folder" "$@" >"$out/table"
    figure "uniform, 2 stages" conv test_px
    figure "quadrant, 2 stages" conv test_px
}
one own >"$out/own.px"
one splits --validation >"$out/splits.px"
one rate --rate 1e-3 >"$out/rate.px"
[ "$(wc -l <"$out/own.px")" -eq 2 ] || fail "conv alone has not one result a split"
for other in splits rate; do
    if grep -qxFf "$out/own.px" "$out/$other.px"; then fail "other $other, and the same result"; fi
done
if "$program" --stages 3 --variant "conv, he" --out "$out/b" 2>"$out/message"; then
    fail "he with three stages"
fi
[ ! -e "$out/b" ] || fail "nothing to do, and a folder for it"

if "$program" --stages 6 --out "$out/b" 2>"$out/message"; then fail "six stages of 32 pixels"; fi
