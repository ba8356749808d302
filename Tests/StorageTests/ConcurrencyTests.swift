import Storage
import Synchronization
import Testing

@Test func readersSeeAllOfATaskOrNothingOfIt() throws {
  let test = try TestStore(readers: 3)
  let store = test.store
  let done = Atomic<Bool>(false)
  let torn = Atomic<Int>(0)
  let reads = Atomic<Int>(0)
  onThreads(5) { index in
    if index == 0 {
      for task in 0..<40 {
        do throws(StorageError) {
          let accepted = try store.acceptTask(
            newTask("t\(task)", (0..<7).map { example("t\(task)-\($0)", [UInt8($0)]) }))
          if task % 4 == 3 { _ = try store.deleteTask(accepted.task.id, actor: "test", jobKind: nil) }
        } catch {
          torn.add(1, ordering: .relaxed)
        }
      }
      done.store(true, ordering: .releasing)
    } else {
      while !done.load(ordering: .acquiring) {
        let classes = (try? store.classes()) ?? []
        let counts = Dictionary(grouping: classes, by: \.taskID).values.map { $0.reduce(0) { $0 + $1.exampleCount } }
        if counts.contains(where: { $0 != 7 }) { torn.add(1, ordering: .relaxed) }
        reads.add(1, ordering: .relaxed)
      }
    }
  }
  #expect(torn.load(ordering: .relaxed) == 0)
  #expect(reads.load(ordering: .relaxed) > 0)
  #expect(try store.tasks().count == 30)
}

@Test func writersTakeTurns() throws {
  let store = try TestStore().store
  let failures = Atomic<Int>(0)
  onThreads(4) { thread in
    for index in 0..<10 {
      do throws(StorageError) {
        _ = try store.acceptTask(newTask("\(thread)-\(index)", [example("\(thread)-\(index)")]))
      } catch {
        failures.add(1, ordering: .relaxed)
      }
    }
  }
  #expect(failures.load(ordering: .relaxed) == 0)
  #expect(try store.tasks().map(\.id) == Array(1...40))
}

@Test func anEqualRequestThatArrivesTwiceAtOnceIsAcceptedOnce() throws {
  let store = try TestStore().store
  let accepted = Atomic<Int>(0)
  let refused = Atomic<Int>(0)
  onThreads(4) { thread in
    do throws(StorageError) {
      _ = try store.acceptTask(
        newTask("one", [example("c\(thread)")]),
        idempotency: IdempotencyEntry(key: "k", scope: "POST /tasks", requestSHA256: []) { _ in
          StoredResponse(status: 202, body: [], location: nil)
        })
      accepted.add(1, ordering: .relaxed)
    } catch {
      if error == .conflict(.idempotencyKeyUsed("k")) { refused.add(1, ordering: .relaxed) }
    }
  }
  #expect(accepted.load(ordering: .relaxed) == 1)
  #expect(refused.load(ordering: .relaxed) == 3)
  #expect(try store.tasks().count == 1)
}

@Test func closingWhileOthersWorkEndsThemCleanly() throws {
  let test = try TestStore()
  let store = test.store
  let other = Atomic<Int>(0)
  onThreads(4) { thread in
    if thread == 0 {
      for index in 0..<5 { _ = try? store.acceptTask(newTask("t\(index)", [example("c\(index)")])) }
      store.close()
      return
    }
    while true {
      do throws(StorageError) {
        _ = thread == 1 ? try store.recoverJobs().pending : try store.tasks().count
      } catch {
        if error != .closed { other.add(1, ordering: .relaxed) }
        return
      }
    }
  }
  #expect(other.load(ordering: .relaxed) == 0)
  #expect(try Store(path: test.directory.database, clock: TestClock().now).tasks().count == 5)
}
