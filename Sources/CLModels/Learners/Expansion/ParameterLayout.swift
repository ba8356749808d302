package import Tensor

/// Which tensors one flat vector of parameters holds, one after another.
package struct ParameterLayout: Sendable, Equatable {
  package struct Entry: Sendable, Equatable {
    package let name: String
    package let rows: Int
    package let columns: Int
    /// Among all numbers.
    package let range: Range<Int>
  }

  package private(set) var entries: [Entry] = []
  private var places: [String: Int] = [:]

  package init() {}

  /// How many numbers there are.
  package var count: Int { entries.last?.range.upperBound ?? 0 }

  package mutating func append(_ name: String, _ rows: Int, _ columns: Int) {
    precondition(places[name] == nil, "\(name) is there already")
    places[name] = entries.count
    entries.append(Entry(name: name, rows: rows, columns: columns, range: count..<count + rows * columns))
  }

  package subscript(name: String) -> Entry {
    guard let place = places[name] else { preconditionFailure("there is no \(name)") }
    return entries[place]
  }
}

/// Parameters, or their gradient, by name.
package struct ParameterVector<Scalar: KernelScalar>: Sendable, Equatable {
  package let layout: ParameterLayout
  package var numbers: [Scalar]

  package init(_ layout: ParameterLayout, numbers: [Scalar]) {
    precondition(numbers.count == layout.count, "a number for every place")
    self.layout = layout
    self.numbers = numbers
  }

  /// Zeros.
  package init(_ layout: ParameterLayout) {
    self.init(layout, numbers: [Scalar](repeating: 0, count: layout.count))
  }

  /// A copy of one tensor.
  package func matrix(_ name: String) -> Matrix<Scalar> {
    let entry = layout[name]
    return Matrix(rows: entry.rows, columns: entry.columns, storage: Array(numbers[entry.range]))
  }

  package func vector(_ name: String) -> [Scalar] { Array(numbers[layout[name].range]) }

  package mutating func set(_ name: String, _ values: [Scalar]) {
    let range = layout[name].range
    precondition(values.count == range.count, "\(name) has \(range.count) numbers")
    numbers.replaceSubrange(range, with: values)
  }

  mutating func add(_ name: String, _ values: [Scalar]) {
    let range = layout[name].range
    precondition(values.count == range.count, "\(name) has \(range.count) numbers")
    numbers.withUnsafeMutableBufferPointer { numbers in
      values.withUnsafeBufferPointer { values in
        for index in values.indices { numbers[range.lowerBound + index] += values[index] }
      }
    }
  }

  /// Normal numbers of this deviation around zero, cut at two deviations.
  mutating func fill(_ name: String, deviation: Double, _ generator: inout SeededGenerator) {
    let values = layout[name].range.map { _ in
      var number = generator.nextGaussian()
      while abs(number) > 2 { number = generator.nextGaussian() }
      return Scalar(number * deviation)
    }
    set(name, values)
  }
}
