import CLModels
import Foundation
import Tensor

/// `benchmarks dne`: an expert beside the backbone, one thread: what an image pays on its way to a prediction (the
/// backbone with and without keeping what experts read, then the expert), and a step of training as it is taken: a
/// forward pass for the loss, and another with the way back.
///
/// Flags: `--backbone DIR`, `--images DIR`; `--resolution N` (160); `--heads N` (1); `--blocks N` (4); `--earlier N`
/// experts of one head (0); `--batch N` images of a pass of training (as training has them); `--rounds N` (default 30).
func runExpertBenchmark(arguments: [String], json: Bool) throws {
  func number(_ flag: String, _ usual: Int) -> Int {
    value(of: flag, in: arguments).flatMap { Int($0) } ?? usual
  }
  let material = BackboneMaterial(arguments: arguments)
  let backbone = try material.load(.int8, resolution: number("--resolution", 160))
  let images = try material.photographs(8).map { backbone.preprocessing.crop($0) }
  let rounds = max(1, number("--rounds", 30))
  let (blocks, earlier) = (number("--blocks", 4), number("--earlier", 0))
  var generator = SeededGenerator(seed: 1)
  func expert(heads: Int, earlier: Int) -> (shape: ExpertShape, parameters: ExpertParameters) {
    let shape = ExpertShape(
      heads: heads, blocks: blocks, earlierHeads: earlier, feature: .correction, backbone: backbone.description)
    return (shape, ExpertParameters(shape, ExpertStart.parameters(shape, generator: &generator)))
  }
  let (shape, parameters) = expert(heads: number("--heads", 1), earlier: earlier)
  let old = expert(heads: 1, earlier: 0)
  let frozen = images.map { backbone.freezeHeads($0, blocks: blocks) {}.heads }
  let slices = frozen.map { heads -> [ExpertSlices] in
    let pass = ExpertPass(backbone, shape: old.shape)
    _ = pass.forward(old.parameters, heads) {}
    return (0..<earlier).map { _ in pass.slices() }
  }
  let serving = ExpertPass(backbone, shape: shape)
  let training = ExpertPass(backbone, shape: shape)
  let batch = max(1, number("--batch", training.usualImages))
  var sums = ExpertGradient(shape)
  let gradient = Matrix<Float>(rows: batch, columns: shape.featureWidth, repeating: 0.01)
  let room = FrozenHeads(shape: backbone.frozenHeadsShape(blocks: blocks))
  let calls: [(name: String, images: Int, run: (Int) -> Void)] = [
    ("backbone", 1, { _ = backbone.embed([images[$0]]) {} }),
    ("backbone_keeping_heads", 1, { _ = backbone.embed(images[$0], filling: room) {} }),
    ("expert", 1, { _ = serving.forward(parameters, frozen[$0], earlier: slices[$0]) {} }),
    (
      "expert_and_slices", 1,
      {
        _ = serving.forward(parameters, frozen[$0], earlier: slices[$0]) {}
        _ = serving.slices()
      }
    ),
    (
      "training", batch,
      {
        let sources = ($0..<$0 + batch).map { index in
          ExpertSource(heads: frozen[index % frozen.count], earlier: slices[index % frozen.count])
        }
        _ = training.forward(parameters, sources) {}
        _ = training.forward(parameters, sources, keepsRecord: true) {}
        training.backward(gradient, adding: &sums) {}
      }
    ),
  ]
  var times = calls.map { _ in [Double]() }
  for round in 0...rounds {
    for (index, call) in calls.enumerated() {
      let time = seconds { call.run(round % images.count) } / Double(call.images)
      if round > 0 { times[index].append(time) }
    }
  }
  print(
    "\(shape.heads) heads, \(blocks) blocks, \(earlier) earlier experts: \(shape.parameterCount) parameters, "
      + "\(frozen[0].shape.byteCount) bytes of heads and \(shape.slices.byteCount) of slices an image")
  for (call, times) in zip(calls, times) {
    print(
      "\(call.name): \(formatted(median(times) * 1000, 2)) ms, least \(formatted((times.min() ?? 0) * 1000, 2)) ms, "
        + "\(formatted(1 / median(times), 0)) images/s")
  }
  if json {
    let bare = median(times[0])
    let ours = median(times[1]) + median(times[2])
    let results = zip(calls, times).map { #""\#($0.name)":\#(median($1)),"least_\#($0.name)":\#($1.min() ?? 0)"# }
    print(
      """
      {"name":"dne","ours":\(ours),"peer":\(bare),"ratio":\(ours / bare),\
      "unit":"seconds an image","threads":1,"rounds":\(rounds),"heads":\(shape.heads),\
      "blocks":\(blocks),"earlier":\(earlier),"parameters":\(shape.parameterCount),\
      "bytes_of_heads":\(frozen[0].shape.byteCount),"bytes_of_slices":\(shape.slices.byteCount),\
      \(results.joined(separator: ","))}
      """)
  }
}
