internal import CKernels

/// In what order the operands of c `[m, n]` = a b are in memory.
package enum ProductOrder: Sendable {
  /// a `[m, k]`, b `[n, k]`: rows with rows.
  case rowsRows
  /// a `[m, k]`, b `[k, n]`.
  case rowsColumns
  /// a `[k, m]`, b `[k, n]`: columns with columns.
  case columnsColumns

  fileprivate var kernel: ck_product {
    switch self {
    case .rowsRows: CK_PRODUCT_NT
    case .rowsColumns: CK_PRODUCT_NN
    case .columnsColumns: CK_PRODUCT_TN
    }
  }
}

/// The precisions the C kernels come in. Shapes and strides count scalars; the C headers state each contract.
///
/// Generic code other modules call in a loop or on a batch says `@specialized(where Scalar == Float)`: no other module
/// makes its own copy of a generic `package` function for Float, not even of an `@inlinable` one (Swift 6.3), and what
/// is left calls every addition through a table, tens of times slower (`AdamW.update`: 58 times).
package protocol KernelScalar: ElementaryScalar {
  /// c `[m, n]` = alpha a b + beta c, a and b as the product's order says.
  static func multiply(
    _ product: ProductOrder, _ m: Int, _ n: Int, _ k: Int, alpha: Self, _ a: UnsafePointer<Self>, _ lda: Int,
    _ b: UnsafePointer<Self>,
    _ ldb: Int, beta: Self, _ c: UnsafeMutablePointer<Self>, _ ldc: Int)
  static func cholesky(
    _ n: Int, _ a: UnsafeMutablePointer<Self>, _ lda: Int, inverses: UnsafeMutablePointer<Self>
  ) -> Int
  static func solveLower(
    _ m: Int, _ n: Int, _ l: UnsafePointer<Self>, _ ldl: Int, inverses: UnsafePointer<Self>,
    _ x: UnsafeMutablePointer<Self>, _ ldx: Int)
  static func solveUpper(
    _ m: Int, _ n: Int, _ l: UnsafePointer<Self>, _ ldl: Int, inverses: UnsafePointer<Self>,
    _ x: UnsafeMutablePointer<Self>, _ ldx: Int)
  /// LayerNorm of contiguous rows: gain (x - mean) / sqrt(variance + epsilon) + bias. The output may be x.
  static func normalizeRows(
    _ rows: Int, _ width: Int, _ x: UnsafePointer<Self>, gain: UnsafePointer<Self>, bias: UnsafePointer<Self>,
    epsilon: Self, _ output: UnsafeMutablePointer<Self>)
  /// Adds what LayerNorm passes back to x.
  static func normalizeRowsBackward(
    _ rows: Int, _ width: Int, _ x: UnsafePointer<Self>, gain: UnsafePointer<Self>, epsilon: Self,
    _ gradient: UnsafePointer<Self>, addingTo result: UnsafeMutablePointer<Self>)
  /// GELU in place.
  static func applyGELU(_ count: Int, _ x: UnsafeMutablePointer<Self>)
  /// Multiplies a gradient by GELU's slope at x.
  static func applyGELUBackward(_ count: Int, _ x: UnsafePointer<Self>, _ gradient: UnsafeMutablePointer<Self>)

  /// scores `[rows, heads]`: u `[rows, width]` with every head of x `[rows, heads * width]`.
  static func headScores(
    _ rows: Int, _ heads: Int, _ width: Int, _ u: UnsafePointer<Self>, _ ldu: Int, _ x: UnsafePointer<Self>,
    _ ldx: Int, _ scores: UnsafeMutablePointer<Self>, _ lds: Int)
  /// out `[rows, heads * width]`: every head of x times its factor, `[rows, heads]`.
  static func scaleHeads(
    _ rows: Int, _ heads: Int, _ width: Int, _ factors: UnsafePointer<Self>, _ ldf: Int, _ x: UnsafePointer<Self>,
    _ ldx: Int, _ out: UnsafeMutablePointer<Self>, _ ldo: Int)
  /// out `[rows, width]` += the heads of x times their factors.
  static func sumHeads(
    _ rows: Int, _ heads: Int, _ width: Int, _ factors: UnsafePointer<Self>, _ ldf: Int, _ x: UnsafePointer<Self>,
    _ ldx: Int, _ out: UnsafeMutablePointer<Self>, _ ldo: Int)
}

