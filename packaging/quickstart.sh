#!/bin/bash
# quickstart.sh: from a fresh checkout to a trained and deployed model, in one command.
#
# Installs the Debian packages that are missing (as root or with sudo; it says which), builds Baton into build/release and
# runs examples/digits with a daemon of its own. Everything it writes is below build/, but for the packages.
set -euo pipefail
cd -- "$(dirname -- "$0")/.."
. packaging/steps.bash

root=$PWD
work=$root/build/quickstart
bin=$root/build/release/bin
python=/usr/bin/python3

step "Packages to build and run Baton, and Python's scikit-learn for the example"
packaging/install-packages.sh build runtime example

step "Building baton, batond and baton-worker in build/release"
cmake --preset release -DBATON_BUILD_TESTS=OFF >/dev/null
cmake --build --preset release -j "$(jobs_for_this_machine)" --target baton batond baton-worker

# A daemon of its own: another state folder, socket and configuration than the user's. The socket has a short path,
# because the system takes no more than 107 bytes.
mkdir -p -- "$work"
sockets=$(mktemp -d /tmp/baton-quickstart.XXXXXX)
export BATON_STATE_DIR=$work/state BATON_SOCKET=$sockets/baton.sock BATON_CONFIG=$work/config.yaml
printf 'log: {level: info}\n' > "$BATON_CONFIG"
export PATH=$bin:$PATH
server=
leave() {
  status=$?
  trap - EXIT
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  baton daemon stop >/dev/null 2>&1 || true
  rm -rf -- "$sockets"
  exit "$status"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step "baton run examples/digits/workflow.yaml"
baton run examples/digits/workflow.yaml -p "workdir=$work/digits"

step "baton describe last"
baton describe last

step "baton logs last evaluate"
baton logs last evaluate

step "Asking the deployed model, $work/digits/current"
run=$(baton describe last -o json | "$python" -c 'import json, sys; print(json.load(sys.stdin)["id"])')
exec 3< <(exec "$python" "$work/digits/current/serve.py" --model "$work/digits/current/model.joblib" \
  --socket "$sockets/model.sock")
server=$!
read -r -t 60 -u 3 _
"$python" examples/digits/ask.py --socket "$sockets/model.sock" --data "$work/digits/runs/$run" --count 360 --show 3

step_end
printf '\nDone in %d s:\n' "$SECONDS"
printf '%s\n' "${step_times[@]}"
cat <<EOF

The programs are in build/release/bin. Try them:
  export PATH=$bin:\$PATH
  baton run examples/hello.yaml
More in README.md and examples/README.md. The tests: packaging/check.sh
EOF
