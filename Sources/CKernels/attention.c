// Dispatch and the scalar reference of multi-head attention.
#include <math.h>

#include "attention_internal.h"
#include "include/vector_ops.h"

void attention_scalar(const attention_head *head) {
  float scale = 1.0f / sqrtf((float)head->head_width), *scores = head->scratch;
  for (int32_t i = 0; i < head->queries; i++) {
    const float *query = head->q + (int64_t)i * head->ldq;
    float *to = head->out + (int64_t)i * head->ldo;
    float highest = -INFINITY, total = 0;
    for (int32_t j = 0; j < head->tokens; j++) {
      scores[j] = 0;
      for (int32_t d = 0; d < head->head_width; d++) scores[j] += query[d] * head->k[(int64_t)j * head->ldkv + d];
      highest = fmaxf(highest, scores[j]);
    }
    for (int32_t j = 0; j < head->tokens; j++) {
      scores[j] = expf((scores[j] - highest) * scale);
      total += scores[j];
    }
    for (int32_t d = 0; d < head->head_width; d++) {
      float sum = 0;
      for (int32_t j = 0; j < head->tokens; j++) sum += scores[j] * head->v[(int64_t)j * head->ldkv + d];
      to[d] = sum / total;
    }
  }
}

size_t ck_attention_scratch(int32_t queries, int32_t tokens, int32_t head_width) {
  (void)queries;
#if defined(__x86_64__)
  size_t avx2 = attention_scratch_avx2(tokens, head_width), avx512 = attention_scratch_avx512(tokens, head_width);
  return avx2 > avx512 ? avx2 : avx512;
#else
  return ((size_t)tokens * sizeof(float) + 63) / 64 * 64;
#endif
}

typedef void (*attention_kernel)(const attention_head *head);

static attention_kernel exact_kernel(ck_isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case CK_ISA_AVX512: return attention_avx512;
    case CK_ISA_AVX2: return attention_avx2;
#endif
    default: return attention_scalar;
  }
}

bool ck_attention_has_bf16(ck_isa isa) {
#if defined(__x86_64__)
  return isa == CK_ISA_AVX512 && __builtin_cpu_supports("avx512bf16");
#else
  (void)isa;
  return false;
#endif
}

static attention_kernel rounded_kernel(ck_isa isa) {
#if defined(__x86_64__)
  if (ck_attention_has_bf16(isa)) return attention_avx512_bf16;
#endif
  return exact_kernel(isa);
}

static void attend(attention_kernel kernel, attention_head first, int32_t heads) {
  for (int32_t index = 0; index < heads; index++) {
    int32_t column = index * first.head_width;
    attention_head head = first;
    head.q += column;
    head.k += column;
    head.v += column;
    head.out += column;
    kernel(&head);
  }
}

void ck_attention(ck_isa isa, int32_t queries, int32_t tokens, int32_t heads, int32_t head_width, const float *q,
                  int32_t ldq, const float *k, const float *v, int32_t ldkv, float *out, int32_t ldo, void *scratch) {
  attention_head first = {queries, tokens, head_width, q, ldq, k, v, ldkv, out, ldo, scratch};
  attend(exact_kernel(isa), first, heads);
}

void ck_attention_rounded(ck_isa isa, int32_t queries, int32_t tokens, int32_t heads, int32_t head_width,
                          const float *q, int32_t ldq, const float *k, const float *v, int32_t ldkv, float *out,
                          int32_t ldo, void *scratch) {
  attention_head first = {queries, tokens, head_width, q, ldq, k, v, ldkv, out, ldo, scratch};
  attend(rounded_kernel(isa), first, heads);
}
