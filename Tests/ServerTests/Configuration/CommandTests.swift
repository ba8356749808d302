import CLServer
import Testing

private func parsed(_ arguments: String...) -> Result<Command, UsageError> {
  Result { () throws(UsageError) in try Command.parse(arguments) }
}

private func client(_ arguments: [String]) -> ClientInvocation? {
  guard case .client(let invocation)? = try? Command.parse(arguments) else { return nil }
  return invocation
}

@Test func serveKeepsItsFlagsForTheConfiguration() {
  #expect(parsed("serve", "--threads", "2") == .success(.serve(["--threads", "2"])))
  #expect(parsed("config", "--describe") == .success(.describe))
  #expect(parsed("config", "--threads=2") == .success(.configuration(["--threads=2"])))
  #expect(parsed("--version") == .success(.version))
}

@Test func teachTakesItsOptionsInAnyOrder() throws {
  let arguments = [
    "teach", "--learner=pop", "fruit", "--holdout", "0", "dir", "--extend", "--until", "serving", "--json",
  ]
  let invocation = try #require(client(arguments))
  guard case .teach(let request) = invocation.action else {
    Issue.record("not teach")
    return
  }
  #expect(request.name == "fruit")
  #expect(request.directory == "dir")
  #expect(request.learner == "pop")
  #expect(request.holdout == 0)
  #expect(request.extend)
  #expect(request.wait == .serving)
  #expect(invocation.json)
}

@Test func whatFollowsTwoDashesIsAFile() throws {
  #expect(client(["ask", "--top-k", "3", "--", "--json"])?.action == .ask(files: ["--json"], topK: 3))
  #expect(client(["forget", "class", "12"])?.action == .forget(path: "/classes/12"))
}

@Test(arguments: [
  (["tech"], "unknown command `tech`; did you mean `teach`?"),
  (["frobnicate"], "unknown command `frobnicate`; `clserver --help` lists them"),
  (["teach", "name"], "teach takes NAME DIR; `clserver teach --help`"),
  (["tasks", "more"], "tasks takes no operands; `clserver tasks --help`"),
  (["ask", "x", "--top_k", "3"], "ask: unknown option `--top_k`; did you mean `--top-k`?"),
  (["ask", "x", "--top-k"], "--top-k needs a value"),
  (["ask", "x", "--top-k", "0"], "--top-k must be a whole number from 1 to 10000"),
  (["tasks", "--json=yes"], "--json takes no value"),
  (["teach", "n", "d", "--learner", "magic"], "--learner must be closed-form, pop or dne"),
  (["teach", "n", "d", "--holdout", "1"], "--holdout must be a number from 0 to 0.9"),
  (["teach", "n", "d", "--until", "none"], "--until must be serving or ready"),
  (["forget", "thing", "1"], "forget takes `task` or `class` and its id"),
  (
    ["forget", "task", "x"], "forget: the id must be a whole number; `clserver tasks` and `clserver classes` list them"
  ),
])
func aWrongCommandLineIsRefusedWithTheReason(_ arguments: [String], _ message: String) {
  #expect(throws: UsageError(message)) { try Command.parse(arguments) }
}

@Test func everyCommandHasHelp() throws {
  for specification in CommandSpecification.all {
    guard case .help(let text) = try Command.parse([specification.name, "--help"]) else {
      Issue.record("no help for \(specification.name)")
      continue
    }
    #expect(specification.options.allSatisfy { text.contains($0.flag) && text.contains($0.help) })
    #expect(Command.overview.contains("  \(specification.name) "))
  }
}