extension KernelScalar {
  /// c `[m, n]` = alpha a b^T + beta c, with a `[m, k]` and b `[n, k]`.
  @inlinable
  package static func multiply(
    _ m: Int, _ n: Int, _ k: Int, alpha: Self, _ a: UnsafePointer<Self>, _ lda: Int, _ b: UnsafePointer<Self>,
    _ ldb: Int, beta: Self, _ c: UnsafeMutablePointer<Self>, _ ldc: Int
  ) {
    multiply(.rowsRows, m, n, k, alpha: alpha, a, lda, b, ldb, beta: beta, c, ldc)
  }
}

extension Float: KernelScalar {
  package static func multiply(
    _ product: ProductOrder, _ m: Int, _ n: Int, _ k: Int, alpha: Float, _ a: UnsafePointer<Float>, _ lda: Int,
    _ b: UnsafePointer<Float>,
    _ ldb: Int, beta: Float, _ c: UnsafeMutablePointer<Float>, _ ldc: Int
  ) {
    ck_gemm_f32(
      ck_isa_best(), product.kernel, Int32(m), Int32(n), Int32(k), alpha, a, Int32(lda), b, Int32(ldb), beta, c,
      Int32(ldc))
  }

  package static func cholesky(
    _ n: Int, _ a: UnsafeMutablePointer<Float>, _ lda: Int, inverses: UnsafeMutablePointer<Float>
  ) -> Int {
    Int(ck_cholesky_f32(ck_isa_best(), Int32(n), a, Int32(lda), inverses))
  }

  package static func solveLower(
    _ m: Int, _ n: Int, _ l: UnsafePointer<Float>, _ ldl: Int, inverses: UnsafePointer<Float>,
    _ x: UnsafeMutablePointer<Float>, _ ldx: Int
  ) {
    ck_solve_lower_f32(ck_isa_best(), Int32(m), Int32(n), l, Int32(ldl), inverses, x, Int32(ldx))
  }

  package static func solveUpper(
    _ m: Int, _ n: Int, _ l: UnsafePointer<Float>, _ ldl: Int, inverses: UnsafePointer<Float>,
    _ x: UnsafeMutablePointer<Float>, _ ldx: Int
  ) {
    ck_solve_upper_f32(ck_isa_best(), Int32(m), Int32(n), l, Int32(ldl), inverses, x, Int32(ldx))
  }

  package static func headScores(
    _ rows: Int, _ heads: Int, _ width: Int, _ u: UnsafePointer<Float>, _ ldu: Int, _ x: UnsafePointer<Float>,
    _ ldx: Int, _ scores: UnsafeMutablePointer<Float>, _ lds: Int
  ) {
    ck_head_scores_f32(
      ck_isa_best(), Int32(rows), Int32(heads), Int32(width), u, Int32(ldu), x, Int32(ldx), scores, Int32(lds))
  }

  package static func scaleHeads(
    _ rows: Int, _ heads: Int, _ width: Int, _ factors: UnsafePointer<Float>, _ ldf: Int, _ x: UnsafePointer<Float>,
    _ ldx: Int, _ out: UnsafeMutablePointer<Float>, _ ldo: Int
  ) {
    ck_scale_heads_f32(
      ck_isa_best(), Int32(rows), Int32(heads), Int32(width), factors, Int32(ldf), x, Int32(ldx), out, Int32(ldo))
  }

