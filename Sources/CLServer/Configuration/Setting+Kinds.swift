/// One builder a type of field, so that the table stays a table.
extension Setting {
  typealias Field<Value> = any WritableKeyPath<Configuration, Value> & Sendable

  static func integer(
    _ key: String, _ section: Section, _ range: ClosedRange<Int>, _ field: Field<Int>, _ summary: String
  ) -> Setting {
    integral(key, section, .integer(range), field, summary)
  }

  static func bytes(
    _ key: String, _ section: Section, _ least: Int, _ most: Int, _ field: Field<Int>, _ summary: String
  ) -> Setting {
    integral(key, section, .bytes(least...most), field, summary)
  }

  static func number(
    _ key: String, _ section: Section, _ range: ClosedRange<Double>, _ field: Field<Double>, _ summary: String
  ) -> Setting {
    fractional(key, section, .number(range), field, summary)
  }

  static func seconds(
    _ key: String, _ section: Section, _ range: ClosedRange<Double>, _ field: Field<Double>, _ summary: String
  ) -> Setting {
    fractional(key, section, .seconds(range), field, summary)
  }

  static func onOff(_ key: String, _ section: Section, _ field: Field<Bool>, _ summary: String) -> Setting {
    Setting(
      key, section, .onOff, summary,
      read: { .flag($0[keyPath: field]) },
      write: { if case .flag(let value) = $1 { $0[keyPath: field] = value } })
  }

  static func path(_ key: String, _ section: Section, _ field: Field<String>, _ summary: String) -> Setting {
    Setting(
      key, section, .path, summary,
      read: { .text($0[keyPath: field]) },
      write: { if case .text(let value) = $1 { $0[keyPath: field] = value } })
  }

  static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
    _ key: String, _ section: Section, _ field: Field<Choice>, _ summary: String
  ) -> Setting {
    Setting(
      key, section, .choice(Choice.allCases.map(\.rawValue)), summary,
      read: { .text($0[keyPath: field].rawValue) },
      write: { if case .text(let name) = $1, let value = Choice(rawValue: name) { $0[keyPath: field] = value } })
  }

  private static func integral(
    _ key: String, _ section: Section, _ kind: ValueKind, _ field: Field<Int>, _ summary: String
  ) -> Setting {
    Setting(
      key, section, kind, summary,
      read: { .integer($0[keyPath: field]) },
      write: { if case .integer(let value) = $1 { $0[keyPath: field] = value } })
  }

  private static func fractional(
    _ key: String, _ section: Section, _ kind: ValueKind, _ field: Field<Double>, _ summary: String
  ) -> Setting {
    Setting(
      key, section, kind, summary,
      read: { .number($0[keyPath: field]) },
      write: { if case .number(let value) = $1 { $0[keyPath: field] = value } })
  }
}
