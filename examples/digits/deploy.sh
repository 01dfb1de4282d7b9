#!/bin/bash
# deploy.sh MODEL DATA: makes MODEL the current release, tries it with real digits from DATA, and goes back to the
# release before if it does not answer well.
#
#   $WORKDIR/releases/VERSION/   what is deployed; each attempt makes a VERSION of its own
#   $WORKDIR/current             a symlink to one of them; it changes in one step and never points to nothing
#   $WORKDIR/last-good           the release that passed its smoke test last: where to go back to, even if an attempt
#                                before this one was killed half-way
set -euo pipefail

model=$(realpath -- "$1")
data=$(realpath -- "$2")
python=${PYTHON:-/usr/bin/python3}
version=${BATON_RUN_ID:?}.${BATON_ATTEMPT:?}
here=$(dirname -- "$(realpath -- "$0")")
mkdir -p -- "${WORKDIR:?}/releases"
cd -- "$WORKDIR"

point() {  # LINK TARGET; rename(2) replaces the old link in one step
  ln -sfn -- "$2" ".$1.new"
  mv -T -- ".$1.new" "$1"
}

server=
verified=

leave() {
  status=$?
  trap - EXIT
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf -- "$scratch"
  if [ -z "$verified" ]; then
    if good=$(readlink -- last-good); then
      point current "$good"
      echo "rolled back to $good"
    else
      rm -f -- current
      echo "rolled back: nothing was deployed before"
    fi
    [ "$status" -ne 0 ] || status=1
  fi
  exit "$status"
}
scratch=$(mktemp -d)
trap leave EXIT
trap 'exit 143' TERM INT HUP  # a cancelled deploy rolls back too

# 1. Copy, then give the copy its final name in one step.
staging="releases/.$version"
rm -rf -- "$staging"
mkdir -- "$staging"
cp -- "$model" "$staging/model.joblib"
cp -- "$here/serve.py" "$staging/serve.py"
mv -T -- "$staging" "releases/$version"

# 2. Switch.
point current "releases/$version"
echo "current -> releases/$version"

# 3. Serve what is current and ask it.
exec 3< <(exec "$python" current/serve.py --model current/model.joblib --socket "$scratch/model.sock")
server=$!
if ! read -r -t 60 -u 3 answer || [ "$answer" != ready ]; then
  echo "smoke test failed: the model does not start" >&2
  exit 1
fi
if ! "$python" "$here/ask.py" --socket "$scratch/model.sock" --data "$data" --show 1; then
  echo "smoke test failed: the model does not answer well" >&2
  exit 1
fi
verified=yes
point last-good "releases/$version"
echo "smoke test passed: release $version is live"
echo "release=$version" >> "${BATON_OUTPUT:-/dev/stdout}"
