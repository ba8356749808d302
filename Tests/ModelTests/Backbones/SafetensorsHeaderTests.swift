import CLModels
import Tensor
import Testing

@Suite struct SafetensorsHeaderTests {
  /// A file with this header and so many bytes of tensors.
  static func file(_ header: String, data: Int) -> [UInt8] {
    let length = UInt64(header.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8)
      + [UInt8](repeating: 0, count: data)
  }

  static func read(_ bytes: [UInt8]) throws(SafetensorsError) -> SafetensorsHeader {
    try bytes.withBytes { bytes throws(SafetensorsError) in try SafetensorsHeader(file: bytes) }
  }

  static let two = """
    {"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},\
    "b":{"dtype":"I8","shape":[5],"data_offsets":[24,29]}}
    """

  @Test func readsTypesShapesAndPlaces() throws {
    let header = try Self.read(Self.file(Self.two, data: 29))
    let start = 8 + Self.two.utf8.count
    #expect(header.tensors.count == 2)
    #expect(header.tensors["a"] == .init(type: .float32, shape: [2, 3], range: start..<start + 24))
    #expect(header.tensors["b"] == .init(type: .int8, shape: [5], range: start + 24..<start + 29))
  }

  @Test func scalarsAndEmptyTensorsAreTensors() throws {
    let header = try Self.read(
      Self.file(
        """
        {"s":{"dtype":"F64","shape":[],"data_offsets":[0,8]},"e":{"dtype":"F32","shape":[0,7],"data_offsets":[8,8]}}  
        """, data: 8))
    #expect(header.tensors["s"]?.range.count == 8)
    #expect(header.tensors["e"]?.range.isEmpty == true)
  }

  struct Refusal: Sendable {
    let header: String
    let data: Int
    let error: SafetensorsError
  }

  static let refusals: [Refusal] = [
    .init(
      header:
        #"{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}}"#,
      data: 2, error: .duplicateName("a")),
    // The same name, written with an escape.
    .init(
      header:
        #"{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"\u0061":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}}"#,
      data: 2, error: .duplicateName("a")),
    .init(
      header:
        #"{"a":{"dtype":"F32","dtype":"I8","shape":[4],"data_offsets":[0,4]}}"#, data: 4,
      error: .duplicateName("dtype")),
    .init(
      header:
        #"{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}"#, data: 4,
      error: .unknownType(tensor: "a", type: "F31")),
    .init(
      header:
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, data: 4, error: .wrongSize(tensor: "a")),
    .init(
      header:
        #"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, data: 0,
      error: .wrongSize(tensor: "a")),
    .init(
      header:
        #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, data: 4, error: .outOfBounds(tensor: "a")),
    .init(
      header:
        #"{"a":{"dtype":"I8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"I8","shape":[3],"data_offsets":[2,5]}}"#,
      data: 5, error: .overlap(tensor: "b")),
    .init(
      header:
        #"{"a":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}}"#, data: 2, error: .gap(before: "a")),
    .init(
      header:
        #"{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}"#, data: 2, error: .gap(before: nil)),
  ]

  @Test(arguments: refusals)
  func refuses(refusal: Refusal) {
    #expect(throws: refusal.error) { try Self.read(Self.file(refusal.header, data: refusal.data)) }
  }

  @Test(arguments: [
    "", "[]", " {}", "{", #"{"a":1}"#, #"{"a":{"dtype":"I8","shape":[1],"data_offsets":[0]}}"#,
    #"{"a":{"dtype":"I8","shape":[-1],"data_offsets":[0,1]}}"#,
    #"{"a":{"dtype":"I8","shape":[1.0],"data_offsets":[0,1]}}"#,
    #"{"a":{"dtype":"I8","shape":[1],"data_offsets":[1,0]}}"#,
    #"{"a":{"dtype":"I8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}"#,
    #"{"é":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}"#,
    #"{"a b":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}"#,
    #"{"":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}"#,
    #"{"__metadata__":{"n":1}}"#, #"{} {}"#, #"{"a":{"dtype":"I8","shape":[01],"data_offsets":[0,1]}}"#,
    #"{"\ud800":{}}"#, String(repeating: "{\"a\":", count: 1000),
  ])
  func refusesMalformedHeaders(header: String) {
    let error = #expect(throws: SafetensorsError.self) { try Self.read(Self.file(header, data: 1)) }
    guard case .malformedHeader = error else {
      Issue.record("\(header): \(String(describing: error))")
      return
    }
  }

  @Test func refusesLengthsBeyondTheFileAndTheLimit() {
    #expect(throws: SafetensorsError.truncated) { try Self.read([1, 2, 3]) }
    #expect(throws: SafetensorsError.truncated) { try Self.read([9, 0, 0, 0, 0, 0, 0, 0, 0x7B]) }
    let limit = SafetensorsError.headerTooLarge(limit: 16_000_000)
    #expect(throws: limit) { try Self.read([1, 0x24, 0xF4, 0, 0, 0, 0, 0]) }
    #expect(throws: limit) { try Self.read([UInt8](repeating: 0xFF, count: 8)) }
  }

  /// Damaged files are refused or read, and never trap: bytes flipped, cut and doubled in the header and around it.
  @Test func survivesMutations() throws {
    var generator = SeededGenerator(seed: 7)
    let original = Self.file(Self.two, data: 29)
    var refused = 0
    for _ in 0..<20_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let at = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes[at] = Array(#"{}[]",:0919eE-\u"#.utf8).randomElement(using: &generator) ?? 0
        case 2: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...9, using: &generator)))
        default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 9)], at: at)
        }
        if bytes.isEmpty { bytes = [0] }
      }
      do { _ = try Self.read(bytes) } catch { refused += 1 }
    }
    #expect(refused > 10_000)
  }
}
