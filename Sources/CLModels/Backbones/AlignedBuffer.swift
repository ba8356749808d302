internal import Glibc

/// 64-byte aligned memory that kernels read and write, freed with its owner.
///
/// `@unchecked Sendable`: whoever shares one makes sure that it is only read from then on (weights), or that one thread
/// at a time uses it (workspaces).
final class AlignedBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
  let count: Int
  let pointer: UnsafeMutablePointer<Element>

  /// Zeroed memory for `count` elements; nil when there is none.
  init?(count: Int) {
    let (size, overflow) = max(count, 1).multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    guard !overflow, size <= Int.max - 64, let memory = aligned_alloc(64, (size + 63) & ~63) else { return nil }
    memset(memory, 0, size)
    self.count = count
    pointer = memory.bindMemory(to: Element.self, capacity: max(count, 1))
  }

  deinit { free(pointer) }

  /// A copy of an array.
  convenience init?(_ elements: [Element]) {
    self.init(count: elements.count)
    elements.withUnsafeBufferPointer {
      if let source = $0.baseAddress { pointer.update(from: source, count: $0.count) }
    }
  }
}
