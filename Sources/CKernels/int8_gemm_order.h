#pragma once
#include "include/int8_gemm.h"

/// Fills `order` and `order_counts` of packed weights.
void int8_order_quads(ck_int8_weights *weights);
