import CLServer
import Glibc
import Testing

/// Runs a client command against `server`; gives the exit code and what it wrote.
private func run(_ arguments: [String], _ server: String) throws -> (code: Int32, out: String, notices: String) {
  guard case .client(let invocation) = try Command.parse(arguments) else { throw UsageError("no client command") }
  let out = WaitableLock("")
  let notices = WaitableLock("")
  let output = ClientOutput(
    result: { text in out.withLock { $0 += text } }, notice: { text in notices.withLock { $0 += text } },
    isTerminal: false)
  let code = ClientRunner.run(
    invocation, environment: ["CLSERVER_SERVER": server, "CLSERVER_KEY": "k1"], output: output)
  return (code, out.withLock { $0 }, notices.withLock { $0 })
}

@Test func teachingSendsTheFolderAndFollowsTheTask() throws {
  let folder = try Folder(["apple/1.jpg": "one", "pear/2.jpg": "two"])
  let server = try StubServer { request, number in
    switch (request.line.split(separator: " ").prefix(2).joined(separator: " "), number) {
    case ("POST /tasks?name=fruit%20salad&holdout=0.25&extend=true", _): (202, #"{"id":3,"state":"accepted"}"#)
    case ("GET /tasks/3", 2):
      (200, #"{"id":3,"state":"embedding","progress":{"phase":"embedding","done":1,"total":2,"seconds_left":4}}"#)
    case ("GET /tasks/3", _):
      (
        200,
        """
        {"id":3,"state":"ready","serving":true,"classes":[{"examples":2,"held_out":1}],
         "rejected":[{"index":1,"name":"2.jpg","reason":"truncated"}]}
        """
      )
    case ("GET /accuracy", _):
      (200, #"{"tasks":[{"id":3,"name":"f"}],"matrix":[[0.5]],"counts":[[2]],"average":0.5}"#)
    default: (404, "{}")
    }
  }
  let arguments = ["teach", "fruit salad", folder.path, "--holdout", "0.25", "--extend"]
  let result = try run(arguments, server.url + "/")
  #expect(result.code == 0)
  #expect(
    result.out == """
      task 3 answers: 1 classes, 2 examples, 1 held out
      accuracy: 50.0 % on 2 held-out examples, 50.0 % on average over all tasks

      """)
  #expect(result.notices.contains("2 files in 2 classes, "))
  #expect(result.notices.contains("embedding: 50 %, 4 s left\n"))
  #expect(result.notices.contains("rejected 2.jpg: truncated\n"))
  let post = try #require(server.requests.first)
  #expect(post.header("content-type") == "application/x-tar")
  #expect(post.header("authorization") == "Bearer k1")
  #expect(post.header("idempotency-key")?.count == 32)
  #expect(post.body.hasPrefix("apple/1.jpg\0"))
}

@Test func aBrokenUploadIsRepeatedUnderItsKey() throws {
  let folder = try Folder(["apple/1.jpg": "one"])
  let server = try StubServer { _, number in number < 3 ? nil : (202, #"{"id":1}"#) }
  let result = try run(["teach", "t", folder.path, "--no-wait"], server.url)
  #expect(result.code == 0)
  #expect(result.out == "task 1 accepted\n")
  let keys = server.requests.map { $0.header("idempotency-key") }
  #expect(keys.count == 3 && Set(keys).count == 1)
  #expect(Set(server.requests.map(\.body)).count == 1)
}

@Test func aFailedTaskIsAnError() throws {
  let folder = try Folder(["apple/1.jpg": "one"])
  let server = try StubServer { _, _ in (200, #"{"id":1,"state":"failed","error":"no usable example"}"#) }
  let result = try run(["teach", "t", folder.path], server.url)
  #expect(result.code == 1)
  #expect(result.notices.hasSuffix("clserver: task 1 failed: no usable example\n"))
}

@Test func oneFileIsSentAsItIsAndSeveralAsParts() throws {
  let folder = try Folder(["a": "first", "b": "second"])
  let server = try StubServer { _, number in
    number == 1
      ? (200, #"{"label":"x","confidence":0.5}"#)
      : (200, #"{"predictions":[{"label":"x","confidence":0.5},{"index":1,"error":"broken"}]}"#)
  }
  let files = ["\(folder.path)/a", "\(folder.path)/b"]
  let one = try run(["ask", files[0], "--top-k", "2"], server.url)
  #expect(one.code == 0)
  #expect(one.out == "\(files[0]): x 50.0 %\n")
  let two = try run(["ask"] + files, server.url)
  #expect(two.code == 1)
  #expect(two.out == "\(files[0]): x 50.0 %\n\(files[1]): broken\n")
  let requests = server.requests
  #expect(requests[0].line == "POST /predict?top_k=2 HTTP/1.1")
  #expect(requests[0].body == "first")
  #expect(requests[1].header("content-type")?.hasPrefix("multipart/form-data; boundary=") == true)
  #expect(requests[1].body.contains("filename=\"a\"") && requests[1].body.contains("\r\n\r\nsecond\r\n"))
}

@Test func jsonIsPassedThrough() throws {
  let server = try StubServer { _, _ in (200, #"{"odd" : [1,2]}"#) }
  for command in [["tasks"], ["classes"], ["accuracy"], ["forget", "task", "4"]] {
    #expect(try run(command + ["--json"], server.url).out == "{\"odd\" : [1,2]}\n")
  }
  #expect(server.requests.last?.line == "DELETE /tasks/4 HTTP/1.1")
}

@Test func forgettingHasNoAnswerToPrint() throws {
  let server = try StubServer { _, _ in (204, "") }
  #expect(try run(["forget", "class", "4"], server.url).out == "forgotten: classes/4\n")
  #expect(try run(["forget", "class", "4", "--json"], server.url).out == "")
}

@Test func aRefusalIsExplainedAndExitsWithOne() throws {
  let server = try StubServer { _, _ in (409, #"{"title":"Class exists","detail":"apple is there","field":"label"}"#) }
  let result = try run(["forget", "class", "1"], server.url)
  #expect(result.code == 1)
  #expect(result.notices == "clserver: Class exists (409)\n  apple is there\n  field: label\n")
}

@Test func aServerThatIsNotThereExitsWithThree() throws {
  let result = try run(["tasks"], "http://127.0.0.1:1")
  #expect(result.code == 3)
  #expect(result.notices.hasPrefix("clserver: cannot reach the server at http://127.0.0.1:1: "))
}

@Test func aFileThatIsNotThereExitsWithTwo() throws {
  let result = try run(["ask", "/nonexistent"], "http://127.0.0.1:1")
  #expect(result.code == 2)
  #expect(result.notices == "clserver: /nonexistent: No such file or directory\n")
}
