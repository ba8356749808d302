/// Which of `count` items belong together (union-find with path halving and union by size).
package struct DisjointSets: Sendable {
  private var parents: [Int]
  private var sizes: [Int]
  /// Whether nothing was joined.
  package private(set) var isDiscrete = true

  package init(count: Int) {
    parents = Array(0..<count)
    sizes = Array(repeating: 1, count: count)
  }

  /// The representative of an item's set.
  package mutating func root(_ item: Int) -> Int {
    var item = item
    while parents[item] != item {
      parents[item] = parents[parents[item]]
      item = parents[item]
    }
    return item
  }

  /// Makes the sets of two items one.
  package mutating func join(_ one: Int, _ other: Int) {
    let (a, b) = (root(one), root(other))
    guard a != b else { return }
    isDiscrete = false
    let (large, small) = sizes[a] >= sizes[b] ? (a, b) : (b, a)
    parents[small] = large
    sizes[large] += sizes[small]
  }

  /// Joins an item with the first that had this key, which `first` remembers.
  package mutating func join<Key: Hashable>(_ item: Int, withFirstOf key: Key, in first: inout [Key: Int]) {
    if let other = first[key] { join(other, item) } else { first[key] = item }
  }

  /// A number for each item, equal within a set, from 0 in the order of the items.
  package func labels() -> [Int] {
    var sets = self
    var numbers: [Int: Int] = [:]
    return parents.indices.map { item in
      let root = sets.root(item)
      if let number = numbers[root] { return number }
      numbers[root] = numbers.count
      return numbers.count - 1
    }
  }
}
