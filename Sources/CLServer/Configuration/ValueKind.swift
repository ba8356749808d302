package import HTTP

/// A value after reading, before it is put into its typed field.
package enum SettingValue: Sendable, Equatable {
  case integer(Int)
  case natural(UInt64)
  case number(Double)
  case text(String)
  case flag(Bool)
  case address(HTTPAddress)
}

/// What a setting takes, with its range.
package enum ValueKind: Sendable {
  case integer(ClosedRange<Int>)
  case natural
  case number(ClosedRange<Double>)
  case seconds(ClosedRange<Double>)
  case bytes(ClosedRange<Int>)
  case onOff
  case choice([String])
  case path
  case address

  /// Why a value cannot be taken.
  package struct Problem: Error, Sendable, Equatable { package let reason: String }

  package func parse(_ text: String) -> Result<SettingValue, Problem> {
    switch self {
    case .integer(let range): within(range, Int(text).map { ($0, .integer($0)) })
    case .natural: UInt64(text).map { .success(.natural($0)) } ?? refused
    case .number(let range), .seconds(let range): within(range, Double(text).map { ($0, .number($0)) })
    case .bytes(let range): within(range, ByteSize.parse(text).map { ($0, .integer($0)) })
    case .onOff: Self.switches[text].map { .success(.flag($0)) } ?? refused
    case .choice(let names): names.contains(text) ? .success(.text(text)) : refused
    case .path: text.isEmpty || text.utf8.contains(0) ? refused : .success(.text(text))
    case .address: HTTPAddress(text).map { .success(.address($0)) } ?? refused
    }
  }

  /// How the file spells a value; what `parse` reads back.
  package func spell(_ value: SettingValue) -> String {
    switch (self, value) {
    case (.bytes, .integer(let bytes)): ByteSize.spell(bytes)
    case (_, .integer(let value)): String(value)
    case (_, .natural(let value)): String(value)
    case (_, .number(let value)): value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
    case (_, .text(let value)): value
    case (_, .flag(let value)): value ? "on" : "off"
    case (_, .address(let value)): value.description
    }
  }

  /// What is allowed, in words; also the reason of a refusal.
  package var expectation: String {
    switch self {
    case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .natural: "a whole number from 0 to \(UInt64.max)"
    case .number(let range): "a number from \(plain(range.lowerBound)) to \(plain(range.upperBound))"
    case .seconds(let range): "seconds from \(plain(range.lowerBound)) to \(plain(range.upperBound))"
    case .bytes(let range):
      "a size from \(ByteSize.spell(range.lowerBound)) to \(ByteSize.spell(range.upperBound)), "
        + "in bytes or with KiB, MiB or GiB"
    case .onOff: "`on` or `off`"
    case .choice(let names): "one of " + names.map { "`\($0)`" }.joined(separator: ", ")
    case .path: "a path"
    case .address:
      "an address as HOST:PORT, the host numeric or `localhost`, an IPv6 one in brackets, a port from 0 to 65535"
    }
  }

  /// A word for the value in `--help`.
  package var placeholder: String {
    switch self {
    case .integer, .natural, .number: "N"
    case .seconds: "SECONDS"
    case .bytes: "SIZE"
    case .onOff: "on|off"
    case .choice(let names): names.joined(separator: "|")
    case .path: "PATH"
    case .address: "HOST:PORT"
    }
  }

  private static let switches = ["on": true, "true": true, "yes": true, "off": false, "false": false, "no": false]

  private var refused: Result<SettingValue, Problem> { .failure(Problem(reason: "it must be " + expectation)) }

  private func plain(_ value: Double) -> String { spell(.number(value)) }

  private func within<Number: Comparable>(
    _ range: ClosedRange<Number>, _ parsed: (Number, SettingValue)?
  ) -> Result<SettingValue, Problem> {
    guard let (number, value) = parsed, range.contains(number) else { return refused }
    return .success(value)
  }
}
