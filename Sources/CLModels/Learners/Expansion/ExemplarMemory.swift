package import Tensor

/// Examples of old classes that later tasks are learned with: at most `capacity` in all, as many of each class (iCaRL,
/// Rebuffi et al. 2017).
package struct ExemplarMemory: Sendable {
  package let capacity: Int
  /// By class, in the order herding took them: a class shrinks by its end.
  private var byClass: [LabelledImages] = []

  package init(capacity: Int) { self.capacity = capacity }

  package var classes: Int { byClass.count }

  /// All of them, class after class.
  package var all: LabelledImages {
    byClass.reduce(into: LabelledImages()) { $0.append($1) }
  }

  /// How many of each class there are when `classes` are known.
  package func share(classes: Int) -> Int { capacity / max(1, classes) }

  /// Takes in the classes of a task, and makes room for them.
  ///
  /// - Parameters:
  ///   - task: labels are `classes..<classes + count`.
  ///   - features: of each of its examples, `[examples, width]`.
  package mutating func add(_ task: LabelledImages, count: Int, features: Matrix<Float>) {
    let share = share(classes: classes + count)
    byClass = byClass.map { $0.selecting(0..<min(share, $0.count)) }
    let units = UnitLength.forward(features).output
    for label in classes..<classes + count {
      let members = task.labels.indices.filter { task.labels[$0] == label }
      let chosen = Herding.choose(units.selectingRows(members), count: share)
      byClass.append(task.selecting(chosen.map { members[$0] }))
    }
  }
}
