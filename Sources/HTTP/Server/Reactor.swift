import CLinux
import Glibc

/// One thread's share of the connections: an epoll loop, level-triggered, that reads, parses, calls handlers and writes.
///
/// Level-triggered, because a reactor then may leave input unread (a client that pipelines faster than it is answered) and
/// is told again when it wants more. All members belong to the reactor's thread.
final class Reactor {
  /// A connection and what epoll knows of it.
  final class Entry {
    let descriptor: Int32
    let token: UInt64
    var machine: HTTPConnection
    var interest: UInt32
    /// Weak: a stream whose producer has dropped it ends.
    weak var stream: ResponseStream?
    /// The client has shut down its sending side, or the connection broke: epoll need not say so again.
    var sawEnd = false
    var hasShutDown = false

    init(descriptor: Int32, token: UInt64, machine: HTTPConnection, interest: UInt32) {
      self.descriptor = descriptor
      self.token = token
      self.machine = machine
      self.interest = interest
    }
  }

  static let listenerToken = UInt64.max
  static let mailboxToken = UInt64.max - 1
  static let readBytes = 64 * 1024

  let mailbox: Mailbox
  let context: ConnectionContext
  let observer: (any HTTPObserver)?
  let connectionCount: ConnectionCount
  let epoll: Int32
  let listener: Int32
  var entries: [Entry?] = []
  var freeSlots: [Int] = []
  var generation: UInt64 = 0
  var openCount = 0
  var isAccepting = false
  /// Accepting failed, and has not emptied the kernel's queue since.
  var isExhausted = false
  /// When accepting is tried again after descriptors ran out or the connections were too many.
  var acceptAgain: Moment?
  var drainDeadline: Moment?
  var now = Moment.now()
  private var date = HTTPDate()
  private var nextSweep: Moment
  private let tick: Duration
  private var batch: [ReactorMessage] = []
  private let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: readBytes, alignment: 16)
  private let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: 128)

  init(
    listener: Int32, context: ConnectionContext, mailbox: Mailbox, observer: (any HTTPObserver)?,
    connectionCount: ConnectionCount
  ) throws(SystemCallError) {
    self.listener = listener
    self.context = context
    self.mailbox = mailbox
    self.observer = observer
    self.connectionCount = connectionCount
    let configuration = context.configuration
    let shortest = min(
      configuration.headerDeadline, configuration.bodyRateWindow, configuration.idleTimeout, configuration.writeTimeout,
      configuration.lingerTimeout)
    tick = min(max(shortest / 4, .milliseconds(5)), .milliseconds(250))
    nextSweep = now + tick
    epoll = try SystemCall.epollCreate()
    do throws(SystemCallError) {
      try SystemCall.epollControl(
        epoll, EPOLL_CTL_ADD, mailbox.descriptor, events: EPOLLIN.rawValue, token: Self.mailboxToken)
    } catch {
      SystemCall.close(epoll)
      throw error
    }
  }

  deinit {
    SystemCall.close(epoll)
    readBuffer.deallocate()
    events.deallocate()
  }

  /// Runs until it is told to drain and nothing is left, or the drain's deadline has passed.
  func run() {
    mailbox.own()
    startAccepting()
    while !isFinished {
      refreshClock()
      deliverMessages()
      let count = SystemCall.epollWait(epoll, events, milliseconds: waitMilliseconds())
      refreshClock()
      for index in 0..<count {
        let event = events[index]
        switch event.data.u64 {
        case Self.mailboxToken: SystemCall.clear(mailbox.descriptor)
        case Self.listenerToken: acceptConnections()
        default: ready(event.data.u64, event.events)
        }
        deliverMessages()
      }
      if nextSweep <= now { sweep() }
    }
    for entry in entries {
      if let entry { update(entry) { $0.fail(now: now) } }
    }
  }

  private var isFinished: Bool {
    guard let drainDeadline else { return false }
    return openCount == 0 || drainDeadline <= now
  }

  private func refreshClock() {
    now = .now()
    let before = date.text.count
    date.refresh()
    if before == 0 || date.text != context.date { context.date = date.text }
  }

  /// Nothing is timed while there is no connection, so that an idle server sleeps.
  private func waitMilliseconds() -> Int32 {
    guard openCount > 0 || acceptAgain != nil || drainDeadline != nil else { return -1 }
    let nanoseconds = max(0, nextSweep.nanoseconds - now.nanoseconds)
    return Int32(min(nanoseconds / 1_000_000 + 1, 60_000))
  }

  /// Looks at every deadline. A sweep over 10,000 connections takes well under a millisecond, four times a second.
  private func sweep() {
    nextSweep = now + tick
    for entry in entries {
      if let entry, let deadline = entry.machine.deadline, deadline <= now { update(entry) { $0.expire(now: now) } }
    }
    if let acceptAgain, acceptAgain <= now { startAccepting() }
  }

  // MARK: Messages

  private func deliverMessages() {
    while true {
      mailbox.take(into: &batch)
      if batch.isEmpty { return }
      // Handlers that run meanwhile post to the other queue.
      for message in batch { deliver(message) }
      batch.removeAll(keepingCapacity: true)
    }
  }

  private func deliver(_ message: ReactorMessage) {
    switch message {
    case .drain(let deadline): drain(deadline)
    case .answer(let key, let event):
      guard let entry = entry(key.connection), entry.machine.requestInFlight == key.request else {
        // The client is gone: whoever writes the stream has to learn that.
        if case .streamStart(_, let stream) = event { stream.close() }
        return
      }
      if case .streamStart(_, let stream) = event { entry.stream = stream }
      update(entry) { $0.answer(event, request: key.request, now: now) }
    }
  }

  private func drain(_ deadline: Moment) {
    drainDeadline = deadline
    nextSweep = min(nextSweep, deadline)
    // Connections that the kernel has made already are served.
    if isAccepting { acceptConnections(atMost: Self.backlog) }
    stopAccepting(until: nil)
    SystemCall.stopListening(listener)
    for entry in entries {
      guard let entry else { continue }
      // A request that has arrived is in flight, whether it has been read or not.
      if entry.machine.wantsRead { read(entry) }
      if !entry.machine.isClosed { update(entry) { $0.drain(now: now) } }
    }
  }

  // MARK: Connections

  private func entry(_ token: UInt64) -> Entry? {
    let slot = Int(token & 0xffff_ffff)
    guard slot < entries.count, let entry = entries[slot], entry.token == token else { return nil }
    return entry
  }

  private func ready(_ token: UInt64, _ events: UInt32) {
    guard let entry = entry(token) else { return }
    if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0, !entry.machine.wantsRead {
      return update(entry) { $0.fail(now: now) }
    }
    if events & EPOLLOUT.rawValue != 0 { update(entry) { _ in } }
    if entry.machine.isClosed { return }
    if events & (EPOLLIN.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0, entry.machine.wantsRead {
      read(entry)
    } else if events & EPOLLRDHUP.rawValue != 0 {
      // Input is not wanted now, so the end of it is not in sight; a stream has to end all the same.
      entry.sawEnd = true
      update(entry) { if $0.isStreaming { $0.receiveEnd(now: now) } }
    }
  }

  private func read(_ entry: Entry) {
    // Bounded, so that one fast sender does not hold up the others.
    for _ in 0..<4 {
      switch SystemCall.receive(entry.descriptor, into: readBuffer) {
      case .wouldBlock: return
      case .failed: return update(entry) { $0.fail(now: now) }
      case .done(0):
        entry.sawEnd = true
        return update(entry) { $0.receiveEnd(now: now) }
      case .done(let count):
        update(entry) { $0.receive(UnsafeRawBufferPointer(rebasing: readBuffer[..<count]), now: now) }
        // A short read has emptied the socket; level triggering tells of what comes next.
        if count < Self.readBytes || !entry.machine.wantsRead { return }
      }
    }
  }

  /// Changes the machine, then does all that follows from it.
  func update(_ entry: Entry, _ body: (inout HTTPConnection) -> Void) {
    body(&entry.machine)
    runActions(entry)
    while entry.machine.hasOutput {
      let result = entry.machine.withOutput { SystemCall.send(entry.descriptor, $0, more: $1) } ?? .wouldBlock
      guard case .done(let count) = result else {
        if case .failed = result { entry.machine.fail(now: now) }
        break
      }
      let streamBytes = entry.machine.sent(count, now: now)
      if streamBytes > 0 { entry.stream?.consumed(streamBytes) }
    }
    runActions(entry)
    finishUpdate(entry)
  }

  private func runActions(_ entry: Entry) {
    while let action = entry.machine.popAction() {
      switch action {
      case .handle(let request, let route):
        let key = ExchangeKey(connection: entry.token, request: request.id)
        let responder = Responder(
          mailbox: mailbox, key: key, streamBufferBytes: context.configuration.streamBufferBytes)
        route.handler(request, responder)
      case .finished(let exchange): observer?.finished(exchange)
      case .streamEnded:
        entry.stream?.close()
        entry.stream = nil
      }
    }
  }

  private func finishUpdate(_ entry: Entry) {
    if entry.machine.isClosed { return remove(entry) }
    if entry.machine.wantsShutdown, !entry.hasShutDown {
      entry.hasShutDown = true
      SystemCall.shutdownWriting(entry.descriptor)
    }
    var interest: UInt32 = 0
    if entry.machine.wantsRead { interest |= EPOLLIN.rawValue }
    if !entry.sawEnd { interest |= EPOLLRDHUP.rawValue }
    if entry.machine.hasOutput { interest |= EPOLLOUT.rawValue }
    guard interest != entry.interest else { return }
    entry.interest = interest
    do throws(SystemCallError) {
      try SystemCall.epollControl(epoll, EPOLL_CTL_MOD, entry.descriptor, events: interest, token: entry.token)
    } catch {
      entry.machine.fail(now: now)
      runActions(entry)
      remove(entry)
    }
  }

  private func remove(_ entry: Entry) {
    let slot = Int(entry.token & 0xffff_ffff)
    guard entries[slot] === entry else { return }
    entries[slot] = nil
    freeSlots.append(slot)
    openCount -= 1
    connectionCount.leave()
    // Closing takes the descriptor out of epoll.
    SystemCall.close(entry.descriptor)
    if acceptAgain != nil { startAccepting() }
  }
}
