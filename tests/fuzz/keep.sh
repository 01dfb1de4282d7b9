#!/bin/bash
# keep.sh [TARGET...]: puts into the committed corpus the fewest inputs that reach every edge which run.sh has reached
# (build/fuzz/corpus), named by their hash. What the committed corpus reaches already adds nothing. Needs what run.sh built.
set -euo pipefail
cd -- "$(dirname -- "$0")/../.."

readonly build=build/fuzz
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0:quarantine_size_mb=4}

targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
  for folder in tests/fuzz/corpus/*/; do targets+=("$(basename -- "$folder")"); done
fi
for target in "${targets[@]}"; do
  corpus=tests/fuzz/corpus/$target found=$build/corpus/$target
  [ -d "$found" ] || continue
  before=$(find "$corpus" -type f | wc -l)
  # Edges alone: with counters a thousand inputs would be kept that differ in how often something happens.
  "$build/tests/fuzz/fuzz_$target" -set_cover_merge=1 -use_counters=0 -max_len=4096 "$corpus" "$found" >"$build/$target.keep.log" 2>&1 ||
    { echo "keep.sh: see $build/$target.keep.log" >&2; exit 1; }
  echo "$target: $(($(find "$corpus" -type f | wc -l) - before)) more"
done
