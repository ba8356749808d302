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
    let hasParameters: Bool
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
    let isRoot = segments == [.literal([])]
    let new = Pattern(
      text: pattern, segments: isRoot ? [] : segments, hasParameters: segments.contains { $0.rank == 1 },
      routes: [route])
    let place = patterns.firstIndex { new.segments.map(\.rank).lexicographicallyPrecedes($0.segments.map(\.rank)) }
    patterns.insert(new, at: place ?? patterns.endIndex)
  }

  /// Decides about a request by its head.
  func route(_ head: HTTPRequestHead, remoteAddress: String) -> Routing {
    guard head.method.isKnown || patterns.contains(where: { $0.routes.contains { $0.method == head.method } }) else {
      return Routing(decision: .refuse(HTTPProblems.methodNotImplemented))
    }
    if head.requestTarget.isAsterisk {
      let allow = Self.allow(patterns.flatMap(\.routes))
      return Routing(decision: .answer(HTTPResponse(status: 204, headers: ["Allow": allow])))
    }
    let target = head.requestTarget
    guard let pattern = patterns.first(where: { Self.matches($0, target) }) else {
      return Routing(decision: .refuse(HTTPProblems.notFound(path: head.path)))
    }
    var routing = Routing(decision: .answer(HTTPResponse(status: 204)), pattern: pattern.text)
    guard let route = Self.route(for: head.method, in: pattern.routes) else {
      routing.decision =
        head.method == .options
        ? .answer(HTTPResponse(status: 204, headers: ["Allow": pattern.allow]))
        : .refuse(HTTPProblems.methodNotAllowed(head.method, allow: pattern.allow))
      return routing
    }
    if let problem = authorize?(head, route, remoteAddress) {
      routing.decision = .refuse(problem)
    } else {
      routing.decision = .handle(route)
      if pattern.hasParameters { routing.parameters = Self.parameters(pattern, target) }
    }
    return routing
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

  /// Walks the path and the pattern together, without taking the path apart.
  private static func matches(_ pattern: Pattern, _ target: RequestTarget) -> Bool {
    let bytes = target.bytes
    let end = target.pathRange.upperBound
    var start = target.pathRange.lowerBound + 1
    if start == end { return pattern.segments.isEmpty }
    for segment in pattern.segments {
      guard start <= end else { return false }
      let stop = bytes[start..<end].firstIndex(of: UInt8(ascii: "/")) ?? end
      switch segment {
      case .literal(let literal): guard equals(literal, bytes[start..<stop]) else { return false }
      case .parameter: if start == stop { return false }
      }
      start = stop + 1
    }
    return start == end + 1
  }

  private static func equals(_ literal: [UInt8], _ bytes: ArraySlice<UInt8>) -> Bool {
    if literal.count == bytes.count, literal.elementsEqual(bytes) { return true }
    guard bytes.count > literal.count, bytes.contains(UInt8(ascii: "%")) else { return false }
    return PercentCoding.decodedBytes(bytes, plusIsSpace: false) == literal
  }

  private static func parameters(_ pattern: Pattern, _ target: RequestTarget) -> [String: String] {
    var parameters: [String: String] = [:]
    for (segment, range) in zip(pattern.segments, target.segmentRanges) {
      if case .parameter(let name) = segment {
        parameters[name] = PercentCoding.decode(target.bytes[range], plusIsSpace: false)
      }
    }
    return parameters
  }
}
