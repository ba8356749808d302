import CLModels
import Foundation
import Tensor

/// `benchmarks backbone`: our int8 backbone and onnxruntime on the shipped int8 file, the same images, threads and
/// resolution, taking turns in one run. Medians. onnxruntime runs as it comes, which is what the ratio is against, and
/// with exact arithmetic: without VNNI the former's products saturate, so that its features are wrong (see the peer).
///
/// Flags: those of `BackboneMaterial`; `--rounds N` (default 15).
func runBackboneBenchmark(arguments: [String], json: Bool) throws {
  let material = BackboneMaterial(arguments: arguments)
  let rounds = max(3, value(of: "--rounds", in: arguments).flatMap { Int($0) } ?? 15)
  let batch = 16
  let backbone = try material.load(.int8, resolution: 224)
  let small = try material.load(.int8, resolution: 160)
  let photographs = try material.photographs(batch)
  let images = photographs.map { backbone.preprocessing.crop($0) }
  let smallImages = photographs.map { small.preprocessing.crop($0) }

  let scratch = try ScratchDirectory()
  let pixels = try scratch.write(images.flatMap { backbone.preprocessing.normalize($0) }, to: "pixels.f32")
  let peer = try Peer(
    material.python, ["Benchmarks/Peers/onnxruntime_backbone.py", material.onnx.path, pixels.path, "224"])
  let pool = ComputePool(workers: 2)
  defer { pool.shutdown() }

  func peerSeconds(threads: Int, batch: Int, precise: Bool = false) throws -> Double {
    let answer = try peer.ask("time \(threads) \(batch) \(precise ? 1 : 0)")
    guard let seconds = Double(answer) else { throw BenchmarkError("the peer answered \(answer)") }
    return seconds
  }
  /// The batch on as many threads, by shares: threads never work inside a layer together.
  func batchSeconds(threads: Int) -> Double {
    let share = batch / threads
    return seconds {
      if threads == 1 {
        _ = backbone.embed(images) {}
      } else {
        pool.forEach(threads, priority: .urgent) { index in
          _ = backbone.embed(Array(images[index * share..<(index + 1) * share])) {}
        }
      }
    }
  }

  var ours: [Double] = []
  var oursSmall: [Double] = []
  var theirs: [Double] = []
  var theirsExact: [Double] = []
  for round in 0...rounds {
    let image = images[round % batch]
    let oursNow = seconds { _ = backbone.embed([image]) {} }
    let theirsNow = try peerSeconds(threads: 1, batch: 1)
    let exactNow = try peerSeconds(threads: 1, batch: 1, precise: true)
    let smallNow = seconds { _ = small.embed([smallImages[round % batch]]) {} }
    guard round > 0 else { continue }  // Warm-up.
    ours.append(oursNow)
    theirs.append(theirsNow)
    theirsExact.append(exactNow)
    oursSmall.append(smallNow)
  }
  var batchOurs: [[Double]] = [[], []]
  var batchTheirs: [[Double]] = [[], []]
  for round in 0...max(3, rounds / 3) {
    for threads in 1...2 {
      let oursNow = batchSeconds(threads: threads)
      let theirsNow = try peerSeconds(threads: threads, batch: batch)
      guard round > 0 else { continue }
      batchOurs[threads - 1].append(oursNow)
      batchTheirs[threads - 1].append(theirsNow)
    }
  }

  let one = median(ours)
  let peerOne = median(theirs)
  let peerExact = median(theirsExact)
  let speedUp = median(batchOurs[0]) / median(batchOurs[1])
  let rows = [
    ("224 px, 1 image, 1 thread", one, peerOne),
    ("224 px, 1 image, 1 thread, exact onnxruntime", one, peerExact),
    ("224 px, 16 images, 1 thread", median(batchOurs[0]), median(batchTheirs[0])),
    ("224 px, 16 images, 2 threads", median(batchOurs[1]), median(batchTheirs[1])),
  ]
  print("backbone \(backbone.description.name), \(backbone.description.instructionSet.rawValue), int8")
  for (what, mine, peers) in rows {
    print(
      "\(what): ours \(formatted(mine * 1000, 1)) ms, onnxruntime \(formatted(peers * 1000, 1)) ms, "
        + "ratio \(formatted(mine / peers, 3))")
  }
  print("160 px, 1 image, 1 thread: ours \(formatted(median(oursSmall) * 1000, 1)) ms")
  print("two threads against one on 16 images: \(formatted(speedUp, 2)) times as fast")
  if json {
    print(
      """
      {"name":"backbone","ours":\(one),"peer":\(peerOne),"ratio":\(one / peerOne),"unit":"seconds an image",\
      "resolution":224,"threads":1,"rounds":\(rounds),"instruction_set":"\(backbone.description.instructionSet.rawValue)",\
      "ours_160":\(median(oursSmall)),"two_thread_speed_up":\(speedUp),\
      "ratio_exact":\(one / peerExact),\
      "batch_ratio_1_thread":\(rows[2].1 / rows[2].2),"batch_ratio_2_threads":\(rows[3].1 / rows[3].2)}
      """)
  }
}
