#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# reproduce_test.sh - what ./examples/reproduce promises, with seven small programs in place of the
# real ones: gone on with after a kill, each program done once, failures told, one call at a time.
# usage: reproduce_test.sh REPRODUCE
set -eu

reproduce=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
programs='resnet50 gan downsample vae null_result periphery detect'

fail()
{
    tail -n 5 "$folder/said" >&2
    echo "reproduce_test: $1" >&2
    exit 1
}

# A program of three runs that goes on where it was.
mkdir "$folder/programs"
cat >"$folder/programs/resnet50" <<'PROGRAM'
#!/bin/sh
[ "$1" != --help ] || { echo "--threads --resume"; exit 0; }
while [ $# -gt 0 ]; do
    case $1 in
    --out) out=$2 ;;
    --json) json=$2 ;;
    esac
    shift
done
mkdir -p "$out"
echo began >>"$out/calls"
trap 'echo interrupted >>"$out/calls"; exit 130' INT
touch "$out/runs"
while [ "$(wc -l <"$out/runs")" -lt 3 ]; do
    sleep 0.2
    echo run >>"$out/runs"
    echo "$(wc -l <"$out/runs") of 3 runs"
done
printf '{"program": "%s", "date": "2000-01-01T", "machine": "none", "command": ["x"],
 "settings": {}, "runs": [{"condition": "", "variant": "conv", "seed": 1, "steps": 1, "seconds": 1,
 "core_seconds": 1, "parameters": 1, "stopped": "schedule",
 "figures": {"operations": 1, "ELBO": null}}]}\n' "${0##*/}" >"$json"
PROGRAM
chmod +x "$folder/programs/resnet50"
for program in $programs; do
    [ "$program" = resnet50 ] || ln -s resnet50 "$folder/programs/$program"
done
export REPRODUCE_PROGRAMS="$folder/programs"

# call OUT OPTION...
call()
{
    out=$1
    shift
    "$reproduce" --quick --jobs 2 --out "$out" "$@" >>"$folder/said" 2>&1
}

# wait_for WHAT FILE PATTERN
wait_for()
{
    for _ in $(seq 200); do
        if grep -q "$3" "$2" 2>/dev/null; then return; fi
        sleep 0.1
    done
    fail "$1"
}

for wrong in '--jobs 0' '--jobs x' '--jobs' '--mnist' '--nothing'; do
    # shellcheck disable=SC2086
    if call "$folder/wrong" $wrong; then fail "$wrong was accepted"; fi
done
[ ! -e "$folder/wrong" ] || fail "a refused call left a folder"

# Killed in the middle, group and all, and called again at once.
out=$folder/out
setsid "$reproduce" --quick --jobs 2 --out "$out" >"$folder/first" 2>&1 &
first=$!
wait_for "no second program was begun" "$out/gan/runs" run
grep -q "resnet50: done" "$folder/first" || fail "another began beside the one to be timed alone"
kill -KILL "-$first"
wait "$first" || true
call "$out" || fail "the second call ended with $?"
for program in $programs; do
    [ "$(wc -l <"$out/$program/runs")" -eq 3 ] || fail "$program has not three runs"
done
[ "$(cat "$out"/*/calls | grep -c began)" -le 9 ] || fail "more was begun again than was killed"
[ "$(grep -c began "$out/resnet50/calls")" -eq 1 ] || fail "what was done was begun again"
grep -q 'in 2 calls' "$out/reproduction.md" || fail "the report does not know both calls"
grep -q '1 with a figure that is not finite' "$out/reproduction.md" || fail "a failed run is hidden"
if grep -q '](pictures/' "$out/reproduction.md"; then fail "a link to a picture leads nowhere"; fi
for page in $(sed -n 's/.*](\([^)#]*\.md\).*/\1/p' "$out/reproduction.md"); do
    [ -e "$out/$page" ] || fail "a link leads nowhere: $page"
done

# Done once is done; other settings are refused.
before=$(cat "$out"/*/calls)
call "$out" || fail "a third call ended with $?"
[ "$(cat "$out"/*/calls)" = "$before" ] || fail "what was done was begun again"
if call "$out" --full; then fail "another length was accepted"; fi
if call "$out" --mnist "$folder"; then fail "other digits were accepted"; fi
grep -q -- '--fresh' "$folder/said" || fail "no word of what to do"

# One call at a time.
exec 9>"$out/lock"
flock -n 9 || fail "the lock was left behind"
if call "$out" 9>&-; then fail "two calls at a time"; fi
exec 9>&-

# A program that fails: the others are done, and the report says so.
out=$folder/failing
mkdir -p "$out/gan"
if call "$out"; then fail "a folder of someone else's was taken"; fi
rmdir "$out/gan"
rm "$folder/programs/vae"
printf '#!/bin/sh\necho it is broken\nexit 3\n' >"$folder/programs/vae"
chmod +x "$folder/programs/vae"
status=0
call "$out" || status=$?
[ $status -eq 1 ] || fail "status $status where a program failed"
grep -q 'vae: ended with status 3: it is broken' "$folder/said" || fail "no word of the failure"
# shellcheck disable=SC2016
grep -q '`vae` failed, with status 3' "$out/reproduction.md" || fail "no failure in the report"
[ -s "$out/results/detect.json" ] || fail "one failure kept the others back"
ln -sf resnet50 "$folder/programs/vae"
call "$out" || fail "what failed was not tried again"
if grep -q 'failed, with status' "$out/reproduction.md"; then fail "the failure is still told"; fi

# Begun anew, and told to end: the programs hear of it, once, and are waited for.
out=$folder/out
echo mine >"$out/mine"
rm "$out/gan/calls"
"$reproduce" --quick --jobs 2 --out "$out" --fresh >>"$folder/said" 2>&1 &
anew=$!
wait_for "--fresh did not begin anew" "$out/gan/calls" began
[ -e "$out/mine" ] || fail "--fresh took what is not its own"
[ "$(cat "$out"/*/calls | grep -c began)" -le 3 ] || fail "--fresh left what was done"
kill -TERM $anew
status=0
wait $anew || status=$?
[ $status -eq 143 ] || fail "status $status after SIGTERM"
[ "$(grep -c interrupted "$out/gan/calls")" -eq 1 ] || fail "a program did not hear of SIGTERM"
