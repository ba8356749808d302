import Synchronization
package import Tensor

/// The features of all examples in memory, by what they were made with: the backbone, a group of prompts, or an expert.
package final class FeatureLibrary: Sendable {
  private let stores = Mutex<[String: FeatureStore]>([:])

  package init() {}

  /// The features made with `key`.
  package subscript(key: String) -> FeatureStore {
    stores.withLock { stores in
      if let store = stores[key] { return store }
      let store = FeatureStore()
      stores[key] = store
      return store
    }
  }

  /// Those of `ids` that lack a feature of any key.
  package func missing(_ ids: [Int64], keys: [String]) -> [Int64] {
    keys.reduce(into: Set<Int64>()) { $0.formUnion(self[$1].missing(ids)) }.sorted()
  }

  /// One row an id, the keys' features side by side; nil when one is missing.
  package func matrix(_ ids: [Int64], keys: [String]) -> Matrix<Float>? {
    guard keys.count > 1 else { return self[keys[0]].matrix(ids) }
    var parts: [Matrix<Float>] = []
    for key in keys {
      guard let part = self[key].matrix(ids) else { return nil }
      parts.append(part)
    }
    let columns = parts.reduce(0) { $0 + $1.columns }
    let storage = [Float](unsafeUninitializedCapacity: ids.count * columns) { out, count in
      var first = 0
      for part in parts {
        let width = part.columns
        part.storage.withUnsafeBufferPointer { values in
          guard let source = values.baseAddress, let target = out.baseAddress else { return }
          for row in 0..<ids.count {
            (target + row * columns + first).initialize(from: source + row * width, count: width)
          }
        }
        first += width
      }
      count = ids.count * columns
    }
    return Matrix(rows: ids.count, columns: columns, storage: storage)
  }

  /// Forgets examples.
  package func remove(_ ids: [Int64]) {
    for store in stores.withLock({ Array($0.values) }) { store.remove(ids) }
  }

  /// Forgets everything made with other keys; returns those keys.
  package func keep(_ keys: Set<String>) -> [String] {
    stores.withLock { stores in
      let gone = stores.keys.filter { !keys.contains($0) }
      for key in gone { stores[key] = nil }
      return gone
    }
  }
}
