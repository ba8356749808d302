/// One line of the exposition.
package struct MetricSample: Sendable {
  /// What follows the family's name: empty, or `_bucket`, `_sum`, `_count`.
  package let suffix: String
  package let labels: [(name: String, value: String)]
  package let value: Double

  package init(suffix: String, labels: [(name: String, value: String)], value: Double) {
    self.suffix = suffix
    self.labels = labels
    self.value = value
  }
}

/// A named group of samples with one type.
struct MetricFamily: Sendable {
  let name: String
  let help: String
  let type: String
  let samples: @Sendable () -> [MetricSample]

  func append(to text: inout String) {
    let samples = samples()
    if samples.isEmpty { return }
    text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(type)\n"
    for sample in samples {
      text += name + sample.suffix
      if !sample.labels.isEmpty {
        let pairs = sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\"" }
        text += "{" + pairs.joined(separator: ",") + "}"
      }
      text += " \(Self.spelled(sample.value))\n"
    }
  }

  /// Whole numbers without a fraction, infinity and NaN as Prometheus spells them.
  static func spelled(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    if value == value.rounded(), abs(value) < 1e15 { return String(Int(value)) }
    return String(value)
  }

  private static func escaped(_ text: String, quotes: Bool) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\"" where quotes: out += "\\\""
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }
}
