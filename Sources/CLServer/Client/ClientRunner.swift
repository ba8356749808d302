import JSONTree

/// Runs client commands and turns their failures into exit codes.
package enum ClientRunner {
  package static func run(
    _ invocation: ClientInvocation, environment: [String: String], output: ClientOutput = .standard
  ) -> Int32 {
    do {
      let server = invocation.server ?? environment["CLSERVER_SERVER"] ?? APIClient.defaultServer
      let client = try APIClient(server: server, key: invocation.key ?? environment["CLSERVER_KEY"])
      return try run(invocation, client, environment, output)
    } catch let error as ClientError {
      output.tell("clserver: \(error)")
      return error.exitCode
    } catch {
      output.tell("clserver: \(error)")
      return Program.ExitCode.usage
    }
  }

  private static func run(
    _ invocation: ClientInvocation, _ client: APIClient, _ environment: [String: String], _ output: ClientOutput
  ) throws(ClientError) -> Int32 {
    let json = invocation.json
    switch invocation.action {
    case .teach(let request):
      let directory = environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
      try TeachCommand(client: client, output: output, json: json, temporaryDirectory: directory).run(request)
    case .ask(let files, let topK):
      return try AskCommand(client: client, output: output, json: json).run(files, topK: topK)
    case .tasks:
      show(try client.send("GET", "/tasks"), json, output, as: Listings.tasks)
    case .classes:
      show(try client.send("GET", "/classes"), json, output, as: Listings.classes)
    case .accuracy:
      show(try client.send("GET", "/accuracy"), json, output, as: AccuracyReport.text)
    case .forget(let path):
      let body = try client.send("DELETE", path)
      if json { output.printRaw(body) } else { output.print("forgotten: \(path.dropFirst())") }
    }
    return Program.ExitCode.success
  }

  private static func show(_ body: [UInt8], _ json: Bool, _ output: ClientOutput, as text: (JSON) -> String) {
    if json { output.printRaw(body) } else { output.print(text(JSON.parse(body) ?? .null)) }
  }
}
