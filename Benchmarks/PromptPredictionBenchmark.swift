import CLModels
import Foundation
import Tensor

/// `benchmarks pop-prediction`: one image through the bare backbone and through the backbone with prompts, t task groups of
/// one row and a global one, one thread. A round is one call of each; ratios are medians of those to the bare call right
/// before. The least times are printed too: a busy machine moves them less.
///
/// Flags: `--backbone DIR`, `--images DIR`; `--rounds N` (default 30); `--tasks N,N`; `--resolutions N,N`.
func runPromptPredictionBenchmark(arguments: [String], json: Bool) throws {
  func numbers(_ flag: String, _ usual: String) -> [Int] {
    (value(of: flag, in: arguments) ?? usual).split(separator: ",").compactMap { Int($0) }.filter { $0 > 0 }
  }
  let material = BackboneMaterial(arguments: arguments)
  let rounds = max(1, value(of: "--rounds", in: arguments).flatMap { Int($0) } ?? 30)
  let photographs = try material.photographs(8)
  var lines: [String] = []
  for resolution in numbers("--resolutions", "160,224") {
    let backbone = try material.load(.int8, resolution: resolution)
    let images = photographs.map { backbone.preprocessing.crop($0) }
    for result in numbers("--tasks", "1,5,10,20,50").map({ PromptPrediction(backbone, tasks: $0) }).measured(
      images, backbone: backbone, rounds: rounds)
    {
      let goal = [10: 1.3, 50: 2.0][result.tasks]
      print(
        "\(resolution) px, \(result.tasks) tasks: \(formatted(median(result.prompted) * 1000, 1)) ms, the backbone alone "
          + "\(formatted(median(result.bare) * 1000, 1)) ms, ratio \(formatted(result.ratio, 3))"
          + (goal.map { " (goal: at most \($0))" } ?? "")
          + "; least \(formatted(result.leastPrompted * 1000, 1)) ms and "
          + "\(formatted(result.leastBare * 1000, 1)) ms, ratio \(formatted(result.leastPrompted / result.leastBare, 3))"
      )
      lines.append(
        """
        {"resolution":\(resolution),"tasks":\(result.tasks),"ours":\(median(result.prompted)),\
        "backbone":\(median(result.bare)),"ratio":\(result.ratio),\
        "ratio_of_least":\(result.leastPrompted / result.leastBare)}
        """)
    }
  }
  if json {
    print(
      """
      {"name":"pop-prediction","unit":"seconds an image","threads":1,"rounds":\(rounds),\
      "results":[\(lines.joined(separator: ","))]}
      """)
  }
}

/// A backbone with some number of tasks' prompts, and how long its calls took.
private struct PromptPrediction {
  let tasks: Int
  let prompted: PromptedBackbone
  var times: [Double] = []
  /// Of the backbone alone, right before.
  var bareTimes: [Double] = []

  init(_ backbone: VisionTransformer, tasks: Int) {
    self.tasks = tasks
    var generator = SeededGenerator(seed: UInt64(tasks))
    let groups =
      (0..<tasks).map { _ in PromptLayout.Group(rows: 1, readsTasks: false) } + [.init(rows: 1, readsTasks: true)]
    let parameters = groups.flatMap { group in
      PromptLayout.start(
        rows: group.rows, backbone: backbone, isDeep: true, noise: 0.02, generator: &generator)
    }
    prompted = PromptedBackbone(
      backbone, layout: PromptLayout(groups: groups, isDeep: true), parameters: parameters)
  }
}

extension [PromptPrediction] {
  fileprivate struct Result {
    let tasks: Int
    let prompted: [Double]
    let bare: [Double]

    var ratio: Double { median(zip(prompted, bare).map { $0 / $1 }) }
    var leastPrompted: Double { prompted.min() ?? 0 }
    var leastBare: Double { bare.min() ?? 0 }
  }

  /// Taking turns; the first round warms up.
  fileprivate func measured(_ images: [RGBImage], backbone: VisionTransformer, rounds: Int) -> [Result] {
    var runs = self
    for round in 0...rounds {
      let image = [images[round % images.count]]
      for index in runs.indices {
        let bare = seconds { _ = backbone.embed(image) {} }
        let prompted = seconds { _ = runs[index].prompted.embed(image) {} }
        guard round > 0 else { continue }
        runs[index].bareTimes.append(bare)
        runs[index].times.append(prompted)
      }
    }
    return runs.map { Result(tasks: $0.tasks, prompted: $0.times, bare: $0.bareTimes) }
  }
}
