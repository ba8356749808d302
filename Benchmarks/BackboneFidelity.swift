import CLModels
import Foundation
import Synchronization
import Tensor

/// `benchmarks backbone-fidelity`: how far our features are from references, as cosines on real photographs.
///
/// - float: ours in float against tools/reference_clip.py, the weights multiplied out in numpy;
/// - int8: ours with int8 products against ours in float;
/// - int8_avx2: ours with int8 products against the same with AVX2, as on a machine that has no more: what attention in
///   bfloat16 changes;
/// - onnxruntime: ours with int8 products against the shipped file (224 px only: its positions are fixed), with exact
///   arithmetic, and as it comes: without VNNI its products saturate and its features are wrong.
///
/// Flags: those of `BackboneMaterial`; `--count N` photographs (default 100), `--resolution PX` (default 224).
func runBackboneFidelity(arguments: [String], json: Bool) throws {
  let material = BackboneMaterial(arguments: arguments)
  let count = value(of: "--count", in: arguments).flatMap { Int($0) } ?? 100
  let resolution = value(of: "--resolution", in: arguments).flatMap { Int($0) } ?? 224
  let quantized = try material.load(.int8, resolution: resolution)
  let images = try material.photographs(count).map { quantized.preprocessing.crop($0) }
  let pool = ComputePool(workers: 2)
  defer { pool.shutdown() }
  let features = embed(images, by: quantized, on: pool)
  let exact = embed(images, by: try material.load(.float, resolution: resolution), on: pool)

  let scratch = try ScratchDirectory()
  let pixels = try scratch.write(images.flatMap { quantized.preprocessing.normalize($0) }, to: "pixels.f32")
  let reference = scratch.url.appending(path: "reference.f32")
  let process = try Process.run(
    material.python,
    arguments: ["tools/reference_clip.py", material.directory.path, pixels.path, "\(resolution)", reference.path])
  process.waitUntilExit()
  guard process.terminationStatus == 0 else { throw BenchmarkError("tools/reference_clip.py failed") }

  var comparisons = [
    ("float", cosines(exact, try ScratchDirectory.floats(reference))),
    ("int8", cosines(features, exact.storage)),
  ]
  if quantized.description.instructionSet != .avx2, InstructionSet.avx2.isSupported {
    let other = embed(
      images, by: try material.load(.int8, resolution: resolution, instructionSet: .avx2), on: pool)
    comparisons.append(("int8_avx2", cosines(features, other.storage)))
  }
  if resolution == 224 {
    let peer = try Peer(
      material.python, ["Benchmarks/Peers/onnxruntime_backbone.py", material.onnx.path, pixels.path, "224"])
    for (name, precise) in [("onnxruntime", 1), ("onnxruntime_as_it_comes", 0)] {
      let theirs = scratch.url.appending(path: "\(name).f32")
      _ = try peer.ask("features \(theirs.path) \(precise)")
      comparisons.append((name, cosines(features, try ScratchDirectory.floats(theirs))))
    }
  }
  var fields = ["\"name\":\"backbone-fidelity\"", "\"photographs\":\(count)", "\"resolution\":\(resolution)"]
  for (name, values) in comparisons {
    let mean = values.reduce(0, +) / Double(values.count)
    let least = values.min() ?? 0
    print("\(name) at \(resolution) px, \(count) photographs: mean \(formatted(mean, 6)), least \(formatted(least, 6))")
    fields.append("\"\(name)\":{\"mean\":\(mean),\"least\":\(least)}")
  }
  if json { print("{\(fields.joined(separator: ","))}") }
}

/// One image a closure, on every worker.
private func embed(_ images: [RGBImage], by backbone: VisionTransformer, on pool: ComputePool) -> Matrix<Float> {
  let rows = Mutex([[Float]](repeating: [], count: images.count))
  pool.forEach(images.count, priority: .background) { index in
    let feature = backbone.embed([images[index]]) {}.storage
    rows.withLock { $0[index] = feature }
  }
  return Matrix(rows.withLock { $0 })
}

/// Row by row, of features of length 1.
private func cosines(_ features: Matrix<Float>, _ other: [Float]) -> [Double] {
  (0..<features.rows).map { row in
    zip(features.row(row), other[row * features.columns..<(row + 1) * features.columns])
      .reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }
}
