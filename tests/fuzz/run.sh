#!/bin/bash
# run.sh [SECONDS] [TARGET...]: builds the libFuzzer programs and fuzzes each target (default: all, 60 s each), as many
# at a time as there are cores, from the committed corpus and from what earlier runs found. Prints a table; exits with 1
# if there was a finding: a crash, a failed property, more than kTimeout for an input, more than kMemory, or a leak. See
# README.md.
#
# The table's minutes are of CPU, of this run; its hours are of all runs since build/fuzz was made, as its ledgers have
# them. `newest edge`: after which share of the executions nothing new was reached any more.
#
# New inputs go to build/fuzz/corpus/TARGET, findings to build/fuzz/findings/TARGET, never into the tree.
# BATON_FUZZ_CORPUS=none: begin with the committed corpus alone. BATON_FUZZ_BUILT=1: everything is built already.
# BATON_JOBS: how many at a time.
set -uo pipefail
cd -- "$(dirname -- "$0")/../.."
. packaging/steps.bash

readonly kTimeout=10     # seconds a target for each that shares its core; an honest input takes milliseconds
readonly kMemory=1024    # MiB, of which AddressSanitizer's own shadow and quarantine take about 100
readonly kLongest=4096   # bytes; longer inputs of the corpus are replayed by ctest
readonly build=build/fuzz

seconds=60
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
  for folder in tests/fuzz/corpus/*/; do targets+=("$(basename -- "$folder")"); done
fi
for target in "${targets[@]}"; do
  if [ ! -d "tests/fuzz/corpus/$target" ]; then
    echo "run.sh: there is no target $target" >&2
    exit 2
  fi
done

if [ -z "${BATON_FUZZ_BUILT:-}" ]; then
  { cmake --preset fuzz >/dev/null && cmake --build --preset fuzz -j "$(jobs_for_this_machine)"; } || exit 2
fi

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:quarantine_size_mb=4:malloc_context_size=2:handle_abort=1:external_symbolizer_path=$(command -v addr2line)}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

jobs=$(jobs_for_this_machine)
timeout=$((kTimeout * ((jobs + $(nproc) - 1) / $(nproc))))

# What libFuzzer said in a target's log: the last match.
last_of() { sed -n "s/$1/\\1/p" "$2" | tail -n 1; }

# Leaves the target's line of the table in $build/TARGET.row, and in $build/TARGET.finding what was found.
fuzz() {
  local target=$1
  local program=$build/tests/fuzz/fuzz_$target findings=$build/findings/$target corpus=$build/corpus/$target
  local log=$build/$target.log report=$build/$target.finding
  if [ "${BATON_FUZZ_CORPUS:-}" = none ]; then
    corpus=$build/corpus-of-this-run/$target
    rm -rf -- "$corpus"
  fi
  rm -f -- "$report"
  mkdir -p -- "$findings" "$corpus"
  local arguments=(-timeout="$timeout" -rss_limit_mb="$kMemory" -malloc_limit_mb=$((kMemory / 2)) -max_len="$kLongest"
    -max_total_time="$seconds" -print_final_stats=1 -reload=0 -artifact_prefix="$findings/")
  [ ! -f "tests/fuzz/dictionaries/$target.dict" ] || arguments+=("-dict=tests/fuzz/dictionaries/$target.dict")
  arguments+=("$corpus" "tests/fuzz/corpus/$target")
  [ "$target" != workflow ] || arguments+=(tests/corpus/workflow/good tests/corpus/workflow/bad)

  printf '%s: %d s\n' "$target" "$seconds" >&2
  local code=0 TIMEFORMAT='%U %S'
  { time "$program" "${arguments[@]}" >"$log" 2>&1 || code=$?; } 2>"$build/$target.time"
  local executions edges newest cpu
  executions=$(last_of '^stat::number_of_executed_units: *\(.*\)' "$log")
  edges=$(last_of '^#.* cov: \([0-9]*\) .*' "$log")
  newest=$(awk '/^#/ && match($0, /cov: [0-9]+/) { edges = substr($0, RSTART + 5, RLENGTH - 5) + 0
             if (edges > most) { most = edges; at = substr($1, 2) } } END { print at + 0 }' "$log")
  cpu=$(awk '{ printf "%.1f", $1 + $2 }' "$build/$target.time")
  printf '%s %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$cpu" "${executions:-0}" >>"$build/ledger/$target"
  awk -v target="$target" -v executions="${executions:-0}" -v edges="${edges:-0}" -v newest="$newest" -v cpu="$cpu" \
    -v finding="$((code != 0))" '{ total += $2 } END {
      printf "%-18s %12d %8d %8d %11d%% %8.1f %8.2f %9d\n", target, executions, executions / (cpu > 0 ? cpu : 1), edges,
        100 * newest / (executions > 0 ? executions : 1), cpu / 60, total / 3600, finding }' \
    "$build/ledger/$target" >"$build/$target.row"
  [ "$code" -ne 0 ] || return 0

  input=$(last_of '.*Test unit written to \(.*\)' "$log")
  {
    grep -m 1 -e 'PROPERTY FAILED' -e 'ERROR: ' -e 'runtime error' "$log" || tail -n 20 -- "$log"
    printf 'FINDING in %s: %s\n  replay: %s %s\n  whole log: %s\n' "$target" "${input:-(no input)}" "$program" "$input" "$log"
  } >"$report"
  cat -- "$report" >&2
}

mkdir -p -- "$build/ledger"
running=0
for target in "${targets[@]}"; do
  rm -f -- "$build/$target.row"
  if [ "$running" -ge "$jobs" ]; then
    wait -n
    running=$((running - 1))
  fi
  fuzz "$target" &
  running=$((running + 1))
done
wait

printf '\n%-18s %12s %8s %8s %12s %8s %8s %9s\n' target executions exec/s edges 'newest edge' minutes hours findings
failed=0
for target in "${targets[@]}"; do
  cat -- "$build/$target.row" || failed=1
  [ ! -e "$build/$target.finding" ] || failed=1
done
exit "$failed"
