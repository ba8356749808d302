import CLServer
import Glibc
import JSONTree
import Synchronization
import Testing

private final class CollectingSink: LogSink {
  let records = Mutex<[LogRecord]>([])

  func write(_ record: LogRecord) { records.withLock { $0.append(record) } }
}

private let moment = Timestamp(secondsSinceEpoch: 1_767_225_599, nanoseconds: 125_999_999)

private func record(_ level: LogLevel, _ message: String, _ fields: [LogField]) -> LogRecord {
  LogRecord(time: moment, level: level, message: message, fields: fields)
}

@Test(arguments: [
  (0, 0, "1970-01-01T00:00:00.000Z"), (-1, 0, "1969-12-31T23:59:59.000Z"),
  (951_827_696, 5_000_000, "2000-02-29T12:34:56.005Z"), (1_767_225_599, 999_999_999, "2025-12-31T23:59:59.999Z"),
  (4_107_542_400, 0, "2100-03-01T00:00:00.000Z"),
])
func timesAreRFC3339(_ seconds: Int, _ nanoseconds: Int, _ text: String) {
  #expect(Timestamp(secondsSinceEpoch: seconds, nanoseconds: nanoseconds).rfc3339 == text)
}

@Test func aTextLineHasTimeLevelMessageAndFields() {
  let fields = [
    LogField("path", "/a b"), LogField("id", "x1"), LogField("n", 3), LogField("s", 0.5), LogField("ok", true),
    LogField("empty", ""),
  ]
  let line = LogFormatter(format: .text, journal: false).line(record(.info, "request", fields))
  #expect(line == #"2025-12-31T23:59:59.125Z info request path="/a b" id=x1 n=3 s=0.5 ok=true empty="""#)
}

@Test(arguments: [(LogLevel.debug, 7), (.info, 6), (.warning, 4), (.error, 3)])
func theJournalGetsThePriorityInsteadOfTheTime(_ level: LogLevel, _ priority: Int) {
  let line = LogFormatter(format: .text, journal: true).line(record(level, "m", []))
  #expect(line == "<\(priority)>m")
}

@Test func theJournalIsKnownByItsDeviceAndInode() {
  let pipe = Pipe()
  var status = stat()
  fstat(pipe.write, &status)
  let own = "\(status.st_dev):\(status.st_ino)"
  #expect(LogFormatter.isJournal(pipe.write, environment: ["JOURNAL_STREAM": own]))
  #expect(!LogFormatter.isJournal(pipe.write, environment: ["JOURNAL_STREAM": "1:1"]))
  #expect(!LogFormatter.isJournal(pipe.write, environment: [:]))
}

@Test func aJSONLineIsOneObject() {
  let fields = [LogField("quote", "say \"hi\"\\"), LogField("n", -3), LogField("bad", .number(.nan))]
  let line = LogFormatter(format: .json, journal: true).line(record(.error, "m\n", fields))
  let value = JSON.parse(Array(line.utf8))
  #expect(value?["message"] == .string("m\n"))
  #expect(value?["level"] == .string("error"))
  #expect(value?["time"] == .string("2025-12-31T23:59:59.125Z"))
  #expect(value?["quote"] == .string("say \"hi\"\\"))
  #expect(value?["n"] == .integer(-3))
  #expect(value?["bad"] == .string("nan"))
}

@Test(arguments: [
  "\n", "\r\n", "\u{0}", "\u{1B}[31m", "\u{7F}", "\u{85}", "\u{9B}", "\u{2028}", "\u{202E}", "\u{2066}",
])
func nothingFromOutsideStartsALineOrColoursATerminal(_ attack: String) {
  for format in LogFormat.allCases {
    let formatter = LogFormatter(format: format, journal: false)
    let line = formatter.line(record(.info, "a\(attack)b", [LogField("f", .text("c\(attack)d"))]))
    let raw = line.unicodeScalars.filter {
      attack.unicodeScalars.contains($0) && $0 != "[" && $0 != "3" && $0 != "1" && $0 != "m"
    }
    #expect(raw.isEmpty, "\(line.debugDescription)")
  }
}

@Test func belowTheLevelNothingIsEvaluated() {
  let sink = CollectingSink()
  let logger = Logger(level: .warning, sink: sink, now: { moment })
  var evaluations = 0
  func costly() -> String {
    evaluations += 1
    return "message"
  }
  logger.info(costly())
  logger.debug("x", [LogField("f", .text(costly()))])
  logger.error(costly())
  #expect(evaluations == 1)
  #expect(sink.records.withLock { $0 } == [record(.error, "message", [])])
}

@Test func fieldsOfTheLoggerComeFirst() {
  let sink = CollectingSink()
  let logger = Logger(level: .debug, sink: sink, now: { moment }).with(LogField("task", 3))
  logger.info("m", [LogField("n", 1)])
  #expect(sink.records.withLock { $0.first?.fields } == [LogField("task", 3), LogField("n", 1)])
}

@Test func theWriterWritesEverythingBeforeItCloses() {
  let pipe = Pipe()
  let writer = LogWriter(formatter: LogFormatter(format: .text, journal: true), descriptor: pipe.write)
  let logger = Logger(level: .info, sink: writer)
  for index in 0..<100 { logger.info("line \(index)") }
  writer.close()
  #expect(pipe.readAvailable() == (0..<100).map { "<6>line \($0)\n" }.joined())
  #expect(writer.dropped == 0)
}

@Test func aStuckReaderCostsLinesNotTime() {
  let pipe = Pipe()
  let writer = LogWriter(formatter: LogFormatter(format: .text, journal: true), descriptor: pipe.write, capacity: 10)
  let logger = Logger(level: .info, sink: writer)
  let long = String(repeating: "x", count: 4096)
  for _ in 0..<1000 { logger.info(long) }
  writer.close(within: 0.01)
  #expect(writer.dropped > 900)
  pipe.closeReader()
  writer.close()
}

@Test func droppedLinesAreReported() {
  let pipe = Pipe()
  let writer = LogWriter(formatter: LogFormatter(format: .text, journal: true), descriptor: pipe.write, capacity: 0)
  Logger(level: .info, sink: writer).info("lost")
  writer.close()
  #expect(pipe.readAvailable() == "<4>log lines dropped dropped=1\n")
}

/// A pipe; both ends close with it.
private final class Pipe {
  private var read: Int32
  let write: Int32

  init() {
    signal(SIGPIPE, SIG_IGN)
    var ends: [Int32] = [-1, -1]
    precondition(pipe(&ends) == 0)
    read = ends[0]
    write = ends[1]
  }

  /// What is in the pipe, up to 64 KiB.
  func readAvailable() -> String {
    var bytes = [UInt8](repeating: 0, count: 65536)
    let count = Glibc.read(read, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }

  /// Writing fails from now on.
  func closeReader() {
    close(read)
    read = -1
  }

  deinit {
    if read >= 0 { close(read) }
    close(write)
  }
}
