package import Storage

/// A class as a task shows it: how many examples of it the task brought.
package struct TaskClass: Sendable, Equatable {
  package let id: Int64
  package let name: String
  package var training = 0
  package var heldOut = 0

  /// From a request's examples.
  package static func count(_ examples: [NewExample], classIDs: [String: Int64]) -> [TaskClass] {
    var classes: [Int64: TaskClass] = [:]
    for example in examples {
      guard let id = classIDs[example.label] else { continue }
      classes[id, default: TaskClass(id: id, name: example.label)].add(isHeldOut: example.isHeldOut)
    }
    return classes.values.sorted { $0.id < $1.id }
  }

  /// From the counts of a task's stored examples and the classes it brought; a class without examples is shown too.
  package static func count(_ counts: [ExampleCount], of taskID: Int64, classes: [ClassRecord]) -> [TaskClass] {
    let names = Dictionary(uniqueKeysWithValues: classes.map { ($0.id, $0.name) })
    var counted: [Int64: TaskClass] = [:]
    for known in classes where known.taskID == taskID { counted[known.id] = TaskClass(id: known.id, name: known.name) }
    for count in counts where count.taskID == taskID {
      guard let name = names[count.classID] else { continue }
      counted[count.classID] = TaskClass(
        id: count.classID, name: name, training: count.training, heldOut: count.heldOut)
    }
    return counted.values.sorted { $0.id < $1.id }
  }

  private mutating func add(isHeldOut: Bool) {
    if isHeldOut { heldOut += 1 } else { training += 1 }
  }
}
