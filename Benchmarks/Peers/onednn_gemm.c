// Single-precision products by oneDNN, for `benchmarks float-gemm`. Reads lines "m n k", writes the least seconds that
// c [m, n] = a [m, k] b^T took, b [n, k], over "runs" goes.
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
  int runs = argc > 1 ? atoi(argv[1]) : 20;
  long m, n, k;
  puts("ready");
  fflush(stdout);
  while (scanf("%ld %ld %ld", &m, &n, &k) == 3) {
    float *a = malloc(sizeof(float) * (size_t)(m * k)), *b = malloc(sizeof(float) * (size_t)(n * k));
    float *c = malloc(sizeof(float) * (size_t)(m * n));
    if (!a || !b || !c) return 1;
    for (long i = 0; i < m * k; i++) a[i] = (float)(i % 17) / 17 - .5f;
    for (long i = 0; i < n * k; i++) b[i] = (float)(i % 13) / 13 - .5f;
    double least = 1e9;
    for (int run = 0; run < runs; run++) {
      double start = now();
      if (dnnl_sgemm('N', 'T', m, n, k, 1.0f, a, k, b, k, 0.0f, c, n) != dnnl_success) return 1;
      double time = now() - start;
      if (time < least) least = time;
    }
    printf("%.9f\n", least);
    fflush(stdout);
    free(a);
    free(b);
    free(c);
  }
  return 0;
}
