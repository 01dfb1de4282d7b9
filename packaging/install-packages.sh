#!/bin/bash
# install-packages.sh [--list] GROUP...
#
# Installs the Debian packages of the named groups of packages.txt that are not installed yet, as root or with sudo, and
# says which. Does nothing, and touches no network, if all are there. --list only prints the missing ones.
set -euo pipefail
cd -- "$(dirname -- "$0")"

list_only=
if [ "${1:-}" = --list ]; then
  list_only=yes
  shift
fi

wanted=()
for group in "$@"; do
  mapfile -t packages < <(awk -v group="$group" '$1 == group { print $2 }' packages.txt)
  if [ "${#packages[@]}" -eq 0 ]; then
    echo "$0: no group named $group in packages.txt" >&2
    exit 2
  fi
  wanted+=("${packages[@]}")
done
if [ "${#wanted[@]}" -eq 0 ]; then
  echo "usage: $0 [--list] GROUP..." >&2
  exit 2
fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "This is not a Debian system. Please install the equivalents of: ${wanted[*]}" >&2
  exit 1
fi

missing=()
for package in $(printf '%s\n' "${wanted[@]}" | sort -u); do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done

if [ -n "$list_only" ]; then
  [ "${#missing[@]}" -eq 0 ] || printf '%s\n' "${missing[@]}"
  exit 0
fi
if [ "${#missing[@]}" -eq 0 ]; then
  echo "Debian packages ($*): all installed."
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "Missing Debian packages, and neither root nor sudo to install them. As root, please run:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "Installing ${#missing[@]} Debian packages ($*) and what they depend on:"
printf '%s\n' "${missing[@]}" | fmt -w 100 | sed 's/^/  /'
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Use-Pty=0 "$@" </dev/null
}
log=$(mktemp)
trap 'rm -f -- "$log"' EXIT
if ! apt update >"$log" 2>&1 || ! apt install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
  cat -- "$log" >&2
  echo "The packages could not be installed; apt-get's words are above." >&2
  exit 1
fi
echo "Installed."
