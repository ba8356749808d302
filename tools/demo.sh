#!/usr/bin/env bash
# Teaches two tasks from Debian's photographs with curl, asks about photographs it never saw, prints the accuracies.
# Starts a server of its own with a fresh state, and ends it afterwards; with LISTEN=HOST:PORT it uses the one there, if any.
set -euo pipefail
cd "$(dirname "$0")/.."

listen=${LISTEN:-127.0.0.1:8089}
server=http://$listen
stamps=/usr/share/tuxpaint/stamps
work=$(mktemp -d)
pid=
finish() {
  [ -z "$pid" ] || { kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; }
  rm -rf "$work"
}
trap finish EXIT
[ -d $stamps ] || { echo "demo: apt-get install tuxpaint-stamps-default" >&2; exit 1; }

# field NAME: that member of the JSON object on standard input.
field() { /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

if [ -n "${LISTEN:-}" ] && curl -fsS -o /dev/null "$server/healthz" 2>/dev/null; then
  echo "using the server on $server"
else
  echo "starting a server on $server"
  .build/release/clserver serve --listen "$listen" --state "$work/state" \
    --backbone "${BACKBONE:-var/backbones/clip-vit-b-16}" >"$work/log" 2>&1 &
  pid=$!
  until curl -fsS -o /dev/null "$server/readyz" 2>/dev/null; do
    kill -0 $pid 2>/dev/null || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
  done
fi

# collect LABEL FOLDER: puts every fifth photograph aside and the others into train/LABEL.
collect() {
  local label=$1 number=0 file
  mkdir -p "$work/train/$label" "$work/held-back/$label"
  for file in "$stamps/$2"/*.png; do
    number=$((number + 1))
    if [ $((number % 5)) -eq 0 ]; then cp "$file" "$work/held-back/$label/"; else cp "$file" "$work/train/$label/"; fi
  done
}

# teach TASK LABEL...: posts the folders as one tar and waits until the task answers; training goes on behind it.
teach() {
  local task=$1 answer id
  shift
  echo
  echo "teaching $task: $(for label; do printf '%s (%d) ' "$label" "$(ls "$work/train/$label" | wc -l)"; done)"
  local started=$EPOCHREALTIME
  answer=$(tar -C "$work/train" -cf - "$@" | curl -sS --fail-with-body --data-binary @- \
    -H 'Content-Type: application/x-tar' "$server/tasks?name=$task&extend=true")
  id=$(field id <<<"$answer")
  until [ "$(curl -fsS "$server/tasks/$id" | tee "$work/task" | field serving)" = True ]; do
    case $(field state <"$work/task") in failed | cancelled) cat "$work/task" >&2; exit 1 ;; esac
    sleep 0.05
  done
  awk -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN { printf "answers %.1f s after the request\n", b - a }'
}

# ask LABEL...: asks about the photographs put aside.
ask() {
  local label file answer got right=0 total=0
  for label; do
    for file in "$work/held-back/$label"/*.png; do
      answer=$(curl -sS --fail-with-body --data-binary "@$file" -H 'Content-Type: image/png' "$server/predict?top_k=1")
      got=$(field label <<<"$answer")
      total=$((total + 1))
      [ "$got" != "$label" ] || right=$((right + 1))
      printf '  %-28s is %-12s %3.0f %%%s\n' "$label/$(basename "$file")" "$got" \
        "$(awk -v c="$(field confidence <<<"$answer")" 'BEGIN { print 100 * c }')" \
        "$([ "$got" = "$label" ] || echo '   wrong')"
    done
  done
  echo "$right of $total right"
}

collect fruit food/fruit
collect vegetables food/vegetables
collect flowers plants/flowers
collect birds animals/birds
collect insects animals/insects
collect cattle animals/mammals/bovines

teach garden fruit vegetables flowers
ask fruit vegetables flowers
teach animals birds insects cattle
echo "asking about both tasks"
ask fruit vegetables flowers birds insects cattle

echo
echo "accuracy by the server's own held-out photographs"
curl -fsS "$server/accuracy" | /usr/bin/python3 -c '
import json, sys
value = json.load(sys.stdin)
number = lambda x: "  -  " if x is None else f"{x:.3f}"
names = [task["name"] for task in value["tasks"]]
print("  after \\ on  " + "  ".join(f"{name:>10}" for name in names))
for name, row, count in zip(names, value["matrix"], value["counts"]):
    print(f"  {name:>10}  " + "  ".join(f"{number(cell):>10}" for cell in row))
for figure in ("average", "average_incremental", "forgetting", "backward_transfer"):
    print(f"  {figure:20} {number(value[figure])}")
'
