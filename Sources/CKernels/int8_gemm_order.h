#pragma once
#include "include/int8_gemm.h"

/// Fills `order` and `sets_of_four` of packed weights.
void int8_order_quads(ck_int8_weights *weights);
