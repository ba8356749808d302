package enum ClientRunner {
  package static func run(_ invocation: ClientInvocation, environment: [String: String]) -> Int32 { 3 }
}
