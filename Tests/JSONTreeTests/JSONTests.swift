import JSONTree
import Testing

@Suite struct JSONTests {
  private func parse(_ text: String) throws -> JSON { try Array(text.utf8).withUnsafeBytes { try JSON.parse($0) } }

  @Test(arguments: [
    ("null", JSON.null), (" true\n", true), ("false", false), ("0", 0), ("-7", -7), ("1.0", .number(1)),
    ("-2.5e-1", .number(-0.25)), ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
    ("9223372036854775808", .number(0x1p63)), (#""""#, ""),
    (#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é""#, "a\"\\/\u{8}\u{C}\n\r\té😀é"),
    ("[]", .array([])), ("[1,[2]]", .array([1, .array([2])])), ("{}", .object([:])),
    (#"{"a" : {"b":null}, "c":[]}"#, .object(["a": .object(["b": .null]), "c": .array([])])),
  ])
  func aDocumentIsRead(_ text: String, _ value: JSON) throws {
    #expect(try parse(text) == value)
  }

  @Test(arguments: [
    "", " ", "nul", "tru", "1 2", "01", "-", "1.", ".5", "1e", "+1", "NaN", "'a'", #"""#, #""\x""#, #""\u12""#,
    #""\ud800""#, #""\ude00""#, #""\ud800\u0041""#, "\"\n\"", "[", "[1", "[1,]", "[,1]", "{", #"{"a"}"#, #"{"a":}"#,
    #"{"a":1,}"#, "{a:1}", "{1:1}", "[1}",
  ])
  func whatIsNoDocumentIsRefused(_ text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
    #expect(JSON.parse(Array(text.utf8)) == nil)
  }

  @Test func textThatIsNotUTF8IsRefused() {
    #expect(JSON.parse([0x22, 0xFF, 0x22]) == nil)
    #expect(JSON.parse([0x22, 0xC3, 0x22]) == nil)
  }

  @Test(arguments: [#"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, "{\"\u{E9}\":1,\"e\u{301}\":2}"])
  func aNameStandsOnceInAnObject(_ text: String) {
    let error = #expect(throws: JSONError.self) { try parse(text) }
    guard case .duplicate = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func nestingHasALimit() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try parse(nested(32))
    let tooDeep = JSONError.malformed("nested too deeply", offset: 32)
    #expect(throws: tooDeep) { try parse(nested(33)) }
    #expect(throws: tooDeep) { try parse(String(repeating: "[", count: 1_000_000)) }
  }

  @Test func membersAndElementsThatAreNotThereAreNull() {
    let value: JSON = .object(["a": .array([1, "x"]), "n": .number(.infinity)])
    #expect(value["a"][1] == "x" && value["a"][2] == .null && value["a"][-1] == .null)
    #expect(value["b"]["c"][0] == .null && value[0] == .null)
    #expect(value["a"][0].double == 1 && value["a"][0].integer == 1 && value["n"].double == nil)
    #expect([JSON.number(3), 3, .number(0.5), true, "t", .null].map(\.plain) == ["3", "3", "0.5", "true", "t", nil])
  }

  @Test func whatIsWrittenIsReadAgain() {
    let value: JSON = .object([
      "text": "tab\t \"quote\" \\ é \u{7F}\u{0}", "numbers": .array([.integer(.min), .number(0.1), .number(-1e300)]),
      "flags": .array([true, false, .null]),
    ])
    #expect(JSON.parse(value.encoded()) == value)
    #expect(JSON.object(["b": .number(.nan), "a": 1]).encodedText() == #"{"a":1,"b":null}"#)
  }
}