  package static func sumHeads(
    _ rows: Int, _ heads: Int, _ width: Int, _ factors: UnsafePointer<Float>, _ ldf: Int, _ x: UnsafePointer<Float>,
    _ ldx: Int, _ out: UnsafeMutablePointer<Float>, _ ldo: Int
  ) {
    ck_sum_heads_f32(
      ck_isa_best(), Int32(rows), Int32(heads), Int32(width), factors, Int32(ldf), x, Int32(ldx), out, Int32(ldo))
  }
}

extension Double: KernelScalar {
  package static func multiply(
    _ product: ProductOrder, _ m: Int, _ n: Int, _ k: Int, alpha: Double, _ a: UnsafePointer<Double>, _ lda: Int,
    _ b: UnsafePointer<Double>,
    _ ldb: Int, beta: Double, _ c: UnsafeMutablePointer<Double>, _ ldc: Int
  ) {
    ck_gemm_f64(
      ck_isa_best(), product.kernel, Int32(m), Int32(n), Int32(k), alpha, a, Int32(lda), b, Int32(ldb), beta, c,
      Int32(ldc))
  }

  package static func cholesky(
    _ n: Int, _ a: UnsafeMutablePointer<Double>, _ lda: Int, inverses: UnsafeMutablePointer<Double>
  ) -> Int {
    Int(ck_cholesky_f64(ck_isa_best(), Int32(n), a, Int32(lda), inverses))
  }

  package static func solveLower(
    _ m: Int, _ n: Int, _ l: UnsafePointer<Double>, _ ldl: Int, inverses: UnsafePointer<Double>,
    _ x: UnsafeMutablePointer<Double>, _ ldx: Int
  ) {
    ck_solve_lower_f64(ck_isa_best(), Int32(m), Int32(n), l, Int32(ldl), inverses, x, Int32(ldx))
  }

  package static func solveUpper(
    _ m: Int, _ n: Int, _ l: UnsafePointer<Double>, _ ldl: Int, inverses: UnsafePointer<Double>,
    _ x: UnsafeMutablePointer<Double>, _ ldx: Int
  ) {
    ck_solve_upper_f64(ck_isa_best(), Int32(m), Int32(n), l, Int32(ldl), inverses, x, Int32(ldx))
  }

  package static func headScores(
    _ rows: Int, _ heads: Int, _ width: Int, _ u: UnsafePointer<Double>, _ ldu: Int, _ x: UnsafePointer<Double>,
    _ ldx: Int, _ scores: UnsafeMutablePointer<Double>, _ lds: Int
  ) {
    ck_head_scores_f64(
      ck_isa_best(), Int32(rows), Int32(heads), Int32(width), u, Int32(ldu), x, Int32(ldx), scores, Int32(lds))
  }

  package static func scaleHeads(
    _ rows: Int, _ heads: Int, _ width: Int, _ factors: UnsafePointer<Double>, _ ldf: Int, _ x: UnsafePointer<Double>,
    _ ldx: Int, _ out: UnsafeMutablePointer<Double>, _ ldo: Int
  ) {
    ck_scale_heads_f64(
      ck_isa_best(), Int32(rows), Int32(heads), Int32(width), factors, Int32(ldf), x, Int32(ldx), out, Int32(ldo))
  }

  package static func sumHeads(
    _ rows: Int, _ heads: Int, _ width: Int, _ factors: UnsafePointer<Double>, _ ldf: Int, _ x: UnsafePointer<Double>,
    _ ldx: Int, _ out: UnsafeMutablePointer<Double>, _ ldo: Int
  ) {
    ck_sum_heads_f64(
      ck_isa_best(), Int32(rows), Int32(heads), Int32(width), factors, Int32(ldf), x, Int32(ldx), out, Int32(ldo))
  }
}

/// The arc-cosine kernel of order 1 from cosines, in place (`ck_arc_cosine_f32`).
package func arcCosineKernel(_ count: Int, _ cosines: UnsafeMutablePointer<Float>) {
  ck_arc_cosine_f32(ck_isa_best(), count, cosines)
}
