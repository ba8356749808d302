#!/usr/bin/env bash
# Fuzzes the HTTP parser and connection under the address sanitizer. RUNS: number of inputs (10 million by default).
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${RUNS:-10000000}
script=Fuzz/run.sh
[ -x "$script" ] || { echo "fuzz: $script is missing" >&2; exit 1; }
exec "$script" "$runs"
