// The activations by the C library: the reference of the vector forms.
#pragma once
#include <math.h>

/// x * sigmoid(1.702 x)
static inline float quick_gelu_scalar(float x) { return x / (1.0f + expf(-1.702f * x)); }

/// x * Phi(x), by the error function.
static inline float gelu_scalar(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678f)); }
