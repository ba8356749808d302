#!/usr/bin/env bash
# Installs the Debian packages of the named groups (build, demo, test, bench) that are not there yet.
# Prompts for nothing; does nothing, and asks no server, when all are installed.
set -euo pipefail

declare -A groups=(
  [build]="pkg-config libsqlite3-dev libcurl4-openssl-dev libjpeg62-turbo-dev libpng-dev libwebp-dev libarchive-dev
           ca-certificates python3 python3-pip python3-venv"
  [demo]="curl tuxpaint-stamps-default"
  [test]="curl tuxpaint-stamps-default dataset-fashion-mnist libsimde-dev prometheus systemd sqlite3
          debootstrap systemd-container util-linux gcc libc6-dev"
  [bench]="curl nginx-light wrk tuxpaint-stamps-default tuxpaint-data python3-torch libopenblas0-openmp
           libdnnl-dev gcc libc6-dev"
)

wanted=()
for group in "${@:-build}"; do
  [ -n "${groups[$group]:-}" ] || { echo "install-packages: no group named $group" >&2; exit 2; }
  read -r -d '' -a names <<<"${groups[$group]}" || true
  wanted+=("${names[@]}")
done

installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/ installed$//p' || true)
missing=$(comm -13 <(sort -u <<<"$installed") <(printf '%s\n' "${wanted[@]}" | sort -u))
[ -n "$missing" ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install-packages: needs root or sudo to install:" $missing >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing:" $missing
"${as_root[@]}" apt-get update -qq
# shellcheck disable=SC2086 — one word a package
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 $missing </dev/null
