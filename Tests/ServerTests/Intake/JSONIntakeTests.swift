import CLServer
import Testing

@Suite struct JSONIntakeTests {
  private func read(_ text: String, limits: IntakeLimits = IntakeLimits()) throws -> Intake {
    try IntakeReader.json(Array(text.utf8), limits: limits)
  }

  @Test func readsSettingsExamplesAndHeldOutItems() throws {
    let intake = try read(
      """
      {"name": "fruit", "learner": "pop", "holdout": 0.25, "extra": [1],
       "examples": [{"label": "apple", "data": "AQID", "name": "1.jpg", "group": "ann"}],
       "held_out": [{"label": "pear", "data": "BA=="}]}
      """)
    #expect(intake.name == "fruit" && intake.learner == "pop" && intake.holdout == 0.25)
    #expect(
      intake.items.map(\.item) == [
        IntakeItem(label: "apple", name: "1.jpg", bytes: [1, 2, 3], group: "ann"),
        IntakeItem(label: "pear", name: "", bytes: [4], isHeldOut: true),
      ])
  }

  @Test func anotherSpellingIsTheSameClassAndGroup() throws {
    let item = #"{"label": "caf%", "group": "Am%lie", "data": "AQID"}"#
    let items = ["\u{E9}", "e\u{301}"].map { item.replacing("%", with: $0) }
    let intake = try read("{\"examples\": [\(items.joined(separator: ", "))]}")
    // As bytes: for String, equivalent spellings are equal anyhow.
    for taken in intake.items.map(\.item) {
      #expect(Array(taken.label.utf8) == Array("caf\u{E9}".utf8))
      #expect(taken.group.map { Array($0.utf8) } == Array("Am\u{E9}lie".utf8))
    }
    #expect(intake.items.count == 2)
  }

  @Test func theLimitOfALabelHoldsForItsNormalForm() throws {
    var limits = IntakeLimits()
    limits.maximumLabelBytes = 3
    let intake = try read(
      #"{"examples": [{"label": "e\#u{301}a", "data": "AQID"}, {"label": "\#u{958}", "data": "AQID"}]}"#, limits: limits
    )
    #expect(intake.items.map(\.index) == [0])
    #expect(intake.rejected.map(\.reason) == ["label: longer than 3 bytes"])
  }

  @Test(arguments: [
    (#"{"label": "a", "url": "http://x/1.jpg"}"#, "url: fetching is off, send data"),
    (#"{"label": "a"}"#, "data: missing"),
    (#"{"data": "AQID"}"#, "label: missing"),
    (#"{"label": 5, "data": "AQID"}"#, "label: not a string"),
    (#"{"label": null, "data": "AQID"}"#, "label: not a string"),
    (#"{"label": "", "data": "AQID"}"#, "label: empty"),
    (#"{"label": "a ", "data": "AQID"}"#, "label: begins or ends with a blank"),
    (#"{"label": "a\u0000", "data": "AQID"}"#, "label: contains a control character"),
    (#"{"label": "a", "data": "AQID", "group": ""}"#, "group: empty"),
    (#"{"label": "a", "data": "AQID", "group": 1}"#, "group: not a string"),
    (#"{"label": "a", "data": ""}"#, "no bytes"),
    (#"{"label": "a", "data": "AQ"}"#, "data: not base64 (standard alphabet, padded, no blanks)"),
    (#"{"label": "a", "data": "AQ ID"}"#, "data: not base64 (standard alphabet, padded, no blanks)"),
    (#"{"label": "a", "data": "AQ\nID"}"#, "data: not base64 (standard alphabet, padded, no blanks)"),
    (#"{"label": "a", "data": "_-ID"}"#, "data: not base64 (standard alphabet, padded, no blanks)"),
    (
      #"{"label": "a", "data": "data:image/png;base64,AQID"}"#,
      "data: not base64 (standard alphabet, padded, no blanks)"
    ),
    (#"{"label": "a", "data": {}}"#, "data: not a string"),
    ("3", "not an object"), ("null", "not an object"), ("[]", "not an object"),
  ])
  func rejectsOneItemAndKeepsTheOthers(_ item: String, _ reason: String) throws {
    let intake = try read(#"{"examples": [{"label": "a", "data": "AQID"}, \#(item), {"label": "b", "data": "AQID"}]}"#)
    #expect(intake.items.map(\.index) == [0, 2])
    #expect(intake.rejected == [IntakeRejection(index: 1, name: "", reason: reason)])
  }

  @Test(arguments: ["", "{", "[]", "null", #"{"examples": [}"#, "\0{}", "{} {}"])
  func refusesWhatIsNoJSONObject(_ text: String) {
    #expect {
      try read(text)
    } throws: {
      if case .malformedJSON = $0 as? IntakeError { return true }
      return false
    }
  }

  @Test(arguments: [
    (#"{"holdout": 1, "examples": []}"#, "holdout"), (#"{"holdout": -0.1, "examples": []}"#, "holdout"),
    (#"{"holdout": "x", "examples": []}"#, "holdout"), (#"{"name": "", "examples": []}"#, "name"),
    (#"{"name": 7, "examples": []}"#, "name"), (#"{"learner": "a\u0007", "examples": []}"#, "learner"),
    (#"{"examples": {}}"#, "examples"), (#"{"held_out": 1}"#, "held_out"),
  ])
  func refusesASettingThatIsNotValid(_ text: String, _ name: String) {
    #expect {
      try read(text)
    } throws: {
      if case .field(let field, _) = $0 as? IntakeError { return field == name }
      return false
    }
  }

  @Test func refusesARequestWithoutItems() {
    for text in ["{}", #"{"examples": []}"#, #"{"examples": null}"#] {
      #expect(throws: IntakeError.empty) { try read(text) }
    }
  }

  @Test func countsNestingOutsideStringsOnly() throws {
    var limits = IntakeLimits()
    limits.jsonDepth = 4
    let deep = #"{"x": [[[[]]]], "examples": [{"label": "a", "data": "AQID"}]}"#
    #expect(throws: IntakeError.limit(name: "jsonDepth", limit: 4)) { try read(deep, limits: limits) }
    let brackets = #"{"examples": [{"label": "[[[[[\"{{{{{{", "data": "AQID"}]}"#
    #expect(try read(brackets, limits: limits).items.count == 1)
    let bomb = String(repeating: "[", count: 1_000_000)
    #expect(throws: IntakeError.limit(name: "jsonDepth", limit: 32)) { try read(bomb) }
  }

  @Test func limitsTheWholeRequest() {
    var limits = IntakeLimits()
    limits.maximumItems = 1
    let two = #"{"examples": [{"label": "a", "data": "AQID"}], "held_out": [{"label": "a", "data": "AQID"}]}"#
    #expect(throws: IntakeError.limit(name: "maximumItems", limit: 1)) { try read(two, limits: limits) }
    limits = IntakeLimits()
    limits.maximumUnpackedBytes = 5
    #expect(throws: IntakeError.limit(name: "maximumUnpackedBytes", limit: 5)) { try read(two, limits: limits) }
  }
}
