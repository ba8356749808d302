internal import Tensor

/// Where the heads that are trained together with sources have their numbers: one head a group, row after row.
///
/// A group that reads tasks has a global head, a row a class: the teacher's classes first, then the others, rising. A
/// task's group has a local one: a row for each of the task's classes, and a last one for "not this task".
struct PromptHeads: Sendable {
  struct Shape: Sendable {
    let labels: [Int]
    let isLocal: Bool
    /// Among all heads' numbers.
    let numbers: Range<Int>
    /// The row of a label.
    fileprivate let places: [Int: Int]

    var rows: Int { labels.count + (isLocal ? 1 : 0) }

    /// The last row for classes of other tasks.
    func row(of label: Int) -> Int { places[label] ?? labels.count }
  }

  let shapes: [Shape]
  private let width: Int
  private let teacher: PromptTeacher?

  /// Examples of a class that its row starts from.
  private static let startExamples = 24

  init(isGlobal: [Bool], set: SourceTrainingSet, width: Int) {
    let known = Set(set.labels)
    let old = set.teacher?.head.labels ?? []
    let all = old + known.subtracting(old).sorted()
    let own = set.preferred.intersection(known).sorted()
    var end = 0
    shapes = isGlobal.map { isGlobal in
      let labels = isGlobal ? all : own
      let start = end
      end += (labels.count + (isGlobal ? 0 : 1)) * width
      return Shape(
        labels: labels, isLocal: !isGlobal, numbers: start..<end,
        places: Dictionary(uniqueKeysWithValues: labels.enumerated().map { ($1, $0) }))
    }
    self.width = width
    teacher = set.teacher
    precondition(teacher.map { $0.head.rows.columns == width } ?? true, "a teacher of the backbone's width")
    precondition((teacher?.logits).map { $0.rows == set.labels.count } ?? true, "the teacher's word on every example")
  }

  var count: Int { shapes.last?.numbers.upperBound ?? 0 }

  /// `[rows, width]`.
  func rows(_ group: Int, in numbers: [Float]) -> Matrix<Float> {
    Matrix(rows: shapes[group].rows, columns: width, storage: Array(numbers[shapes[group].numbers]))
  }

  func teacherLogits(_ batch: [Int]) -> Matrix<Float>? { teacher?.logits?.selectingRows(batch) }

  /// T that heads start with: the teacher's for the global one, else 3.
  var startLogScales: [Float] { shapes.map { $0.isLocal ? 3 : teacher?.head.logScale ?? 3 } }

  /// Examples whose features `start` wants: some of each class.
  static func examplesToStart(_ labels: [Int]) -> [Int] {
    var taken: [Int: Int] = [:]
    return labels.indices.filter { index in
      taken[labels[index], default: 0] += 1
      return taken[labels[index], default: 0] <= startExamples
    }
  }

  /// All heads' numbers: rows in the direction of their examples' mean z, rows of old classes as the teacher has them.
  ///
  /// - Parameters:
  ///   - features: of every group one after the other, `[examples * groups, width]`.
  ///   - labels: of those examples.
  func start(_ features: Matrix<Float>, labels: [Int]) -> [Float] {
    let unit = features.rowsOfUnitLength()
    return shapes.enumerated().flatMap { group, shape in
      let z = unit.selectingRows(labels.indices.map { $0 * shapes.count + group })
      var numbers = z.means(of: labels.map(shape.row), classes: shape.rows).rowsOfUnitLength().storage
      if !shape.isLocal, let old = teacher?.head.rows.storage { numbers.replaceSubrange(0..<old.count, with: old) }
      return numbers
    }
  }
}
