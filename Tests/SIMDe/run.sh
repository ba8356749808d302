#!/bin/sh
# Tests the logic of the AVX-512 kernels on machines without AVX-512: compiles the same source against SIMDe
# (libsimde-dev, gcc), which computes every intrinsic portably, and compares with the scalar form. Says nothing about speed.
set -eu
cd "$(dirname "$0")/../.."
kernels=Sources/CKernels
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-std=c17 -O2 -ffp-contract=off -Wall -Werror -Wno-psabi -Wno-unknown-pragmas -I$kernels -I$kernels/include"
for source in int8_gemm int8_gemm_order int8_gemm_avx2; do
  gcc $flags -c "$kernels/$source.c" -o "$work/$source.o"
done
gcc $flags -DCK_USE_SIMDE -include Tests/SIMDe/shim.h -c "$kernels/int8_gemm_avx512.c" -o "$work/avx512.o"
gcc $flags Tests/SIMDe/compare.c "$work"/*.o -lm -o "$work/simde"
"$work/simde"
gcc $flags -DCK_USE_SIMDE -include Tests/SIMDe/shim.h -c "$kernels/attention_avx512.c" -o "$work/attention_avx512.o"
gcc $flags Tests/SIMDe/attention.c "$kernels/attention.c" "$kernels/attention_avx2.c" "$work/attention_avx512.o" -lm \
  -o "$work/attention"
"$work/attention"
for source in quantize_rows_avx512 layer_norm_avx512; do
  gcc $flags -DCK_USE_SIMDE -include Tests/SIMDe/shim.h -c "$kernels/$source.c" -o "$work/$source.o"
done
gcc $flags Tests/SIMDe/rows.c "$kernels/quantize_rows.c" "$kernels/layer_norm.c" "$work/quantize_rows_avx512.o" \
  "$work/layer_norm_avx512.o" -lm -o "$work/rows"
"$work/rows"
# The float products are written over clang's vector types and need no SIMDe.
clang -std=c17 -O2 -Wall -Werror -Wno-psabi -DCK_PORTABLE "-I$kernels/include" \
  Tests/SIMDe/float_gemm.c "$kernels/float_gemm.c" -lm -o "$work/float"
"$work/float"
