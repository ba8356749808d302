package import Tensor

/// A cosine head: a row a class, and how much their cosines with a feature count, exp(T).
///
/// A local head knows one task's classes; its last row, which has no label, stands for "not this task".
package struct CosineRows: Sendable, Equatable {
  /// The label of each row; one fewer than rows in a local head.
  package let labels: [Int]
  /// `[labels.count, width]` or one more row; of any length, their direction counts.
  package let rows: Matrix<Float>
  /// T.
  package let logScale: Float

  package init(labels: [Int], rows: Matrix<Float>, logScale: Float) {
    precondition(rows.rows == labels.count || rows.rows == labels.count + 1, "a label a row, one more row at most")
    precondition(Set(labels).count == labels.count, "a class has one row")
    self.labels = labels
    self.rows = rows
    self.logScale = logScale
  }

  package var isLocal: Bool { rows.rows > labels.count }

  /// exp(T) cos(feature, row) of every feature and row, `[features, rows]`.
  package func logits(_ features: Matrix<Float>) -> Matrix<Float> {
    CosineHead.forward(features, weights: rows, scale: Float.exponential(logScale)).logits
  }
}
