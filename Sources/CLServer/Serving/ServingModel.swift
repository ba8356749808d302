package import CLModels
package import Tensor

/// A class as predictions show it.
package struct ServingClass: Sendable, Equatable {
  package let id: Int64
  package var name: String

  package init(id: Int64, name: String) {
    self.id = id
    self.name = name
  }
}

/// A class with its calibrated probability.
package struct RankedClass: Sendable, Equatable {
  package let servingClass: ServingClass
  package let confidence: Float
}

/// One version, ready to answer: immutable, shared by every thread that predicts.
package struct ServingModel: Sendable {
  package let version: Int64
  /// By column of the head.
  package let classes: [ServingClass]
  package let head: any Head
  /// What the head reads.
  package let sources: ModelSources
  package let temperature: Float
  /// Classes that were removed since the version was made: they no longer answer, though their column is still there.
  package let removed: Set<Int64>
  /// The examples that this version learned from or was measured on.
  package let examples: Set<Int64>

  package init(
    version: Int64, classes: [ServingClass], head: any Head, sources: ModelSources, temperature: Float,
    removed: Set<Int64> = [], examples: Set<Int64>
  ) {
    self.version = version
    self.classes = classes
    self.head = head
    self.sources = sources
    self.temperature = temperature
    self.removed = removed
    self.examples = examples
  }

  /// How many classes answer.
  package var answering: Int { classes.count { !removed.contains($0.id) } }

  /// Whether no class is left to answer.
  package var isEmpty: Bool { answering == 0 }

  /// Ranks the classes for each row of `features` (`[n, width]`, normalised), the most probable first.
  ///
  /// Probabilities are the softmax of the scores over the calibrated temperature, over the classes that still answer.
  package func rank(_ features: Matrix<Float>, top: Int) -> [[RankedClass]] {
    let scores = head.scores(features)
    let columns = classes.indices.filter { !removed.contains(classes[$0].id) }
    return (0..<scores.rows).map { row in
      let kept = columns.map { scores[row, $0] }
      let probabilities = Calibration.probabilities(kept, temperature: temperature)
      // Ties are broken by id, so that the same scores always give the same answer.
      let order = kept.indices.sorted {
        kept[$0] != kept[$1] ? kept[$0] > kept[$1] : classes[columns[$0]].id < classes[columns[$1]].id
      }
      return order.prefix(top).map {
        RankedClass(servingClass: classes[columns[$0]], confidence: probabilities[$0])
      }
    }
  }

  /// The same version under a class's new name.
  package func renaming(_ id: Int64, to name: String) -> ServingModel {
    var classes = classes
    for index in classes.indices where classes[index].id == id { classes[index].name = name }
    return ServingModel(
      version: version, classes: classes, head: head, sources: sources, temperature: temperature, removed: removed,
      examples: examples)
  }

  /// The same version with classes that no longer answer and examples that are no longer its own.
  package func removing(classes gone: [Int64], examples goneExamples: [Int64]) -> ServingModel {
    ServingModel(
      version: version, classes: classes, head: head, sources: sources, temperature: temperature,
      removed: removed.union(gone), examples: examples.subtracting(goneExamples))
  }
}
