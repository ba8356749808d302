// What the variants of attention share: one head of one image each. Not part of the contract.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// One head: q `[queries, ldq]`, k and v `[tokens, ldkv]`, out `[queries, ldo]`, `head_width` columns of each.
typedef struct attention_head {
  int32_t queries, tokens, head_width;
  const float *q;
  int32_t ldq;
  const float *k, *v;
  int32_t ldkv;
  float *out;
  int32_t ldo;
  void *scratch; // 64-byte aligned
} attention_head;

void attention_scalar(const attention_head *head);
#if defined(__x86_64__)
size_t attention_scratch_avx2(int32_t tokens, int32_t head_width);
size_t attention_scratch_avx512(int32_t tokens, int32_t head_width);
void attention_avx2(const attention_head *head);
void attention_avx512(const attention_head *head);
/// Products of bfloat16 numbers, sums in float. For processors with AVX512_BF16.
void attention_avx512_bf16(const attention_head *head);
#endif
