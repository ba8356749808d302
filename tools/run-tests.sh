#!/usr/bin/env bash
# Runs every suite, prints the suites' own closing lines and one line over all: "N passed, N failed, N skipped".
# A suite is one function below; STAGES="swift integration" runs some of them.
set -uo pipefail
cd "$(dirname "$0")/.."

export PYTHONDONTWRITEBYTECODE=1
python=var/python/bin/python
export TEST_BINARY=${TEST_BINARY:-$PWD/.build/release/clserver}
export TEST_BACKBONE=${TEST_BACKBONE:-$PWD/var/backbones/clip-vit-b-16}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

suite_swift() { swift build -c release --build-tests && swift test -c release --skip-build; }
# The AVX-512 kernels' logic, on whatever processor this is.
suite_kernels() { Tests/SIMDe/run.sh; }
suite_integration() { "$python" Tests/Integration/run.py; }
suite_fuzz() { Fuzz/run.sh "${FUZZ_RUNS:-200000}"; }

passed=0 failed=0 skipped=0
# Adds what a suite's log says of itself. A suite without a count of its own is one test.
count() { # count SUITE STATUS
  local p f s
  read -r p f s < <(/usr/bin/python3 tools/count-tests.py "$logs/$1" "$2")
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

for suite in ${STAGES:-swift kernels integration fuzz}; do
  echo "== $suite"
  started=$SECONDS
  "suite_$suite" </dev/null 2>&1 | tee "$logs/$suite"
  status=${PIPESTATUS[0]}
  count "$suite" "$status"
  echo "== $suite: exit $status after $((SECONDS - started)) s"
done

# Failures again, at the end: what a long log hides and a short record of it keeps.
if [ "$failed" -gt 0 ]; then
  echo "== failures"
  for log in "$logs"/*; do
    grep -aE '^FAILED |^(.\[[0-9;]*m)*. Test .* (recorded an issue|failed after)|: error: |^[A-Za-z.]*Error: ' "$log" |
      head -n 40 | cut -c -400 | sed "s|^|$(basename "$log"): |"
  done
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
