/// Bytes on their way to the client. Small pieces are put together, large ones are kept as they are, so that a long body
/// is never copied.
struct OutputQueue {
  private struct Segment {
    var bytes: [UInt8]
    /// How many of them a stream has to be told about when they are sent.
    var streamBytes = 0
  }

  private static let segmentBytes = 16 * 1024

  private var segments: [Segment] = []
  private var first = 0
  /// Sent bytes of the first segment.
  private var offset = 0
  private var spare: [UInt8] = []
  /// Bytes that wait.
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }
  var hasSeveralSegments: Bool { segments.count - first > 1 }

  /// Lets `body` append to the last segment.
  mutating func write(streamBytes: Int = 0, _ body: (inout [UInt8]) -> Void) {
    if segments.count == first || segments[segments.count - 1].bytes.count >= Self.segmentBytes {
      var bytes: [UInt8] = []
      swap(&bytes, &spare)
      segments.append(Segment(bytes: bytes))
    }
    let last = segments.count - 1
    let before = segments[last].bytes.count
    body(&segments[last].bytes)
    segments[last].streamBytes += streamBytes
    count += segments[last].bytes.count - before
  }

  /// Appends bytes: a copy if they are few, else their storage.
  mutating func append(_ bytes: [UInt8], streamBytes: Int = 0) {
    guard bytes.count > Self.segmentBytes else {
      return write(streamBytes: streamBytes) { $0.append(contentsOf: bytes) }
    }
    segments.append(Segment(bytes: bytes, streamBytes: streamBytes))
    count += bytes.count
  }

  /// The bytes to send next.
  func withNext<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
    guard first < segments.count else { return nil }
    return segments[first].bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[offset...])) }
  }

  /// Drops bytes that were sent, at most those of `withNext`; returns how many stream bytes are done with.
  mutating func sent(_ bytes: Int) -> Int {
    guard first < segments.count else { return 0 }
    offset += bytes
    count -= bytes
    guard offset >= segments[first].bytes.count else { return 0 }
    let done = segments[first].streamBytes
    offset = 0
    swap(&spare, &segments[first].bytes)
    // A long body's storage is not kept.
    if spare.capacity > 2 * Self.segmentBytes { spare = [] } else { spare.removeAll(keepingCapacity: true) }
    first += 1
    if first == segments.count {
      segments.removeAll(keepingCapacity: true)
      first = 0
    } else if first > 64 {
      segments.removeSubrange(..<first)
      first = 0
    }
    return done
  }

  /// Makes the bytes of a stream that is over count for nothing: the next stream has its own.
  mutating func forgetStream() {
    for index in first..<segments.count { segments[index].streamBytes = 0 }
  }

  mutating func removeAll() {
    self = OutputQueue()
  }
}
