import CKernels
import Tensor
import Testing

@Suite struct MatrixTests {
  @Test func rowsColumnsAndTransposeAgree() {
    let matrix = Matrix<Float>([[1, 2, 3], [4, 5, 6]])
    #expect(matrix.rows == 2 && matrix.columns == 3)
    #expect(matrix[1, 0] == 4)
    #expect(Array(matrix.row(1)) == [4, 5, 6])
    #expect(matrix.transposed().storage == [1, 4, 2, 5, 3, 6])
    #expect(matrix.selectingRows([1, 0, 1]).storage == [4, 5, 6, 1, 2, 3, 4, 5, 6])
  }

  @Test func theFirstOfTheLargestNumbersOfARowIsFound() {
    let matrix = Matrix<Float>([[-3, -1, -2], [0, 5, 5], [1, 1, 1], [-.infinity, -.infinity, 0]])
    #expect((0..<4).map { matrix.columnOfLargest(inRow: $0) } == [1, 1, 0, 2])
  }

  @Test func aMatrixWithoutRowsIsAllowed() {
    let matrix = Matrix<Double>([])
    #expect(matrix.rows == 0 && matrix.columns == 0 && matrix.storage.isEmpty)
  }

  @Test func theGeneratorRepeatsWithItsSeedAlone() {
    var first = SeededGenerator(seed: 7)
    var second = SeededGenerator(seed: 7)
    var other = SeededGenerator(seed: 8)
    let numbers = (0..<4).map { _ in first.next() }
    #expect(numbers == (0..<4).map { _ in second.next() })
    #expect(numbers != (0..<4).map { _ in other.next() })
  }

  @Test func gaussiansHaveMeanZeroAndVarianceOne() {
    var generator = SeededGenerator(seed: 1)
    let count = 100_000
    let draws = (0..<count).map { _ in generator.nextGaussian() }
    let mean = draws.reduce(0, +) / Double(count)
    let variance = draws.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
    // Five standard errors.
    #expect(abs(mean) < 5 / Double(count).squareRoot())
    #expect(abs(variance - 1) < 5 * (2 / Double(count)).squareRoot())
  }
}

/// `ck_gemm_*` against its scalar twin, at sizes that are no multiple of a tile, with strides wider than the rows.
@Suite struct FloatGEMMTests {
  static let sizes = [
    (1, 1, 1), (1, 55, 300), (2, 7, 3), (3, 4, 17), (4, 1, 9), (6, 16, 8), (7, 17, 513), (13, 33, 64), (12, 32, 512),
    (61, 70, 1030), (5, 600, 7), (25, 1100, 40),
  ]
  static let scales: [(alpha: Double, beta: Double)] = [(1, 0), (-1, 1), (0.5, -2)]

  @Test(arguments: [CK_ISA_AVX2, CK_ISA_AVX512].filter { ck_isa_supported($0) }.map(\.rawValue), sizes)
  func blockedProductsEqualTheScalarTwin(isa: UInt32, size: (Int, Int, Int)) {
    for product in [CK_PRODUCT_NT, CK_PRODUCT_NN, CK_PRODUCT_TN] { compare(ck_isa(isa), product, size) }
  }

  private func compare(_ isa: ck_isa, _ product: ck_product, _ size: (Int, Int, Int)) {
    let (m, n, k) = size
    // As many rows as columns and more: either order fits.
    let (lda, ldb, ldc) = (max(m, k) + 3, max(n, k) + 1, n + 2)
    var generator = SeededGenerator(seed: UInt64(m * 1000 + n))
    let a = (0..<max(m, k) * lda).map { _ in generator.nextGaussian() }
    let b = (0..<max(n, k) * ldb).map { _ in generator.nextGaussian() }
    let c = (0..<m * ldc).map { _ in generator.nextGaussian() }
    let a32 = a.map(Float.init)
    let b32 = b.map(Float.init)
    for (alpha, beta) in Self.scales {
      var blocked = c
      var twin = c
      ck_gemm_f64(
        isa, product, Int32(m), Int32(n), Int32(k), alpha, a, Int32(lda), b, Int32(ldb), beta, &blocked, Int32(ldc))
      ck_gemm_f64(
        CK_ISA_SCALAR, product, Int32(m), Int32(n), Int32(k), alpha, a, Int32(lda), b, Int32(ldb), beta, &twin,
        Int32(ldc))
      var blocked32 = c.map(Float.init)
      ck_gemm_f32(
        isa, product, Int32(m), Int32(n), Int32(k), Float(alpha), a32, Int32(lda), b32, Int32(ldb), Float(beta),
        &blocked32, Int32(ldc))
      var worst = 0.0
      var worst32 = 0.0
      for i in 0..<m * ldc {
        worst = max(worst, abs(blocked[i] - twin[i]))
        worst32 = max(worst32, abs(Double(blocked32[i]) - twin[i]))
      }
      // Sums of k products of unit normals, in another order: a few roundings of sqrt(k).
      let spread = (Double(k) + 1).squareRoot()
      #expect(worst < 1e-14 * spread * 8)
      #expect(worst32 < 1e-6 * spread * 8)
    }
  }

  @Test func betaZeroDoesNotReadTheOutput() {
    for isa in [CK_ISA_SCALAR, ck_isa_best()] {
      for (m, n) in [(1, 3), (8, 40)] {
        var c = [Float](repeating: .nan, count: m * n)
        let a = [Float](repeating: 1, count: m * 2)
        let b = [Float](repeating: 1, count: n * 2)
        ck_gemm_f32(isa, CK_PRODUCT_NT, Int32(m), Int32(n), 2, 1, a, 2, b, 2, 0, &c, Int32(n))
        #expect(c == [Float](repeating: 2, count: m * n))
      }
    }
  }
}
