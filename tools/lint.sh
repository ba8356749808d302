#!/usr/bin/env bash
# Formatting of Swift, syntax of shell and Python, and rules about the tree itself.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0
fail() { echo "lint: $*" >&2; failed=1; }

swift format lint --strict --parallel -r Sources Tests Benchmarks Fuzz Package.swift || fail "swift format"

tracked() { git ls-files -z --cached --others --exclude-standard -- "$@"; }

while IFS= read -r -d '' script; do
  bash -n "$script" || fail "$script does not parse"
  [ -x "$script" ] || fail "$script is not executable"
done < <(tracked '*.sh' .ci/run)
mapfile -d '' -t python_files < <(tracked '*.py')
/usr/bin/python3 - "${python_files[@]}" <<'PYTHON' || fail "python"
import ast, sys
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    ast.parse(text, path)
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 120:
            sys.exit(f"{path}:{number}: longer than 120 columns")
PYTHON

# Rules about the tree. Patterns are written so that they do not match themselves.
rule() { # rule NAME PATTERN [PATHSPEC...]
  local name=$1 pattern=$2
  shift 2
  local found
  if found=$(git grep -nIE --untracked -e "$pattern" -- "$@" ':!*.json' ':!tools/requirements-*.txt'); then
    fail "$name:"$'\n'"$found"
  fi
}
rule "a path of one machine" '(^|[^[:alnum:]_.])/(root|work|home)/[[:alnum:]]' .
rule "a registry host" 'p[y]pi\.org|p[y]thonhosted|d[e]b\.debian\.org|h[u]ggingface\.co|g[i]thubusercontent' .
rule "a merge marker" '^(<{7}|>{7}|={7}$)' .
rule "work left undone" 'T[O]DO|F[I]XME' .
rule "trailing blanks" '[[:blank:]]$' '*.c' '*.h' '*.py' '*.sh' '*.yaml' Makefile
rule "a force-cast" 'as! ' 'Sources/*.swift'

exit "$failed"
