import CLServer
import JSONTree
import Testing

private func json(_ text: String) -> JSON { JSON.parse(Array(text.utf8)) ?? .null }

@Test func aProblemIsPrintedWithWhatItSays() {
  let body =
    #"{"type":"/problems/x","title":"Too large","status":413,"detail":"The body is too large.","limit":3,"field":"data"}"#
  let error = ClientError.refused(status: 413, problem: ProblemReport(Array(body.utf8)))
  #expect(error.description == "Too large (413)\n  The body is too large.\n  field: data\n  limit: 3")
  #expect(error.exitCode == 1)
  let bare = ClientError.refused(status: 502, problem: ProblemReport(Array("<html>".utf8)))
  #expect(bare.description == "the server refused (502)")
}

@Test(arguments: [
  (
    #"{"label":"apple","confidence":0.9123,"unknown":false,"top":[{"label":"apple","confidence":0.9123}]}"#,
    "f: apple 91.2 %"
  ),
  (
    #"{"label":"a","confidence":1,"top":[{"label":"a","confidence":1},{"label":"b\u001b","confidence":0.0004}]}"#,
    "f: a 100.0 %  (b\\u{1b} 0.0 %)"
  ),
  (#"{"label":"a","confidence":0.5,"unknown":true}"#, "f: unknown (a?) 50.0 %"),
  (#"{"index":1,"error":"not an image"}"#, "f: not an image"),
  (#"{"index":1,"error":{"title":"x","detail":"too small"}}"#, "f: too small"),
  ("{}", "f: no answer"),
])
func aPredictionIsOneLine(_ prediction: String, _ line: String) {
  #expect(AskCommand.line("f", json(prediction), ranking: true) == line)
}

@Test func theRankingIsShownWhereItWasAskedFor() {
  let prediction = json(
    #"{"label":"a","confidence":0.9,"top":[{"label":"a","confidence":0.9},{"label":"b","confidence":0.1}]}"#)
  #expect(AskCommand.line("f", prediction, ranking: false) == "f: a 90.0 %")
  #expect(AskCommand.line("f", prediction, ranking: true) == "f: a 90.0 %  (b 10.0 %)")
}

@Test func theAccuracyReportShowsMatrixAndMeasures() {
  let answer = json(
    """
    {"version":7,"tasks":[{"id":1,"name":"fruit"},{"id":2,"name":"birds"}],"matrix":[[0.95],[0.94,null]],
     "counts":[[20],[20,0]],"average":0.925,"average_incremental":0.937,"forgetting":0.01,"backward_transfer":null,
     "intervals":{"average":[0.85,0.97],"matrix":[[null],[[0.7,0.99],null]]},"notes":{"backward_transfer":"one task"}}
    """)
  #expect(
    AccuracyReport.text(answer) == """
      Accuracy on each task (columns) after each task was taught (rows), n held-out examples:

      AFTER        fruit  birds
      fruit  95.0 % (20)
      birds  94.0 % (20)      -

      After the last task:

      TASK   ACCURACY   N  95 % INTERVAL
      fruit    94.0 %  20  70.0 % to 99.0 %
      birds         -   0  -

      MEASURE                             VALUE  95 % INTERVAL
      average accuracy                   92.5 %  85.0 % to 97.0 %
      average incremental accuracy       93.7 %  -
      forgetting                    +1.0 points  -
      backward transfer                       -  -
      note, backward_transfer: one task
      """)
  #expect(AccuracyReport.text(json(#"{"tasks":[],"matrix":[]}"#)) == "nothing measured yet")
}

@Test func listsAreTables() {
  let tasks = json(
    #"{"tasks":[{"id":1,"name":"fruit","learner":"pop","state":"ready","serving":true,"classes":[{"examples":20},{"examples":5}]}]}"#
  )
  #expect(
    Listings.tasks(tasks) == """
      ID  NAME   LEARNER  STATE  SERVING  CLASSES  EXAMPLES
       1  fruit  pop      ready  yes            2        25
      """)
  let classes = json(#"[{"id":3,"name":"apple","task_id":1,"examples":20,"held_out":5}]"#)
  #expect(
    Listings.classes(classes) == """
      ID  NAME   TASK  EXAMPLES  HELD OUT
       3  apple     1        20         5
      """)
}

@Test func waitingEndsWithTheTask() {
  #expect(!TeachCommand.isOver(json(#"{"state":"embedding","serving":false}"#), .serving))
  #expect(TeachCommand.isOver(json(#"{"state":"training","serving":true}"#), .serving))
  #expect(!TeachCommand.isOver(json(#"{"state":"training","serving":true}"#), .ready))
  #expect(TeachCommand.isOver(json(#"{"state":"failed"}"#), .ready))
}

@Test func queryValuesArePercentEncoded() {
  #expect(APIClient.encoded("früchte & co/1~") == "fr%C3%BCchte%20%26%20co%2F1~")
}

@Test(arguments: ["", "127.0.0.1:8080", "ftp://x", "http://", "http://a b", "file:///etc/passwd"])
func aServerIsAnHTTPAddress(_ server: String) {
  #expect(throws: UsageError.self) { try APIClient(server: server, key: nil) }
}

@Test func aKeyCannotCarryAnotherHeader() {
  #expect(throws: UsageError.self) { try APIClient(server: "http://x", key: "a\r\nX: y") }
}
