package import CLModels
import Glibc
import Synchronization

/// What is frozen of examples, by id: in memory up to a budget, then in a file, then not at all: who does not find
/// them computes them again from the example.
///
/// The file has no name once it is open, so that nothing of it is left when the process ends. Any thread.
package final class FrozenCache<Frozen: FrozenBytes>: Sendable {
  private struct State {
    var memory: [Int64: Frozen] = [:]
    /// Where in the file an example's bytes are, counted in slots.
    var slots: [Int64: Int] = [:]
    var free: [Int] = []
    var used = 0
  }

  package let shape: Frozen.Shape
  private let budget: (memoryBytes: Int, fileBytes: Int, directory: String)
  private let memoryLimit: Int
  private let fileLimit: Int
  private let descriptor: Int32
  private let state = Mutex(State())

  /// - Parameters:
  ///   - memoryBytes: budget in memory.
  ///   - fileBytes: budget in the file.
  ///   - directory: where the file is made; without one that can be written there is only memory.
  package init(shape: Frozen.Shape, memoryBytes: Int, fileBytes: Int, directory: String) {
    self.shape = shape
    budget = (memoryBytes, fileBytes, directory)
    memoryLimit = memoryBytes / shape.byteCount
    let path = "\(directory)/frozen.cache"
    unlink(path)
    descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if descriptor >= 0 { unlink(path) }
    fileLimit = descriptor >= 0 ? fileBytes / shape.byteCount : 0
  }

  /// An empty cache for something else of the same examples: one of `count` that share a quarter of the budgets.
  package func sibling<Other: FrozenBytes>(_ shape: Other.Shape, among count: Int = 1) -> FrozenCache<Other> {
    FrozenCache<Other>(
      shape: shape, memoryBytes: budget.memoryBytes / 4 / count, fileBytes: budget.fileBytes / 4 / count,
      directory: budget.directory)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// How many examples are kept, and how many of them in memory.
  package var counts: (all: Int, inMemory: Int) {
    state.withLock { ($0.memory.count + $0.slots.count, $0.memory.count) }
  }

  private enum Place {
    case kept
    case slot(Int)
    case none
  }

  /// Keeps what is frozen of an example where there is room; a file that cannot be written keeps nothing. Returns whether it is
  /// kept.
  @discardableResult
  package func insert(_ id: Int64, _ frozen: Frozen) -> Bool {
    let place = state.withLock { state -> Place in
      if state.memory[id] != nil || state.slots[id] != nil { return .kept }
      if state.memory.count < memoryLimit {
        state.memory[id] = frozen
        return .kept
      }
      if let slot = state.free.popLast() { return .slot(slot) }
      guard state.used < fileLimit, Self.hasRoom(descriptor, for: shape.byteCount) else { return .none }
      state.used += 1
      return .slot(state.used - 1)
    }
    let slot: Int
    switch place {
    case .kept: return true
    case .none: return false
    case .slot(let number): slot = number
    }
    let isWritten = frozen.withBytes { bytes in
      Self.all(bytes.count) { done in
        pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(slot * shape.byteCount + done))
      }
    }
    return state.withLock { state in
      if isWritten, state.memory[id] == nil, state.slots[id] == nil {
        state.slots[id] = slot
        return true
      }
      state.free.append(slot)
      return isWritten
    }
  }

  /// Whether the disk, which the database needs too, would keep a gibibyte free.
  private static func hasRoom(_ descriptor: Int32, for bytes: Int) -> Bool {
    var disk = statvfs()
    guard fstatvfs(descriptor, &disk) == 0 else { return false }
    return Int(disk.f_bavail) * Int(disk.f_frsize) - bytes > 1 << 30
  }

  /// What is frozen of an example, or nil where it is not kept or cannot be read.
  package func frozen(of id: Int64) -> Frozen? {
    let (kept, slot) = state.withLock { ($0.memory[id], $0.slots[id]) }
    if let kept { return kept }
    guard let slot else { return nil }
    let frozen = Frozen(shape: shape) { bytes in
      Self.all(bytes.count) { done in
        pread(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(slot * shape.byteCount + done))
      }
    }
    // A slot that was given to another example while it was read says nothing about this one.
    return state.withLock { $0.slots[id] == slot } ? frozen : nil
  }

  /// Forgets all examples but these: the next training reads no others.
  package func keep(_ ids: Set<Int64>) {
    remove(state.withLock { Set($0.memory.keys).union($0.slots.keys) }.subtracting(ids))
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
