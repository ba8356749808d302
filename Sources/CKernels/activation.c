// QuickGELU and GELU in place, over `count` floats.
#include "activation_scalar.h"
#include "include/vector_ops.h"
#include "vector_math_avx2.h"

static void activation_scalar(ck_epilogue activation, size_t count, float *x) {
  if (activation == CK_EPILOGUE_QUICK_GELU)
    for (size_t i = 0; i < count; i++) x[i] = quick_gelu_scalar(x[i]);
  if (activation == CK_EPILOGUE_GELU)
    for (size_t i = 0; i < count; i++) x[i] = gelu_scalar(x[i]);
}

#if defined(__x86_64__)
CK_AVX2_INLINE __m256 activate(ck_epilogue activation, __m256 x) {
  return activation == CK_EPILOGUE_QUICK_GELU ? quick_gelu_avx2(x) : gelu_avx2(x);
}

CK_AVX2 static void activation_avx2(ck_epilogue activation, size_t count, float *x) {
  if (activation != CK_EPILOGUE_QUICK_GELU && activation != CK_EPILOGUE_GELU) return;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) _mm256_storeu_ps(x + i, activate(activation, _mm256_loadu_ps(x + i)));
  if (i == count) return;
  __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)(count - i)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  _mm256_maskstore_ps(x + i, mask, activate(activation, _mm256_maskload_ps(x + i, mask)));
}
#endif

void ck_activation(ck_isa isa, ck_epilogue activation, size_t count, float *x) {
#if defined(__x86_64__)
  if (isa != CK_ISA_SCALAR) return activation_avx2(activation, count, x);
#endif
  activation_scalar(activation, count, x);
}
