package import Tensor

/// Arc-cosine kernel ridge: the score of class c is `sum_i k(x, x_i) coefficients[c][i]` over the stored examples.
package struct KernelRidgeHead: Head {
  /// `[examples, width]`, rows of unit length.
  let examples: Matrix<Float>
  /// `[classes, examples]`.
  let coefficients: Matrix<Float>

  package var classCount: Int { coefficients.rows }
  package var featureWidth: Int { examples.columns }

  /// Rows scored at once, so that their kernel with the examples stays in the cache.
  private static var block: Int { 64 }

  package func scores(_ features: Matrix<Float>) -> Matrix<Float> {
    precondition(features.columns == featureWidth, "features of another width")
    let unit = features.rowsOfUnitLength()
    var result = Matrix<Float>(rows: unit.rows, columns: classCount)
    let count = examples.rows
    var kernel = [Float](repeating: 0, count: min(Self.block, unit.rows) * count)
    for start in stride(from: 0, to: unit.rows, by: Self.block) {
      let rows = min(Self.block, unit.rows - start)
      kernel.withUnsafeMutableBufferPointer { kernel in
        result.storage.withUnsafeMutableBufferPointer { result in
          unit.storage.withUnsafeBufferPointer { unit in
            examples.storage.withUnsafeBufferPointer { examples in
              coefficients.storage.withUnsafeBufferPointer { coefficients in
                guard let kernel = kernel.baseAddress, let result = result.baseAddress, let unit = unit.baseAddress,
                  let examples = examples.baseAddress, let coefficients = coefficients.baseAddress
                else { return }
                let width = featureWidth
                Float.multiply(
                  rows, count, width, alpha: 1, unit + start * width, width, examples, width, beta: 0, kernel, count)
                arcCosineKernel(rows * count, kernel)
                Float.multiply(
                  rows, classCount, count, alpha: 1, kernel, count, coefficients, count, beta: 0,
                  result + start * classCount, classCount)
              }
            }
          }
        }
      }
    }
    return result
  }

  package func encoded() -> [UInt8] {
    var coder = HeadEncoder(kind: .kernelRidge)
    coder.append(examples)
    coder.append(coefficients)
    return coder.bytes
  }

  init(examples: Matrix<Float>, coefficients: Matrix<Float>) {
    self.examples = examples
    self.coefficients = coefficients
  }

  init(from decoder: inout HeadDecoder) throws(LearnerError) {
    examples = try decoder.matrix()
    coefficients = try decoder.matrix()
    guard examples.rows == coefficients.columns else { throw .unreadable("coefficients do not fit the examples") }
  }
}
