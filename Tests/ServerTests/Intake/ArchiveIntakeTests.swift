import CLServer
import Testing

@Suite struct ArchiveIntakeTests {
  private static let body: [UInt8] = [1, 2, 3]

  private func labels(_ intake: Intake) -> [String] { intake.items.map(\.item.label) }

  @Test(arguments: TestArchive.Format.allCases)
  func readsClassesAndGroupsOfEveryFormat(_ format: TestArchive.Format) throws {
    let archive = TestArchive.bytes(
      [("apple", .directory), ("apple/1.jpg", .file([1])), ("pear/ann/2.jpg", .file([2, 2]))], format: format)
    let intake = try IntakeReader.archive(archive, limits: IntakeLimits())
    #expect(
      intake.items.map(\.item) == [
        IntakeItem(label: "apple", name: "apple/1.jpg", bytes: [1]),
        IntakeItem(label: "pear", name: "pear/ann/2.jpg", bytes: [2, 2], group: "ann"),
      ])
    #expect(intake.items.map(\.index) == [0, 1])
    #expect(intake.rejected.isEmpty)
  }

  @Test(arguments: TestArchive.Format.allCases)
  func readsNamesOutsideASCII(_ format: TestArchive.Format) throws {
    let archive = TestArchive.bytes([("żółw/été 1.jpg", .file(Self.body))], format: format)
    let intake = try IntakeReader.archive(archive, limits: IntakeLimits())
    #expect(labels(intake) == ["żółw"])
  }

  @Test func takesAWrapperOffOnlyWhenPathsAreTooDeepWithIt() throws {
    let deep = TestArchive.bytes([("top/apple/1.jpg", .file(Self.body)), ("top/pear/ann/2.jpg", .file(Self.body))])
    let unwrapped = try IntakeReader.archive(deep, limits: IntakeLimits())
    #expect(labels(unwrapped) == ["apple", "pear"])
    #expect(unwrapped.items.map(\.item.group) == [nil, "ann"])

    let shallow = TestArchive.bytes([("top/apple/1.jpg", .file(Self.body)), ("top/pear/2.jpg", .file(Self.body))])
    let kept = try IntakeReader.archive(shallow, limits: IntakeLimits())
    #expect(labels(kept) == ["top", "top"])
    #expect(kept.items.map(\.item.group) == ["apple", "pear"])

    let mixed = TestArchive.bytes([("top/a/b/c/1.jpg", .file(Self.body)), ("pear/2.jpg", .file(Self.body))])
    let partly = try IntakeReader.archive(mixed, limits: IntakeLimits())
    #expect(labels(partly) == ["pear"])
    #expect(partly.rejected.map(\.reason) == ["deeper than CLASS/GROUP/FILE"])
  }

  @Test(
    arguments: [
      (["a/images/1", "b/images/2", "b/boxes.txt"], [nil, nil, nil]),
      (["top/a/images/1", "top/b/images/2", "__MACOSX/c/1"], [nil, nil]),
      (["a/images/1", "a/images/2"], ["images", "images"]),
      (["a/images/1", "b/2"], ["images", nil]),
      (["a/ann/1", "b/ann/2", "b/bob/3"], ["ann", "ann", "bob"]),
      (["a/ann/1", "b/bob/2"], ["ann", "bob"]),
    ] as [([String], [String?])]) func aSubFolderThatEveryClassHasAloneIsNoGroup(
      paths: [String], groups: [String?]
    ) throws
  {
    let archive = TestArchive.bytes(paths.map { ($0, .file(Self.body)) })
    let intake = try IntakeReader.archive(archive, limits: IntakeLimits())
    #expect(intake.items.map(\.item.group) == groups)
  }

  @Test func ignoresWhatSystemsAddToFolders() throws {
    let archive = TestArchive.bytes([
      ("__MACOSX/apple/._1.jpg", .file(Self.body)), ("apple/._1.jpg", .file(Self.body)),
      ("apple/.DS_Store", .file(Self.body)), ("apple/Thumbs.db", .file(Self.body)),
      ("./apple//1.jpg", .file(Self.body)),
    ])
    let intake = try IntakeReader.archive(archive, limits: IntakeLimits())
    #expect(labels(intake) == ["apple"])
    #expect(intake.rejected.isEmpty)
  }

  @Test func rejectsWhatIsNotAFileInItsPlace() throws {
    let archive = TestArchive.bytes([
      ("/etc/passwd", .file(Self.body)), ("apple/../../1.jpg", .file(Self.body)),
      ("apple/link.jpg", .symbolicLink(to: "/etc/passwd")), ("apple/hard.jpg", .hardLink(to: "apple/1.jpg")),
      ("apple/null", .device), ("alone.jpg", .file(Self.body)), ("apple/empty.jpg", .file([])),
      ("apple/1.jpg", .file(Self.body)), ("apple/1.jpg", .file(Self.body)), (" pear/1.jpg", .file(Self.body)),
      ("a\u{7}b/1.jpg", .file(Self.body)),
    ])
    let intake = try IntakeReader.archive(archive, limits: IntakeLimits())
    #expect(intake.items.map(\.index) == [7, 8])
    #expect(
      intake.rejected.map(\.reason) == [
        "absolute path", "path with \"..\"", "a link", "a link", "not a regular file", "not in a class's folder",
        "no bytes", "label: begins or ends with a blank", "label: contains a control character",
      ])
    #expect(intake.rejected.map(\.index) == [0, 1, 2, 3, 4, 5, 6, 9, 10])
    #expect(intake.rejected.last?.name == "a\u{FFFD}b/1.jpg")
  }

  @Test func rejectsItemsAboveTheirLimitsAndKeepsTheRest() throws {
    var limits = IntakeLimits()
    limits.maximumItemBytes = 10
    limits.maximumLabelBytes = 8
    limits.maximumNameBytes = 20
    let archive = TestArchive.bytes([
      ("apple/big.jpg", .file(Array(repeating: 0, count: 11))),
      ("apple/fits.jpg", .file(Array(repeating: 0, count: 10))),
      ("123456789/1.jpg", .file(Self.body)), ("apple/\(String(repeating: "x", count: 300)).jpg", .file(Self.body)),
    ])
    let intake = try IntakeReader.archive(archive, limits: limits)
    #expect(intake.items.map(\.index) == [1])
    #expect(
      intake.rejected.map(\.reason) == [
        "11 bytes, the limit is 10", "label: longer than 8 bytes", "name: longer than 20 bytes",
      ])
    #expect(intake.rejected.allSatisfy { $0.name.utf8.count <= 20 })
  }

  @Test(arguments: TestArchive.Format.allCases)
  func refusesABomb(_ format: TestArchive.Format) {
    var limits = IntakeLimits()
    limits.maximumUnpackedBytes = 1 << 20
    // One in an item and one in a file that is ignored: both unpack.
    for path in ["apple/1.jpg", "__MACOSX/1"] {
      let archive = TestArchive.bytes([(path, .file(Array(repeating: 0, count: 8 << 20)))], format: format)
      #expect(throws: IntakeError.limit(name: "maximumUnpackedBytes", limit: 1 << 20)) {
        try IntakeReader.archive(archive, limits: limits)
      }
    }
  }

  @Test func refusesTooManyEntries() {
    var limits = IntakeLimits()
    limits.maximumItems = 3
    let archive = TestArchive.bytes((0..<4).map { ("apple/\($0).jpg", .file(Self.body)) })
    #expect(throws: IntakeError.limit(name: "maximumItems", limit: 3)) {
      try IntakeReader.archive(archive, limits: limits)
    }
  }

  @Test func refusesWhatIsNoArchive() {
    #expect(throws: IntakeError.empty) { try IntakeReader.archive([], limits: IntakeLimits()) }
    for body in [Array("hello, this is text".utf8), [UInt8](repeating: 0xA5, count: 4096), [0x1F, 0x8B, 8, 0]] {
      #expect(throws: IntakeError.notAnArchive) { try IntakeReader.archive(body, limits: IntakeLimits()) }
    }
  }

  @Test(arguments: TestArchive.Format.allCases)
  func refusesAnArchiveWithoutEntries(_ format: TestArchive.Format) {
    #expect(throws: IntakeError.empty) {
      try IntakeReader.archive(TestArchive.bytes([], format: format), limits: IntakeLimits())
    }
  }

  @Test(arguments: TestArchive.Format.allCases)
  func refusesATruncatedArchive(_ format: TestArchive.Format) {
    var generator = ByteGenerator(state: 3)
    let noise = (0..<5000).map { _ in UInt8(generator.next(256)) }
    let archive = TestArchive.bytes([("apple/1.jpg", .file(noise)), ("apple/2.jpg", .file(noise))], format: format)
    #expect { try IntakeReader.archive(Array(archive[..<3000]), limits: IntakeLimits()) } throws: {
      if case .damagedArchive = $0 as? IntakeError { return true }
      return false
    }
  }

  @Test(arguments: TestArchive.Format.allCases)
  func survivesDamagedBytes(_ format: TestArchive.Format) {
    let files = (0..<5).map { ("class\($0)/\($0).jpg", TestArchive.Kind.file(Array(repeating: UInt8($0), count: 700))) }
    let archive = TestArchive.bytes(files, format: format)
    var generator = ByteGenerator(state: 7)
    var limits = IntakeLimits()
    limits.maximumUnpackedBytes = 1 << 22
    var taken = 0
    for _ in 0..<2000 {
      var damaged = archive
      for _ in 0...generator.next(4) { damaged[generator.next(damaged.count)] = UInt8(generator.next(256)) }
      if generator.next(4) == 0 { damaged.removeLast(generator.next(damaged.count)) }
      if let intake = try? IntakeReader.archive(damaged, limits: limits) { taken += intake.items.count }
    }
    // xz keeps a checksum of everything, so that nothing of a damaged file is taken.
    #expect(taken > 0 || format == .tarXZ)
  }
}

/// A linear congruential generator: the same damage in every run.
private struct ByteGenerator {
  var state: UInt64

  mutating func next(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }
}
