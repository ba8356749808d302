import CLServer
import Testing

@Suite struct MultipartIntakeTests {
  private func part(_ field: String, _ text: String, file: String? = nil) -> IntakePart {
    IntakePart(field: field, filename: file, bytes: Array(text.utf8))
  }

  @Test func tellsSettingsFromClasses() throws {
    let intake = try IntakeReader.multipart(
      parts: [
        part("name", "fruit"), part("learner", "pop"), part("holdout", "0.2"), part("apple", "x", file: "1.jpg"),
        part("group", "ann"), part("apple", "y"), part("name", "z", file: "name.jpg"), part("group", ""),
        part("pear", "w", file: "2.jpg"), part("pear", ""),
      ], limits: IntakeLimits())
    #expect(intake.name == "fruit" && intake.learner == "pop" && intake.holdout == 0.2)
    #expect(intake.items.map(\.item.label) == ["apple", "apple", "name", "pear"])
    #expect(intake.items.map(\.item.name) == ["1.jpg", "", "name.jpg", "2.jpg"])
    #expect(intake.items.map(\.item.group) == [nil, "ann", "ann", nil])
    #expect(intake.rejected == [IntakeRejection(index: 4, name: "", reason: "no bytes")])
  }

  @Test(arguments: ["", "x", "nan", "inf", "1", "-1", "0.2 "])
  func refusesAShareThatIsNone(_ text: String) {
    #expect(throws: IntakeError.field(name: "holdout", reason: "not a number from 0 to below 1")) {
      try IntakeReader.multipart(parts: [part("holdout", text), part("a", "x")], limits: IntakeLimits())
    }
  }

  @Test func refusesARequestWithoutItems() {
    #expect(throws: IntakeError.empty) { try IntakeReader.multipart(parts: [], limits: IntakeLimits()) }
    #expect(throws: IntakeError.empty) {
      try IntakeReader.multipart(parts: [part("name", "fruit")], limits: IntakeLimits())
    }
  }

  @Test func limitsTheWholeRequest() {
    var limits = IntakeLimits()
    limits.maximumUnpackedBytes = 3
    #expect(throws: IntakeError.limit(name: "maximumUnpackedBytes", limit: 3)) {
      try IntakeReader.multipart(parts: [part("a", "xx"), part("a", "yy")], limits: limits)
    }
    limits.maximumItems = 1
    #expect(throws: IntakeError.limit(name: "maximumItems", limit: 1)) {
      try IntakeReader.multipart(parts: [part("a", "x"), part("a", "y")], limits: limits)
    }
  }

  @Test func refusesASettingThatIsNotText() {
    let bad = IntakePart(field: "name", filename: nil, bytes: [0xFF])
    #expect(throws: IntakeError.field(name: "name", reason: "not UTF-8")) {
      try IntakeReader.multipart(parts: [bad, part("a", "x")], limits: IntakeLimits())
    }
  }
}
