#!/usr/bin/env bash
# Every comparison, each side by side in one run; what is printed goes to docs/benchmarks.md. BENCHMARKS="backbone http" runs some.
set -euo pipefail
cd "$(dirname "$0")/.."
export TEST_BINARY=$PWD/.build/release/clserver TEST_BACKBONE=$PWD/var/backbones/clip-vit-b-16
python=var/python/bin/python
tools/fetch-backbone.sh --peer
for name in ${BENCHMARKS:-backbone backbone-fidelity predict kernels float-gemm pop-training pop-prediction http load accuracy}; do
  echo "== $name"
  case $name in
    load) "$python" Tests/Integration/load.py --json ;;
    accuracy)
      for resolution in 160 224; do
        "$python" Tests/Integration/tiny_imagenet.py --shots 10 --resolution $resolution --json
        "$python" Tests/Integration/tiny_imagenet.py --shots 50 --resolution $resolution --json
      done
      ;;
    pop-training)
      .build/release/benchmarks pop-training --json
      .build/release/benchmarks pop-training --refine --json
      ;;
    *) .build/release/benchmarks "$name" --json ;;
  esac
done
