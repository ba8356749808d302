/// Embedded examples, one row each: `values` is [exampleIDs.count, width], row-major.
package struct StoredFeatures: Sendable, Equatable {
  /// Rising.
  package let exampleIDs: [Int64]
  /// Floats in a row; 0 where there are no rows.
  package let width: Int
  package let values: [Float]
}

/// A cache: features may be deleted at any time and are computed again from the examples.
extension Store {
  /// Stores features of one backbone, replacing those that exist. Examples that were deleted meanwhile are skipped.
  /// `backboneKey` names everything the values depend on: weights, resolution, precision.
  package func storeFeatures(
    _ rows: [(exampleID: Int64, vector: [Float])], backboneKey: String
  ) throws(StorageError) {
    guard !rows.isEmpty else { return }
    try write { connection throws(StorageError) in
      for row in rows {
        // Little-endian Float32, as this machine has them.
        let bytes = row.vector.withUnsafeBytes { Array($0) }
        try connection.execute(
          """
          INSERT OR REPLACE INTO features (backbone_key, example_id, vector)
          SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM examples WHERE id = ?2)
          """, [.text(backboneKey), .integer(row.exampleID), .blob(bytes)])
      }
    }
  }

  /// All features of a backbone, read in one pass into one buffer. Throws `corrupt` when rows differ in width.
  package func features(backboneKey: String) throws(StorageError) -> StoredFeatures {
    try read { connection throws(StorageError) in
      let count = Int(
        try connection.scalar("SELECT count(*) FROM features WHERE backbone_key = ?", [.text(backboneKey)]))
      var exampleIDs: [Int64] = []
      var values: [Float] = []
      var width = 0
      exampleIDs.reserveCapacity(count)
      try connection.forEachRow(
        "SELECT example_id, vector FROM features WHERE backbone_key = ? ORDER BY example_id", [.text(backboneKey)]
      ) { row throws(StorageError) in
        let fits = row.withBlob(1) { bytes in
          if exampleIDs.isEmpty {
            width = bytes.count / MemoryLayout<Float>.stride
            values.reserveCapacity(width.multipliedReportingOverflow(by: count).partialValue)
          }
          guard bytes.count == width * MemoryLayout<Float>.stride else { return false }
          for index in 0..<width {
            values.append(bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Float>.stride, as: Float.self))
          }
          return true
        }
        guard fits else { throw .corruptValue("features of \(backboneKey) differ in width") }
        exampleIDs.append(row.integer(0))
      }
      return StoredFeatures(exampleIDs: exampleIDs, width: width, values: values)
    }
  }
}
