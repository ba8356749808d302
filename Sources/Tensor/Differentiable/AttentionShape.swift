/// The products of attention over many images, head by head: what `GatedAttention` is made of. Weights are
/// `[images * heads * queries, keys + further]`.
struct AttentionShape {
  let images: Int
  let heads: Int
  /// Of one image, as are the keys and the further keys.
  let queries: Int
  let keys: Int
  let further: Int
  let headWidth: Int

  var width: Int { heads * headWidth }
  var columns: Int { keys + further }

  init<Scalar: KernelScalar>(_ inputs: GatedAttention.Inputs<Scalar>, images: Int, heads: Int) {
    precondition(heads > 0 && images > 0, "at least one image and one head")
    let width = inputs.queries.columns
    precondition(width.isMultiple(of: heads), "heads of one width")
    precondition(inputs.keys.columns == width && inputs.values.columns == width, "queries, keys, values of one width")
    self.images = images
    self.heads = heads
    queries = inputs.queries.rows / images
    keys = inputs.keys.rows / images
    further = (inputs.further?.keys.rows ?? 0) / images
    headWidth = width / heads
    precondition(inputs.queries.rows == images * queries && inputs.keys.rows == images * keys, "whole images")
    precondition(queries > 0 && keys > 0, "every image has queries and keys")
    precondition(inputs.values.rows == inputs.keys.rows, "a value a key")
    if let others = inputs.further {
      precondition(
        others.keys.columns == headWidth && others.values.columns == headWidth
          && others.keys.rows == images * further && others.values.rows == images * further,
        "further keys and values of a head's width, as many an image")
    }
  }

  /// 1 / sqrt(head width).
  func scale<Scalar: KernelScalar>() -> Scalar { 1 / Scalar(headWidth).squareRoot() }
}

extension AttentionShape {
  /// scale a b^T of every image and head: a `[images * queries, width]`, b `[images * keys, width]` and what is
  /// further, `[images * further, head width]`, to `[images * heads * queries, keys + further]`.
  func logits<Scalar: KernelScalar>(
    _ a: Matrix<Scalar>, _ b: Matrix<Scalar>, _ furtherRows: Matrix<Scalar>?, scale: Scalar
  ) -> Matrix<Scalar> {
    var result = Matrix<Scalar>(rows: images * heads * queries, columns: columns)
    result.storage.withUnsafeMutableBufferPointer { result in
      let (result, a, b) = (result.baseAddress!, a.storage, b.storage)
      a.withUnsafeBufferPointer { a in
        b.withUnsafeBufferPointer { b in
          forEachHead { image, head, block in
            Scalar.multiply(
              queries, keys, headWidth, alpha: scale, a.baseAddress! + image * queries * width + head * headWidth,
              width, b.baseAddress! + image * keys * width + head * headWidth, width, beta: 0,
              result + block * queries * columns, columns)
          }
        }
        furtherRows?.storage.withUnsafeBufferPointer { rows in
          forEachHead { image, head, block in
            Scalar.multiply(
              queries, further, headWidth, alpha: scale,
              a.baseAddress! + image * queries * width + head * headWidth, width,
              rows.baseAddress! + image * further * headWidth, headWidth, beta: 0,
              result + block * queries * columns + keys, columns)
          }
        }
      }
    }
    return result
  }

  /// scale A v of every image and head: weights A, v `[images * keys, width]` and what is further, to
  /// `[images * queries, width]`.
  func weighted<Scalar: KernelScalar>(
    _ weights: Matrix<Scalar>, _ v: Matrix<Scalar>, _ furtherRows: Matrix<Scalar>?, scale: Scalar
  ) -> Matrix<Scalar> {
    var result = Matrix<Scalar>(rows: images * queries, columns: width)
    result.storage.withUnsafeMutableBufferPointer { result in
      let result = result.baseAddress!
      weights.storage.withUnsafeBufferPointer { weights in
        v.storage.withUnsafeBufferPointer { v in
          forEachHead { image, head, block in
            Scalar.multiply(
              .rowsColumns, queries, headWidth, keys, alpha: scale,
              weights.baseAddress! + block * queries * columns, columns,
              v.baseAddress! + image * keys * width + head * headWidth, width, beta: 0,
              result + image * queries * width + head * headWidth, width)
          }
        }
        furtherRows?.storage.withUnsafeBufferPointer { rows in
          forEachHead { image, head, block in
            Scalar.multiply(
              .rowsColumns, queries, headWidth, further, alpha: scale,
              weights.baseAddress! + block * queries * columns + keys, columns,
              rows.baseAddress! + image * further * headWidth, headWidth, beta: 1,
              result + image * queries * width + head * headWidth, width)
          }
        }
      }
    }
    return result
  }

