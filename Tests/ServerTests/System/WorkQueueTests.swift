import CLServer
import Synchronization
import Testing

@Test func workRunsInOrderOnOneThread() {
  let queue = WorkQueue(name: "test", threads: 1, capacity: 100)
  let seen = Mutex<[Int]>([])
  for number in 0..<50 { #expect(queue.submit { seen.withLock { $0.append(number) } }) }
  queue.close(within: 10)
  #expect(seen.withLock { $0 } == Array(0..<50))
}

@Test func aFullQueueRefuses() {
  let queue = WorkQueue(name: "test", threads: 1, capacity: 1)
  let (started, release) = (Gate(), Gate())
  #expect(
    queue.submit {
      started.open()
      release.wait()
    })
  started.wait()
  #expect(queue.submit {})
  #expect(!queue.submit {})
  release.open()
  queue.close(within: 10)
}

@Test func aClosedQueueRefuses() {
  let queue = WorkQueue(name: "test", threads: 1, capacity: 1)
  queue.close(within: 1)
  #expect(!queue.submit {})
}
