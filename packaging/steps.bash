# Sourced by the scripts here: numbered steps with their times, and how many jobs this machine can take.

step_times=()
step_name=
step_began=0

# step TEXT: ends the step before, if there is one, and begins another.
step() {
  step_end
  step_name=$1
  step_began=$SECONDS
  printf '\n==> %s\n' "$step_name"
}

step_end() {
  if [ -n "$step_name" ]; then
    step_times+=("$(printf '%5d s  %s' "$((SECONDS - step_began))" "$step_name")")
    step_name=
  fi
}

# One job a core, but not more than memory allows: the largest files take about 1 GiB to compile. BATON_JOBS overrides.
jobs_for_this_machine() {
  local cores memory_kib fit
  if [ -n "${BATON_JOBS:-}" ]; then
    echo "$BATON_JOBS"
    return
  fi
  cores=$(nproc)
  memory_kib=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
  fit=$((memory_kib / 1048576))
  if [ "$fit" -lt 1 ]; then fit=1; fi
  echo "$((cores < fit ? cores : fit))"
}
