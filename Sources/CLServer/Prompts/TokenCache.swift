package import CLModels
import Glibc
import Synchronization

/// The frozen tokens of examples, by id: in memory up to a budget, then in a file, then not at all: who does not find
/// them computes them again from the example.
///
/// The file has no name once it is open, so that nothing of it is left when the process ends. Any thread.
package final class TokenCache: Sendable {
  private struct State {
    var memory: [Int64: FrozenTokens] = [:]
    /// Where in the file an example's tokens are, counted in slots.
    var slots: [Int64: Int] = [:]
    var free: [Int] = []
    var used = 0
  }

  package let shape: FrozenTokens.Shape
  private let memoryLimit: Int
  private let fileLimit: Int
  private let descriptor: Int32
  private let state = Mutex(State())

  /// - Parameters:
  ///   - memoryBytes: budget in memory.
  ///   - fileBytes: budget in the file.
  ///   - directory: where the file is made; without one that can be written there is only memory.
  package init(shape: FrozenTokens.Shape, memoryBytes: Int, fileBytes: Int, directory: String) {
    self.shape = shape
    memoryLimit = memoryBytes / shape.byteCount
    let path = "\(directory)/tokens.cache"
    unlink(path)
    descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if descriptor >= 0 { unlink(path) }
    fileLimit = descriptor >= 0 ? fileBytes / shape.byteCount : 0
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// How many examples' tokens are kept, and how many of them in memory.
  package var counts: (all: Int, inMemory: Int) {
    state.withLock { ($0.memory.count + $0.slots.count, $0.memory.count) }
  }

  /// Keeps an example's tokens where there is room; a file that cannot be written keeps nothing.
  package func insert(_ id: Int64, _ tokens: FrozenTokens) {
    let slot = state.withLock { state -> Int? in
      guard state.memory[id] == nil, state.slots[id] == nil else { return nil }
      if state.memory.count < memoryLimit {
        state.memory[id] = tokens
        return nil
      }
      if let slot = state.free.popLast() { return slot }
      guard state.used < fileLimit else { return nil }
      state.used += 1
      return state.used - 1
    }
    guard let slot else { return }
    let isWritten = tokens.withBytes { bytes in
      Self.all(bytes.count) { done in
        pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(slot * shape.byteCount + done))
      }
    }
    state.withLock { state in
      if isWritten, state.memory[id] == nil, state.slots[id] == nil {
        state.slots[id] = slot
      } else {
        state.free.append(slot)
      }
    }
  }

  /// An example's tokens, or nil where they are not kept or cannot be read.
  package func tokens(of id: Int64) -> FrozenTokens? {
    let (kept, slot) = state.withLock { ($0.memory[id], $0.slots[id]) }
    if let kept { return kept }
    guard let slot else { return nil }
    let tokens = FrozenTokens(shape: shape) { bytes in
      Self.all(bytes.count) { done in
        pread(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(slot * shape.byteCount + done))
      }
    }
    // A slot that was given to another example while it was read says nothing about this one.
    return state.withLock { $0.slots[id] == slot } ? tokens : nil
  }

  package func contains(_ id: Int64) -> Bool {
    state.withLock { $0.memory[id] != nil || $0.slots[id] != nil }
  }

  package func remove(_ ids: some Sequence<Int64>) {
    state.withLock { state in
      for id in ids {
        state.memory[id] = nil
        if let slot = state.slots.removeValue(forKey: id) { state.free.append(slot) }
      }
    }
  }

  /// Calls until `count` bytes are through; false when a call fails or nothing comes.
  private static func all(_ count: Int, _ call: (_ done: Int) -> Int) -> Bool {
    var done = 0
    while done < count {
      let moved = call(done)
      if moved < 0, errno == EINTR { continue }
      guard moved > 0 else { return false }
      done += moved
    }
    return true
  }
}
