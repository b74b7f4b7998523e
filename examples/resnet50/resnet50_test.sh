#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# resnet50_test.sh - what every experiment promises, sizes, training steps that help, pictures and
# weights from files.
# Usage: resnet50_test.sh path/to/resnet50 path/to/resnet-narrow.safetensors
set -eu

here=$(dirname "$0")
program=$1
weights=$2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

fail() {
    echo "resnet50_test: $1" >&2
    exit 1
}

# Of the results in the folder $1 what the net says of its image.
classes() {
    grep '"\(class\|share\)_[0-9]":' "$out/$1/results.json"
}

# A few pixels, as a picture of its own.
{
    printf 'P6\n# three by two\n3 2 255\n'
    printf '\377\000\000\000\377\000\000\000\377\100\100\100\200\200\200\300\300\300'
} >"$out/little.ppm"

"$here/../common/experiment_test.sh" "$program" 4 --width 8 --side 96

# ImageNet's size: the published number of parameters, and for the layer before it 5 more channels
# of 64 filters of 7 x 7, 8 x 6 weights, 8 biases; three steps on one image, each of which helps.
for net in plain coordconv; do
    "$program" --net $net --steps 3 --quick --threads 1 --quiet --out "$out/$net" >/dev/null
    # A point is "[", the step, the loss, "]", a line each.
    awk '/"loss": \[/ { curve = 1 }
        curve && /^ *-?[0-9.e+-]+,?$/ && ++numbers % 2 == 0 {
            wrong = wrong || losses++ > 0 && !($1 + 0 < last)
            last = $1 + 0
        }
        END { exit wrong || losses != 4 }' "$out/$net/results.json" ||
        fail "$net: losses that do not fall"
    [ ! -e "$out/$net/$net-1-0.safetensors" ] || fail "$net: the weights are kept"
done
grep -q '"parameters": 25557032,' "$out/plain/results.json" || fail "not 25557032 parameters"
grep -q '"parameters": 25572768,' "$out/coordconv/results.json" || fail "not 25572768 parameters"

# A state dict; what does not fit is told and refused.
loaded() {
    "$program" --net coordconv --width 2 --classes 10 --quick --threads 1 --weights "$weights" \
        --convention mkocabas --image "$2" --out "$out/$1" >"$out/words" 2>/dev/null
    classes "$1"
}
loaded a "$out/little.ppm" >"$out/ppm"
grep -q 'classes [0-9]* ([0-9.]* %)' "$out/words" || fail "no classes told"
loaded b "$out/a/image.png" >"$out/png"
cmp "$out/ppm" "$out/png" || fail "a PNG is another picture than the PPM it was made of"
[ "$(wc -l <"$out/ppm")" -eq 10 ] || fail "not five classes with their shares"
if "$program" --net plain --width 2 --classes 10 --weights "$weights" --out "$out/e" >/dev/null \
    2>"$out/message"; then
    fail "weights with a CoordConv went into a plain net"
fi
grep -q '"coordconv.conv.weight" .* is not in the model' "$out/message" || fail "no word about it"

# What is not understood is refused, with the reason.
head -c 30 "$out/little.ppm" >"$out/cut.ppm"
refused=0
for wrong in "--image=$out/cut.ppm" "--image=$out/words" "--image=$out/none" --weights=x --side=10 \
    "--net=plain --weights=$out/words" "--net=coordconv --convention=nobody" stray; do
    refused=$((refused + 1))
    # shellcheck disable=SC2086
    if "$program" $wrong --out "$out/refused-$refused" >/dev/null 2>"$out/message"; then
        fail "$wrong was accepted"
    fi
    grep -q "resnet50: " "$out/message" || fail "no word about $wrong"
done
