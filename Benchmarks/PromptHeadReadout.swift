import CLModels
import Tensor

/// The heads that prompts were trained together with, task after task, and softmax heads over the features of Q.
struct PromptHeadReadout {
  private var global: CosineRows?
  private var locals: [CosineRows] = []

  /// With the heads of one more training, which may be none.
  func adding(_ heads: [CosineRows]) -> PromptHeadReadout {
    var result = self
    result.locals += heads.filter(\.isLocal)
    result.global = heads.last { !$0.isLocal } ?? global
    return result
  }

  /// What the global head says of examples; nil without one.
  ///
  /// - Parameter features: of the groups so far, `[examples, groups * width]`, the global one's last.
  func teacher(_ features: () -> Matrix<Float>) -> PromptTeacher? {
    guard let global else { return nil }
    let all = features()
    let width = global.rows.columns
    return PromptTeacher(head: global, features: Matrix((0..<all.rows).map { Array(all.row($0).suffix(width)) }))
  }

  /// Test accuracy by read-out: a softmax head fitted to z_Q, and the heads trained with the prompts if there are some.
  ///
  /// - Parameter columns: where z_Q is in a feature row; z of the tasks is before it.
  func accuracies(
    _ trained: LabelledFeatures, test: Matrix<Float>, labels: [Int], columns: Range<Int>, width: Int, pool: ComputePool
  ) throws -> [String: Double] {
    var data = trained
    data.mixture = FeatureMixture([.init(columns: columns, weight: 1)])
    var heads: [(String, any Head)] = [("softmax z_Q", try CosineSoftmaxFit.fit(data, pool: pool).head)]
    if let global {
      let own = columns.upperBound - width..<columns.upperBound
      let placed = locals.enumerated().map { (head: $1, columns: ($0 + 1) * width..<($0 + 2) * width) }
      for (name, some) in [("H", []), ("H+h", placed)] {
        heads.append(
          (
            name,
            CosineSoftmaxHead(
              global: global, columns: own, locals: some, classCount: data.classCount,
              featureWidth: data.features.columns)
          ))
      }
    }
    return Dictionary(
      uniqueKeysWithValues: heads.map { name, head in
        let scores = head.scores(test)
        return (
          name, Double(labels.indices.count { scores.columnOfLargest(inRow: $0) == labels[$0] }) / Double(labels.count)
        )
      })
  }
}
