import CLModels
import CLServer
import Storage
import Testing

private func task(_ id: Int64, serving: Bool = true) -> TaskRecord {
  TaskRecord(
    id: id, name: "task \(id)", learner: "closed-form", state: .ready, isServing: serving, holdout: nil, settings: nil,
    extendExisting: false, error: nil, rejected: [], createdAt: 0, readyAt: nil)
}

private func measured(_ version: Int64, after: Int64, on task: Int64, _ correct: Int, of total: Int) -> EvaluationRecord
{
  EvaluationRecord(
    versionID: version, afterTaskID: after, taskID: task, counts: Counts(correct: correct, total: total), note: nil)
}

@Test func rowsAreTheLastVersionsAfterEachTask() {
  let history = AccuracyHistory(
    tasks: [task(1), task(2)],
    evaluations: [
      measured(1, after: 1, on: 1, 9, of: 10),
      measured(2, after: 2, on: 1, 7, of: 10), measured(2, after: 2, on: 2, 3, of: 5),
      measured(3, after: 2, on: 1, 8, of: 10), measured(3, after: 2, on: 2, 4, of: 5),
    ], active: 3)
  #expect(history.cells.map { $0.map { $0?.correct } } == [[9], [8, 4]])
}

@Test func aTaskWithoutHeldOutExamplesIsUndefined() {
  let history = AccuracyHistory(tasks: [task(1)], evaluations: [measured(1, after: 1, on: 1, 0, of: 0)], active: 1)
  #expect(history.cells.count == 1)
  #expect(history.cells[0][0] == nil)
}

@Test func aTaskThatDoesNotServeHasNoRow() {
  let history = AccuracyHistory(
    tasks: [task(1), task(2, serving: false)], evaluations: [measured(1, after: 1, on: 1, 1, of: 1)], active: 1)
  #expect(history.tasks.map(\.id) == [1])
}

@Test func theLastRowIsTheVersionThatAnswers() {
  // After the only class of task 2 was removed, version 3 ends with task 1 but answers for both.
  let history = AccuracyHistory(
    tasks: [task(1), task(2)],
    evaluations: [
      measured(2, after: 2, on: 1, 7, of: 10), measured(2, after: 2, on: 2, 3, of: 5),
      measured(3, after: 1, on: 1, 9, of: 10),
    ], active: 3)
  #expect(history.cells[1].map { $0?.correct } == [9, nil])
}
