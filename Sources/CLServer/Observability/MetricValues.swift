import Synchronization

/// Something with samples: a counter, a gauge or a histogram.
package protocol MetricValue: AnyObject, Sendable {
  func samples(labels: [(name: String, value: String)]) -> [MetricSample]
}

/// A count that only grows. One atomic addition.
package final class Counter: MetricValue {
  private let count = Atomic<UInt64>(0)

  package func increment(by amount: Int = 1) {
    count.wrappingAdd(UInt64(max(0, amount)), ordering: .relaxed)
  }

  package var value: Int { Int(clamping: count.load(ordering: .relaxed)) }

  package func samples(labels: [(name: String, value: String)]) -> [MetricSample] {
    [MetricSample(suffix: "", labels: labels, value: Double(value))]
  }
}

/// A value that goes up and down.
package final class Gauge: MetricValue {
  private let bits = Atomic<UInt64>(0)

  package func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

  package func add(_ amount: Double) {
    var current = bits.load(ordering: .relaxed)
    while true {
      let next = (Double(bitPattern: current) + amount).bitPattern
      let result = bits.weakCompareExchange(expected: current, desired: next, ordering: .relaxed)
      if result.exchanged { return }
      current = result.original
    }
  }

  package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

  package func samples(labels: [(name: String, value: String)]) -> [MetricSample] {
    [MetricSample(suffix: "", labels: labels, value: value)]
  }
}

/// A distribution over fixed buckets. One short lock an observation.
package final class Histogram: MetricValue {
  private struct State {
    /// Not cumulative; the last is everything above the highest bound.
    var counts: [UInt64]
    var sum = 0.0
  }

  private let bounds: [Double]
  private let state: Mutex<State>

  init(bounds: [Double]) {
    self.bounds = bounds
    state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
  }

  /// NaN is not counted.
  package func observe(_ value: Double) {
    if value.isNaN { return }
    let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
    state.withLock { state in
      state.counts[bucket] += 1
      state.sum += value
    }
  }

  /// From a millisecond to a minute: for durations in seconds.
  package static let durations = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

  package func samples(labels: [(name: String, value: String)]) -> [MetricSample] {
    let state = state.withLock { $0 }
    var samples: [MetricSample] = []
    var cumulative: UInt64 = 0
    for (bound, count) in zip(bounds + [.infinity], state.counts) {
      cumulative += count
      let bucket = labels + [(name: "le", value: MetricFamily.spelled(bound))]
      samples.append(MetricSample(suffix: "_bucket", labels: bucket, value: Double(cumulative)))
    }
    samples.append(MetricSample(suffix: "_sum", labels: labels, value: state.sum))
    samples.append(MetricSample(suffix: "_count", labels: labels, value: Double(cumulative)))
    return samples
  }
}
