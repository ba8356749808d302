import CLModels
import Foundation
import Tensor

/// `benchmarks task-growth`: what a prediction costs with 1, 5, 10, 20 and 50 tasks, one thread: by the closed form (the
/// bare backbone), with prompts, with experts, and with a network of its own a task, as expansion without shared features
/// needs. A round is one call of each; times are medians. Bytes are the numbers a task adds, in single precision, a whole
/// network's as it is loaded.
///
/// Prompts and experts are as they start: what they have learned does not change their cost. With `--json`, `ours` and
/// `peer` are experts and a network a task with the most tasks. Flags: `--backbone DIR`,
/// `--images DIR`; `--rounds N` (default 10); `--tasks N,N`; `--heads K`; `--blocks L`.
func runTaskGrowthBenchmark(arguments: [String], json: Bool) throws {
  func number(_ flag: String, _ usual: Int) -> Int {
    max(1, value(of: flag, in: arguments).flatMap { Int($0) } ?? usual)
  }
  let material = BackboneMaterial(arguments: arguments)
  let backbone = try material.load(.int8, resolution: number("--resolution", 160))
  let images = try material.photographs(4).map { backbone.preprocessing.crop($0) }
  let counts = (value(of: "--tasks", in: arguments) ?? "1,5,10,20,50").split(separator: ",").compactMap { Int($0) }
  let growth = TaskGrowth(backbone, heads: number("--heads", 1), blocks: number("--blocks", 4))
  var lines: [String] = []
  var (ours, peer) = (0.0, 0.0)
  for tasks in counts where tasks > 0 {
    let cost = growth.measure(tasks, images: images, rounds: number("--rounds", 10))
    print("\(tasks) tasks:")
    for entry in cost {
      if entry.name == "dne" { ours = entry.seconds }
      if entry.name == TaskGrowth.peer { peer = entry.seconds }
      print(
        "  \(entry.name): \(formatted(entry.seconds * 1000, 1)) ms a prediction, "
          + "\(formatted(Double(entry.bytes) / 1e6, 2)) MB in all")
      lines.append(
        """
        {"tasks":\(tasks),"learner":"\(entry.name)","seconds":\(entry.seconds),"bytes":\(entry.bytes)}
        """)
    }
  }
  if json {
    print(
      """
      {"name":"task-growth","ours":\(ours),"peer":\(peer),"ratio":\(ours / peer),\
      "unit":"seconds a prediction","threads":1,"results":[\(lines.joined(separator: ","))]}
      """)
  }
}

private struct TaskGrowth {
  struct Cost {
    let name: String
    let seconds: Double
    /// Beside the one backbone that all share.
    let bytes: Int
  }

  static let peer = "a network a task"

  let backbone: VisionTransformer
  let heads: Int
  let blocks: Int

  init(_ backbone: VisionTransformer, heads: Int, blocks: Int) {
    self.backbone = backbone
    self.heads = heads
    self.blocks = blocks
  }

  func measure(_ tasks: Int, images: [RGBImage], rounds: Int) -> [Cost] {
    let (prompts, experts) = (prompts(tasks), experts(tasks))
    let prompted = ExtendedBackbone(backbone, prompts: prompts, experts: nil)
    let expanded = ExtendedBackbone(backbone, prompts: nil, experts: experts)
    var times = [[Double]](repeating: [], count: 4)
    for round in 0...rounds {
      let image = images[round % images.count]
      let calls: [() -> Void] = [
        { _ = backbone.embed([image]) {} },
        { _ = prompted.embed(image) {} },
        { _ = expanded.embed(image) {} },
        { for _ in 0..<tasks { _ = backbone.embed([image]) {} } },
      ]
      for (index, call) in calls.enumerated() {
        let time = seconds(call)
        if round > 0 { times[index].append(time) }
      }
    }
    let numbers = [
      0, prompts.parameters.count, experts.experts.reduce(0) { $0 + $1.parameters.count },
    ]
    // The int8 weights of the blocks: 12 width^2 a block and a byte each.
    let network = backbone.description.blocks * 12 * backbone.description.width * backbone.description.width
    return [
      Cost(name: "closed-form", seconds: median(times[0]), bytes: 0),
      Cost(name: "pop", seconds: median(times[1]), bytes: numbers[1] * 4),
      Cost(name: "dne", seconds: median(times[2]), bytes: numbers[2] * 4),
      Cost(name: Self.peer, seconds: median(times[3]), bytes: tasks * network),
    ]
  }

  private func prompts(_ tasks: Int) -> PromptBank {
    var generator = SeededGenerator(seed: 1)
    func group(_ task: Int) -> PromptBank.Group {
      PromptBank.Group(
        taskID: Int64(task), rows: 1,
        parameters: PromptLayout.start(
          rows: 1, backbone: backbone, isDeep: true, noise: 0.02, generator: &generator), examples: [])
    }
    return PromptBank(isDeep: true, tasks: (1...tasks).map(group), global: group(tasks))
  }

  private func experts(_ tasks: Int) -> ExpertBank {
    var generator = SeededGenerator(seed: 2)
    let experts = (0..<tasks).map { task in
      let shape = ExpertShape(
        heads: heads, blocks: blocks, earlierHeads: task * heads, feature: .correction, backbone: backbone.description)
      return ExpertBank.Expert(
        taskID: Int64(task + 1), heads: heads, feature: .correction,
        parameters: ExpertStart.parameters(shape, generator: &generator),
        examples: [])
    }
    return ExpertBank(blocks: blocks, experts: experts)
  }
}
