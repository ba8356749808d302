import Foundation
import Tensor

/// `benchmarks float-gemm`: the products that training in float is made of, by our kernel and by oneDNN (Debian's
/// libdnnl-dev, its program compiled here), one thread each, taking turns. The least time of each counts.
///
/// Flags: `--rounds N` (default 5), each of 20 products.
func runFloatProductBenchmark(arguments: [String], json: Bool) throws {
  let rounds = max(1, value(of: "--rounds", in: arguments).flatMap { Int($0) } ?? 5)
  let scratch = try ScratchDirectory()
  let program = try scratch.write([Float](), to: "onednn_gemm")
  let compiler = Process()
  compiler.executableURL = URL(filePath: "/usr/bin/cc")
  compiler.arguments = ["-O2", "Benchmarks/Peers/onednn_gemm.c", "-o", program.path, "-ldnnl"]
  try compiler.run()
  compiler.waitUntilExit()
  guard compiler.terminationStatus == 0 else { throw BenchmarkError("oneDNN's program did not compile: libdnnl-dev") }
  setenv("OMP_NUM_THREADS", "1", 1)
  let peer = try Peer(program, ["20"])

  /// What it is, and c [m, n] = a [m, k] b^T.
  let shapes: [(name: String, m: Int, n: Int, k: Int)] = [
    ("tokens by a square map", 784, 96, 96), ("tokens by the hidden layer", 784, 384, 96),
    ("the way back from it", 784, 96, 384), ("the gradient of its weights", 384, 96, 784),
    ("a head's values, 64 to 256", 2424, 256, 64), ("256 to 64", 2424, 64, 256),
    ("their gradient", 256, 64, 2424), ("cosines of an episode", 96, 96, 512),
    ("cosines of 1,000 examples", 1000, 1000, 512), ("a backbone's hidden layer", 808, 3072, 768),
  ]
  var results: [String] = []
  var ratios: [Double] = []
  for shape in shapes {
    let (m, n, k) = (shape.m, shape.n, shape.k)
    let a = Matrix<Float>(rows: m, columns: k, storage: (0..<m * k).map { Float($0 % 17) / 17 - 0.5 })
    let b = Matrix<Float>(rows: n, columns: k, storage: (0..<n * k).map { Float($0 % 13) / 13 - 0.5 })
    var c = [Float](repeating: 0, count: m * n)
    var (ours, theirs) = (Double.infinity, Double.infinity)
    for _ in 0..<rounds {
      for _ in 0..<20 {
        ours = min(
          ours, seconds { Float.multiply(m, n, k, alpha: 1, a.storage, k, b.storage, k, beta: 0, &c, n) })
      }
      guard let time = Double(try peer.ask("\(m) \(n) \(k)")) else { throw BenchmarkError("the peer gave no time") }
      theirs = min(theirs, time)
    }
    let rate = { (time: Double) in 2 * Double(m * n * k) / time / 1e9 }
    ratios.append(ours / theirs)
    print(
      "\(shape.name) [\(m), \(n), \(k)]: ours \(formatted(rate(ours), 0)) GFLOP/s, oneDNN "
        + "\(formatted(rate(theirs), 0)), time ratio \(formatted(ours / theirs, 2))")
    results.append(
      "{\"m\":\(m),\"n\":\(n),\"k\":\(k),\"ours\":\(ours),\"peer\":\(theirs),\"ratio\":\(ours / theirs)}")
  }
  if json {
    print(
      "{\"name\":\"float-gemm\",\"ratio\":\(median(ratios)),\"unit\":\"seconds\",\"results\":[\(results.joined(separator: ","))]}"
    )
  }
}
