// All kernels. One concept a header.
#pragma once
#include "dispatch.h"
#include "float_gemm.h"
#include "head_products.h"
#include "int8_gemm.h"
#include "linear_algebra.h"
#include "prompt_rows.h"
#include "resize.h"
#include "vector_ops.h"