  /// scale A^T x of every image and head: weights A, x `[images * queries, width]`, to `[images * keys, width]` and, of
  /// all heads together, `[images * further, head width]`.
  func gathered<Scalar: KernelScalar>(
    _ weights: Matrix<Scalar>, _ x: Matrix<Scalar>, scale: Scalar
  ) -> (keys: Matrix<Scalar>, further: Matrix<Scalar>?) {
    var own = Matrix<Scalar>(rows: images * keys, columns: width)
    var others = Matrix<Scalar>(rows: images * further, columns: headWidth)
    own.storage.withUnsafeMutableBufferPointer { own in
      others.storage.withUnsafeMutableBufferPointer { others in
        x.storage.withUnsafeBufferPointer { x in
          weights.storage.withUnsafeBufferPointer { weights in
            forEachHead { image, head, block in
              let (left, right) = (
                weights.baseAddress! + block * queries * columns,
                x.baseAddress! + image * queries * width + head * headWidth
              )
              Scalar.multiply(
                .columnsColumns, keys, headWidth, queries, alpha: scale, left, columns, right, width, beta: 0,
                own.baseAddress! + image * keys * width + head * headWidth, width)
              guard further > 0 else { return }
              Scalar.multiply(
                .columnsColumns, further, headWidth, queries, alpha: scale, left + keys, columns, right, width,
                beta: 1, others.baseAddress! + image * further * headWidth, headWidth)
            }
          }
        }
      }
    }
    return (own, further > 0 ? others : nil)
  }

  /// (1 - s) C + s L, L the same for every image and nothing for further keys.
  func mixed<Scalar: KernelScalar>(
    _ content: Matrix<Scalar>, _ local: Matrix<Scalar>, shares: [Scalar]
  ) -> Matrix<Scalar> {
    var result = content
    result.storage.withUnsafeMutableBufferPointer { result in
      local.storage.withUnsafeBufferPointer { local in
        forEachHead { _, head, block in
          let share = shares[head]
          for query in 0..<queries {
            let row = (block * queries + query) * columns
            let known = (head * queries + query) * keys
            for column in 0..<columns { result[row + column] *= 1 - share }
            for column in 0..<keys { result[row + column] += share * local[known + column] }
          }
        }
      }
    }
    return result
  }

  /// The gradient of the mixture to that of its content, in place, of the local part and of the shares.
  func unmixed<Scalar: KernelScalar>(
    _ gradient: inout Matrix<Scalar>, content: Matrix<Scalar>, local: Matrix<Scalar>, shares: [Scalar]
  ) -> (local: Matrix<Scalar>, shares: [Scalar]) {
    var localGradient = Matrix<Scalar>(rows: local.rows, columns: local.columns)
    var shareGradient = [Scalar](repeating: 0, count: heads)
    gradient.storage.withUnsafeMutableBufferPointer { gradient in
      localGradient.storage.withUnsafeMutableBufferPointer { localGradient in
        content.storage.withUnsafeBufferPointer { content in
          local.storage.withUnsafeBufferPointer { local in
            forEachHead { _, head, block in
              let share = shares[head]
              var along: Scalar = 0
              for query in 0..<queries {
                let row = (block * queries + query) * columns
                let known = (head * queries + query) * keys
                for column in 0..<keys {
                  along += gradient[row + column] * local[known + column]
                  localGradient[known + column] += share * gradient[row + column]
                }
                for column in 0..<columns {
                  along -= gradient[row + column] * content[row + column]
                  gradient[row + column] *= 1 - share
                }
              }
              shareGradient[head] += along
            }
          }
        }
      }
    }
    return (localGradient, shareGradient)
  }

  /// Every image and head, and which block of `queries` rows of the weights is theirs.
  private func forEachHead(_ body: (_ image: Int, _ head: Int, _ block: Int) -> Void) {
    for image in 0..<images {
      for head in 0..<heads { body(image, head, image * heads + head) }
    }
  }
}
