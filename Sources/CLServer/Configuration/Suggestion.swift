/// The nearest known name to a mistyped one.
package enum Suggestion {
  /// The candidate within two edits (three for names over 8 characters), or nil. Ties go to the earlier candidate.
  package static func nearest(to name: String, among candidates: [String]) -> String? {
    guard name.utf8.count <= 64 else { return nil }
    let allowed = name.utf8.count > 8 ? 3 : 2
    let distances = candidates.map { (candidate: $0, edits: distance(Array(name.utf8), Array($0.utf8))) }
    return distances.filter { $0.edits <= allowed }.min { $0.edits < $1.edits }?.candidate
  }

  /// Levenshtein's edit distance, O(a b).
  private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for (i, left) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, right) in b.enumerated() {
        let substitution = diagonal + (left == right ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substitution, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}
