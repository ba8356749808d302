import CLModels
import Foundation
import Tensor

/// `benchmarks closed-form`: fitting our ridges, the search for lambda included, and scikit-learn's on the same examples
/// (55 classes, 512 numbers a feature), taking turns in one run. Medians of wall time; both may use two threads.
///
/// Flags: `--python FILE` (or CLSERVER_PYTHON): a Python with numpy and scikit-learn; `--rounds N` (default 3);
/// `--rows N,N` (default 500,2750).
func runClosedFormBenchmark(arguments: [String], json: Bool) throws {
  let environment = ProcessInfo.processInfo.environment
  let python = URL(
    filePath: value(of: "--python", in: arguments) ?? environment["CLSERVER_PYTHON"] ?? "/usr/bin/python3")
  let rounds = max(1, value(of: "--rounds", in: arguments).flatMap { Int($0) } ?? 3)
  let sizes = (value(of: "--rows", in: arguments) ?? "500,2750").split(separator: ",").compactMap { Int($0) }
  guard let largest = sizes.max(), (sizes.min() ?? 0) > 0 else { throw BenchmarkError("--rows needs numbers") }
  let classes = 55
  let width = 512
  let defaults = ClosedFormOptions()

  let features = clusters(rows: largest, classes: classes, width: width)
  let scratch = try ScratchDirectory()
  let file = try scratch.write(features.storage, to: "features.f32")
  let peer = try Peer(
    python, ["Benchmarks/Peers/scikit_closed_form.py", file.path, "\(width)", "\(classes)"])
  let pool = ComputePool(workers: 2)
  defer { pool.shutdown() }

  var results: [String] = []
  var last = (ours: 0.0, peer: 0.0)
  for rows in sizes {
    let data = LabelledFeatures(
      features: features.selectingRows(0..<rows), labels: (0..<rows).map { $0 % classes }, classCount: classes)
    for method in [ClosedFormMethod.randomFeatures, .kernelRidge] {
      var ours: [Double] = []
      var theirs: [Double] = []
      var fitted: FittedHead?
      var answer: [Substring] = []
      for _ in 0..<rounds {
        try ours.append(
          seconds { fitted = try ClosedForm.fit(data, options: ClosedFormOptions(method: method), pool: pool) })
        let request = method == .kernelRidge ? "kernel \(rows)" : "random \(rows) \(defaults.randomFeatureCount)"
        let line = try peer.ask(request)
        answer = line.split(separator: " ")
        guard let seconds = answer.first.flatMap({ Double($0) }) else {
          throw BenchmarkError("the peer answered \(line)")
        }
        theirs.append(seconds)
      }
      guard let fitted, let scores = fitted.leaveOneOutScores else { throw BenchmarkError("nothing was fitted") }
      let correct = data.labels.indices.count { scores.columnOfLargest(inRow: $0) == data.labels[$0] }
      let accuracy = Double(correct) / Double(rows)
      last = (median(ours), median(theirs))
      let one = data.features.selectingRows([0])
      let predict = (0..<50).map { _ in seconds { _ = fitted.head.scores(one) } }
      print(
        "\(method.rawValue), \(rows) examples: ours \(formatted(last.ours, 3)) s (lambda \(fitted.lambda ?? 0), "
          + "leave-one-out \(formatted(accuracy, 3))), scikit-learn \(formatted(last.peer, 3)) s, ratio "
          + "\(formatted(last.ours / last.peer, 3)); one prediction \(formatted(median(predict) * 1000, 3)) ms")
      results.append(
        """
        {"method":"\(method.rawValue)","examples":\(rows),"ours":\(last.ours),"peer":\(last.peer),\
        "ratio":\(last.ours / last.peer),"leave_one_out":\(accuracy),"predict_seconds":\(median(predict))}
        """)
    }
  }
  if json {
    print(
      """
      {"name":"closed-form","ours":\(last.ours),"peer":\(last.peer),"ratio":\(last.ours / last.peer),\
      "unit":"seconds to fit","classes":\(classes),"width":\(width),"rounds":\(rounds),\
      "results":[\(results.joined(separator: ","))]}
      """)
  }
}

/// Unit-length rows around random centres, class after class in turn.
private func clusters(rows: Int, classes: Int, width: Int) -> Matrix<Float> {
  var generator = SeededGenerator(seed: 1)
  let centres = (0..<classes * width).map { _ in generator.nextGaussian() }
  let storage = (0..<rows * width).map { index in
    Float(centres[index / width % classes * width + index % width] + 5 * generator.nextGaussian())
  }
  return Matrix(rows: rows, columns: width, storage: storage).rowsOfUnitLength()
}
