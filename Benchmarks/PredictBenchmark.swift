import CLModels
import Foundation

/// `benchmarks predict`: one `POST /predict` over a socket (JPEG in, JSON out) against the backbone alone on the same
/// image, at 160 px, taking turns in one run. Medians; the ratio is what the server adds: HTTP, decoding, cropping, the
/// head and JSON.
///
/// Flags: those of `BackboneMaterial`; `--server FILE` (default .build/release/clserver), `--rounds N` (default 60).
/// The JPEG files are Debian's photographs in /usr/share/tuxpaint/templates.
func runPredictBenchmark(arguments: [String], json: Bool) throws {
  let material = BackboneMaterial(arguments: arguments)
  let rounds = max(10, value(of: "--rounds", in: arguments).flatMap { Int($0) } ?? 60)
  let server = value(of: "--server", in: arguments) ?? ".build/release/clserver"
  let resolution = 160
  let folder = URL(filePath: "/usr/share/tuxpaint/templates")
  let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".jpg") }.sorted()
  guard files.count >= 8 else { throw BenchmarkError("apt-get install tuxpaint-stamps-default tuxpaint-data") }
  let chosen = files.prefix(8).map { folder.appending(path: $0) }

  let backbone = try material.load(.int8, resolution: resolution)
  let images = try chosen.map { file in
    backbone.preprocessing.crop(
      try ImageDecoder.decode(Array(Data(contentsOf: file)), limits: ImageLimits()))
  }
  let client = try Peer(
    URL(filePath: "/usr/bin/python3"),
    ["Benchmarks/Peers/predict_client.py", server, material.directory.path, String(resolution)] + chosen.map(\.path))
  var bare: [Double] = []
  var whole: [Double] = []
  for round in 0..<rounds + 8 {
    let image = images[round % images.count]
    let bareNow = seconds { _ = backbone.embed([image]) {} }
    guard let wholeNow = Double(try client.ask("ask")) else { throw BenchmarkError("the client answered nonsense") }
    // The first round of all images warms up.
    if round >= 8 {
      bare.append(bareNow)
      whole.append(wholeNow)
    }
  }
  let ratio = median(whole) / median(bare)
  print(
    "POST /predict at \(resolution) px: \(formatted(median(whole) * 1000, 1)) ms, the backbone alone "
      + "\(formatted(median(bare) * 1000, 1)) ms, ratio \(formatted(ratio, 3)) over \(rounds) rounds")
  if json {
    print(
      """
      {"name":"predict","ours":\(median(whole)),"peer":\(median(bare)),"ratio":\(ratio),"unit":"seconds a request",\
      "resolution":\(resolution),"rounds":\(rounds)}
      """)
  }
}
