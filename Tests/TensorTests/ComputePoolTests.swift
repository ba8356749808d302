import Glibc
import Synchronization
import Tensor
import Testing

/// Blocks a worker until opened, so that tests order events without sleeping.
final class Gate: Sendable {
  private let open = Atomic<Bool>(false)
  func release() { open.store(true, ordering: .releasing) }
  func wait() { while !open.load(ordering: .acquiring) {} }
}

final class Log: Sendable {
  private let entries = Mutex<[String]>([])
  func add(_ entry: String) { entries.withLock { $0.append(entry) } }
  var all: [String] { entries.withLock { $0 } }
}

@Suite struct ComputePoolTests {
  @Test(arguments: [1, 2, 5], [0, 1, 2, 3, 1000])
  func forEachRunsEveryIndexOnce(workers: Int, count: Int) {
    let pool = ComputePool(workers: workers)
    defer { pool.shutdown() }
    let seen = Mutex([Int](repeating: 0, count: count))
    pool.forEach(count, priority: .background) { index in seen.withLock { $0[index] += 1 } }
    #expect(seen.withLock { $0 } == [Int](repeating: 1, count: count))
  }

  @Test func urgentWorkIsTakenBeforeBackgroundWork() {
    let pool = ComputePool(workers: 1)
    let gate = Gate()
    let log = Log()
    pool.submit(.background) { gate.wait() }
    pool.submit(.background) { log.add("background") }
    pool.submit(.urgent) { log.add("urgent 1") }
    pool.submit(.urgent) { log.add("urgent 2") }
    gate.release()
    pool.shutdown()
    #expect(log.all == ["urgent 1", "urgent 2", "background"])
  }

  @Test func yieldServesUrgentWorkBeforeTheNextTile() {
    let pool = ComputePool(workers: 1)
    let started = Gate()
    let submitted = Gate()
    let log = Log()
    pool.submit(.background) { [unowned pool] in
      log.add("tile 1")
      pool.yield()
      started.release()
      submitted.wait()
      pool.yield()
      log.add("tile 2")
    }
    started.wait()
    pool.submit(.urgent) { [unowned pool] in
      log.add("urgent begins")
      // Inside a yield: neither background work nor other urgent work may nest here.
      pool.submit(.background) { log.add("background") }
      pool.submit(.urgent) { log.add("urgent second") }
      pool.yield()
      log.add("urgent ends")
    }
    submitted.release()
    pool.shutdown()
    #expect(log.all == ["tile 1", "urgent begins", "urgent ends", "urgent second", "tile 2", "background"])
  }

  @Test func yieldOutsideTheWorkersDoesNothing() {
    let pool = ComputePool(workers: 1)
    let gate = Gate()
    let log = Log()
    pool.submit(.background) { gate.wait() }
    pool.submit(.urgent) { log.add("on the worker") }
    pool.yield()
    #expect(log.all.isEmpty)
    gate.release()
    pool.shutdown()
    #expect(log.all == ["on the worker"])
  }

  @Test(arguments: [1, 2, 3]) func nestedForEachFinishes(workers: Int) {
    let pool = ComputePool(workers: workers)
    defer { pool.shutdown() }
    let total = Atomic<Int>(0)
    pool.forEach(6, priority: .background) { [unowned pool] _ in
      pool.forEach(5, priority: .background) { _ in
        pool.forEach(3, priority: .urgent) { _ in total.wrappingAdd(1, ordering: .relaxed) }
        pool.yield()
      }
    }
    #expect(total.load(ordering: .relaxed) == 90)
  }

  @Test func aWorkerWaitingForItsJobServesUrgentWork() {
    let pool = ComputePool(workers: 2)
    let first = Gate()
    let second = Gate()
    let ended = Gate()
    let log = Log()
    pool.submit(.background) { [unowned pool] in
      pool.forEach(2, priority: .background) { index in
        if index == 0 {
          first.release()
        } else {
          first.wait()
          // Ends only once urgent work has run on the other worker, which has nothing left of this job.
          pool.submit(.urgent) { second.release() }
          second.wait()
        }
      }
      log.add("done")
      ended.release()
    }
    // Not before: a worker that finds nothing queued at a shutdown ends, and none would be left for the urgent work.
    ended.wait()
    pool.shutdown()
    #expect(log.all == ["done"])
  }

  @Test func manyThreadsMaySubmitAtOnce() async {
    let pool = ComputePool(workers: 2)
    let total = Atomic<Int>(0)
    // Eight submitters that are workers of another pool: real threads, which may block.
    let submitters = ComputePool(workers: 8)
    submitters.forEach(8, priority: .background) { thread in
      for round in 0..<200 {
        if (thread + round).isMultiple(of: 3) {
          pool.forEach(4, priority: round.isMultiple(of: 2) ? .urgent : .background) { _ in
            total.wrappingAdd(1, ordering: .relaxed)
          }
        } else {
          pool.submit(.background) {
            pool.yield()
            total.wrappingAdd(4, ordering: .relaxed)
          }
        }
      }
    }
    submitters.shutdown()
    pool.shutdown()
    #expect(total.load(ordering: .relaxed) == 8 * 200 * 4)
  }

  @Test func workAfterShutdownRunsOnTheCallingThread() {
    let pool = ComputePool(workers: 2)
    pool.shutdown()
    pool.shutdown()
    let log = Log()
    pool.submit(.urgent) { log.add("submitted") }
    pool.forEach(2, priority: .background) { log.add("\($0)") }
    #expect(log.all == ["submitted", "0", "1"])
  }

  @Test func thePoolMayEndOnItsOwnWorker() {
    let ended = Gate()
    do {
      let pool = ComputePool(workers: 1)
      pool.submit(.background) {
        pool.shutdown()
        ended.release()
      }
    }
    ended.wait()
  }
}

@Test func backgroundWorkThatYieldsEndsUnderSteadyUrgentWork() {
  let pool = ComputePool(workers: 2)
  defer { pool.shutdown() }
  let isDone = Atomic<Bool>(false)
  let urgent = Atomic<Int>(0)
  // Urgent work that always follows itself until the background work is through.
  @Sendable func keepBusy() {
    urgent.wrappingAdd(1, ordering: .relaxed)
    usleep(500)
    if !isDone.load(ordering: .relaxed) { pool.submit(.urgent) { keepBusy() } }
  }
  pool.submit(.urgent) { keepBusy() }
  pool.forEach(4, priority: .background) { _ in
    for _ in 0..<5 { pool.yield() }
  }
  isDone.store(true, ordering: .relaxed)
  #expect(urgent.load(ordering: .relaxed) > 0)
}
