/// Loops over elements that the differentiable operations share.
extension Matrix {
  /// `f` of every element.
  @specialized(where Scalar == Float)
  package func mapElements(_ f: (Scalar) -> Scalar) -> Matrix {
    var result = self
    result.storage.withUnsafeMutableBufferPointer { elements in
      for index in elements.indices { elements[index] = f(elements[index]) }
    }
    return result
  }

  /// `f` of every element and the element of `other`, of the same shape, in its place.
  @specialized(where Scalar == Float)
  package func mapElements(with other: Matrix, _ f: (Scalar, Scalar) -> Scalar) -> Matrix {
    precondition(rows == other.rows && columns == other.columns, "element by element needs one shape")
    var result = self
    result.storage.withUnsafeMutableBufferPointer { elements in
      other.storage.withUnsafeBufferPointer { others in
        for index in elements.indices { elements[index] = f(elements[index], others[index]) }
      }
    }
    return result
  }

  /// The sum of every column, `[columns]`.
  @specialized(where Scalar == Float)
  package func columnSums() -> [Scalar] {
    var sums = [Scalar](repeating: 0, count: columns)
    sums.withUnsafeMutableBufferPointer { sums in
      storage.withUnsafeBufferPointer { elements in
        for row in 0..<rows {
          for column in 0..<columns { sums[column] += elements[row * columns + column] }
        }
      }
    }
    return sums
  }
}
