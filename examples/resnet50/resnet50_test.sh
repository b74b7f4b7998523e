#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# resnet50_test.sh - sizes, a few training steps, pictures and weights from files.
# Usage: resnet50_test.sh path/to/resnet50 path/to/resnet-narrow.safetensors
set -eu

program=$1
weights=$2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

fail() {
    echo "resnet50_test: $1" >&2
    exit 1
}

# Figures of a JSON file, without what the clock and the number of threads decide.
figures() {
    sed 's/"threads": [0-9]*, //; s/"arena_bytes": [0-9]*, //
        s/"[a-z]*_seconds": [0-9.e-]*, //g' "$1"
}

# A few pixels, as a picture of its own.
{
    printf 'P6\n# three by two\n3 2 255\n'
    printf '\377\000\000\000\377\000\000\000\377\100\100\100\200\200\200\300\300\300'
} >"$out/little.ppm"

# ImageNet's size: the published number of parameters, and for the layer before it 5 more channels
# of 64 filters of 7 x 7, 8 x 6 weights, 8 biases; three steps on one image, each of which helps.
"$program" --steps 3 --quick --threads 1 --json "$out/whole" >/dev/null
grep -q '"net": "plain".*"parameters": 25557032,' "$out/whole" || fail "not 25557032 parameters"
grep -q '"net": "coordconv".*"parameters": 25572768,' "$out/whole" || fail "not 25572768 parameters"
for net in plain coordconv; do
    losses=$(grep "\"net\": \"$net\"" "$out/whole" | grep -o '"loss_[0-9]*": [0-9.e+-]*')
    echo "$losses" | awk '{ if (NR > 1 && !($2 + 0 < last)) exit 1; last = $2 + 0 }
        END { if (NR != 4) exit 1 }' || fail "$net: losses that do not fall: $losses"
done

# The same figures with two threads.
for threads in 1 2; do
    "$program" --width 8 --side 96 --quick --threads $threads --json "$out/$threads" >/dev/null
    figures "$out/$threads" >"$out/$threads.plain"
done
cmp "$out/1.plain" "$out/2.plain" || fail "two threads compute something else than one"

# A state dict; what does not fit is told and refused.
narrow="--net coordconv --width 2 --classes 10 --quick --threads 1 --weights $weights"
# shellcheck disable=SC2086
loaded() {
    "$program" $narrow --convention mkocabas --json "$out/$1" --image "$2" --out "$out/d" \
        >"$out/words"
    figures "$out/$1"
}
loaded a "$out/little.ppm" >"$out/ppm"
grep -q 'classes [0-9]* ([0-9.]* %)' "$out/words" || fail "no classes told"
loaded b "$out/d/image.png" >"$out/png"
cmp "$out/ppm" "$out/png" || fail "a PNG is another picture than the PPM it was made of"
if "$program" --net plain --width 2 --classes 10 --weights "$weights" 2>"$out/message"; then
    fail "weights with a CoordConv went into a plain net"
fi
grep -q '"coordconv.conv.weight" .* is not in the model' "$out/message" || fail "no word about it"

# What is not understood is refused, with the reason.
head -c 30 "$out/little.ppm" >"$out/cut.ppm"
for wrong in "--image=$out/cut.ppm" "--image=$out/1" "--image=$out/none" --weights=x --side=10 \
    "--net=plain --weights=$out/1" "--net=coordconv --convention=nobody" stray; do
    # shellcheck disable=SC2086
    if "$program" $wrong >/dev/null 2>"$out/message"; then
        fail "$wrong was accepted"
    fi
    grep -q "resnet50: " "$out/message" || fail "no word about $wrong"
done
