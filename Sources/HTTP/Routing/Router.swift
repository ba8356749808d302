/// Finds the route of a request. Built once, then shared by all reactors as a value.
///
/// HEAD is answered by the GET route without its body, OPTIONS with the methods of the path, `OPTIONS *` with all
/// methods in use. A path that exists with other methods is 405, an unknown method 501, anything else 404.
package struct Router: Sendable {
  /// Refuses a request by its head, before its body is read: nil accepts. Called on a reactor thread once a route has
  /// been found; it must return at once.
  package typealias Authorization = @Sendable (HTTPRequestHead, Route, _ remoteAddress: String) -> Problem?

  /// The hook that every routed request passes, OPTIONS excepted.
  package var authorize: Authorization?

  private var patterns: [Pattern] = []

  package init() {}

  private struct Pattern: Sendable {
    let text: String
    let segments: [Segment]
    var routes: [Route]

    /// `GET, HEAD, OPTIONS`: the value of Allow.
    var allow: String { Router.allow(routes) }
  }

  private enum Segment: Sendable, Equatable {
    case literal([UInt8])
    case parameter(String)

    /// A literal is tried before a parameter at the same place.
    var rank: Int { if case .literal = self { 0 } else { 1 } }
  }

  /// Registers a handler. A placeholder `{name}` stands for one non-empty segment; what it matched is in
  /// `HTTPRequest.parameters`, decoded. A literal segment wins over a placeholder. Registering twice replaces.
  /// - Parameters:
  ///   - bodyLimit: the longest body in bytes; 0 accepts none.
  ///   - bodyLimitSetting: the setting that the 413 problem names.
  package mutating func on(
    _ method: HTTPMethod, _ pattern: String, bodyLimit: Int = 0, bodyLimitSetting: String = "body_limit",
    _ handler: @escaping Handler
  ) {
    let route = Route(
      method: method, pattern: pattern, bodyLimit: bodyLimit, bodyLimitSetting: bodyLimitSetting, handler: handler)
    if let index = patterns.firstIndex(where: { $0.text == pattern }) {
      patterns[index].routes.removeAll { $0.method == method }
      patterns[index].routes.append(route)
      return
    }
    let segments = pattern.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { part -> Segment in
      part.hasPrefix("{") && part.hasSuffix("}")
        ? .parameter(String(part.dropFirst().dropLast())) : .literal(Array(part.utf8))
    }
    let new = Pattern(text: pattern, segments: segments == [.literal([])] ? [] : segments, routes: [route])
    let place = patterns.firstIndex { new.segments.map(\.rank).lexicographicallyPrecedes($0.segments.map(\.rank)) }
    patterns.insert(new, at: place ?? patterns.endIndex)
  }

  /// Decides about a request by its head.
  func route(_ head: HTTPRequestHead, remoteAddress: String) -> Routing {
    guard head.method.isKnown || patterns.contains(where: { $0.routes.contains { $0.method == head.method } }) else {
      return .refused(HTTPProblems.methodNotImplemented, pattern: nil)
    }
    if head.requestTarget.isAsterisk {
      return .answer(HTTPResponse(status: 204, headers: ["Allow": Self.allow(patterns.flatMap(\.routes))]), pattern: nil)
    }
    let ranges = head.requestTarget.segmentRanges
    guard let pattern = patterns.first(where: { matches($0, ranges, head.requestTarget.bytes) }) else {
      return .refused(HTTPProblems.notFound(path: head.path), pattern: nil)
    }
    guard let route = Self.route(for: head.method, in: pattern.routes) else {
      if head.method == .options {
        return .answer(HTTPResponse(status: 204, headers: ["Allow": pattern.allow]), pattern: pattern.text)
      }
      return .refused(HTTPProblems.methodNotAllowed(head.method, allow: pattern.allow), pattern: pattern.text)
    }
    if let problem = authorize?(head, route, remoteAddress) { return .refused(problem, pattern: pattern.text) }
    return .matched(route, parameters: parameters(pattern, ranges, head.requestTarget.bytes))
  }

  private static func route(for method: HTTPMethod, in routes: [Route]) -> Route? {
    routes.first { $0.method == method }
      ?? (method == .head ? routes.first { $0.method == .get } : nil)
  }

  private static func allow(_ routes: [Route]) -> String {
    var methods = Set(routes.map(\.method.rawValue))
    if methods.contains("GET") { methods.insert("HEAD") }
    methods.insert("OPTIONS")
    return methods.sorted().joined(separator: ", ")
  }

  private func matches(_ pattern: Pattern, _ ranges: [Range<Int>], _ bytes: [UInt8]) -> Bool {
    guard pattern.segments.count == ranges.count else { return false }
    for (segment, range) in zip(pattern.segments, ranges) {
      switch segment {
      case .literal(let literal): guard equals(literal, bytes[range]) else { return false }
      case .parameter: if range.isEmpty { return false }
      }
    }
    return true
  }

  private func equals(_ literal: [UInt8], _ bytes: ArraySlice<UInt8>) -> Bool {
    if literal.elementsEqual(bytes) { return true }
    guard bytes.contains(UInt8(ascii: "%")) else { return false }
    return PercentCoding.decodedBytes(bytes, plusIsSpace: false) == literal
  }

  private func parameters(_ pattern: Pattern, _ ranges: [Range<Int>], _ bytes: [UInt8]) -> [String: String] {
    var parameters: [String: String] = [:]
    for (segment, range) in zip(pattern.segments, ranges) {
      if case .parameter(let name) = segment {
        parameters[name] = PercentCoding.decode(bytes[range], plusIsSpace: false)
      }
    }
    return parameters
  }
}
