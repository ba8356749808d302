import CLModels
import Foundation

/// What the backbone benchmarks work with, by flags, the environment, or where `make` puts things.
struct BackboneMaterial {
  /// `--backbone DIR`, CLSERVER_BACKBONE, or var/backbones/clip-vit-b-16.
  let directory: URL
  /// `--python FILE`, CLSERVER_PYTHON, or var/backbone-python/bin/python: with numpy and onnxruntime
  /// (`tools/fetch-backbone.sh --peer` makes it).
  let python: URL
  /// `--onnx FILE`, CLSERVER_ONNX, or var/backbones/clip_encoder.int8.onnx (`tools/fetch-backbone.sh --peer`).
  let onnx: URL
  /// `--images DIR`, or Debian's tuxpaint-stamps-default.
  let images: URL

  init(arguments: [String]) {
    func path(_ flag: String, _ variable: String, _ usual: String) -> URL {
      let environment = ProcessInfo.processInfo.environment
      return URL(filePath: value(of: flag, in: arguments) ?? environment[variable] ?? usual)
    }
    directory = path("--backbone", "CLSERVER_BACKBONE", "var/backbones/clip-vit-b-16")
    python = path("--python", "CLSERVER_PYTHON", "var/backbone-python/bin/python")
    onnx = path("--onnx", "CLSERVER_ONNX", "var/backbones/clip_encoder.int8.onnx")
    images = path("--images", "CLSERVER_IMAGES", "/usr/share/tuxpaint/stamps")
  }

  /// With the best instruction set of this processor unless another is asked for.
  func load(
    _ precision: BackbonePrecision, resolution: Int, instructionSet: InstructionSet? = nil
  ) throws -> VisionTransformer {
    try VisionTransformer(
      weights: Array(Data(contentsOf: directory.appending(path: "model.safetensors"))),
      configuration: Array(Data(contentsOf: directory.appending(path: "config.json"))),
      options: .init(resolution: resolution, instructionSet: instructionSet, precision: precision))
  }

  /// `count` photographs, spread evenly over all that are at least `side` pixels wide and high, always the same ones.
  func photographs(_ count: Int, side: Int = 128) throws -> [RGBImage] {
    let files = (FileManager.default.enumerator(atPath: images.path)?.allObjects ?? []).compactMap { $0 as? String }
      .filter { name in [".png", ".jpg", ".jpeg"].contains { name.lowercased().hasSuffix($0) } }
      // The stamps that are drawings.
      .filter { name in !["cartoon", "symbols/", "seasonal/"].contains { name.contains($0) } }.sorted()
    let wanted = files.indices.map { files[($0 * 7919) % files.count] }  // A fixed shuffle: 7919 is prime.
    var found: [RGBImage] = []
    for file in wanted where found.count < count {
      guard let bytes = try? Data(contentsOf: images.appending(path: file)),
        let image = try? ImageDecoder.decode(Array(bytes), limits: ImageLimits()),
        min(image.width, image.height) >= side
      else { continue }
      found.append(image)
    }
    guard found.count == count else { throw BenchmarkError("only \(found.count) photographs in \(images.path)") }
    return found
  }
}

struct BenchmarkError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// What follows a flag.
func value(of flag: String, in arguments: [String]) -> String? {
  guard let index = arguments.firstIndex(of: flag), index + 1 < arguments.count else { return nil }
  return arguments[index + 1]
}

/// A folder that goes with its owner.
final class ScratchDirectory {
  let url = FileManager.default.temporaryDirectory.appending(path: "clserver-benchmark-\(UUID().uuidString)")
  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(at: url) }

  func write(_ numbers: [Float], to name: String) throws -> URL {
    let file = url.appending(path: name)
    try numbers.withUnsafeBytes { try Data($0).write(to: file) }
    return file
  }

  static func floats(_ file: URL) throws -> [Float] {
    try Data(contentsOf: file).withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
    }
  }
}

/// A peer's program that answers a line on its output to each line on its input.
final class Peer {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var buffered = Data()

  init(_ program: URL, _ arguments: [String]) throws {
    process.executableURL = program
    process.arguments = arguments
    process.standardInput = input
    process.standardOutput = output
    do { try process.run() } catch { throw BenchmarkError("cannot run \(program.path): \(error)") }
    guard try line().hasPrefix("ready") else { throw BenchmarkError("the peer did not start") }
  }

  deinit {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  func ask(_ request: String) throws -> String {
    try input.fileHandleForWriting.write(contentsOf: Data((request + "\n").utf8))
    return try line()
  }

  private func line() throws -> String {
    while true {
      if let end = buffered.firstIndex(of: 0x0A) {
        defer { buffered = Data(buffered[buffered.index(after: end)...]) }
        return String(decoding: buffered[..<end], as: UTF8.self)
      }
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw BenchmarkError("the peer ended early") }
      buffered.append(more)
    }
  }
}

func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  return sorted.count % 2 == 1
    ? sorted[sorted.count / 2] : (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
}

func seconds(_ body: () throws -> Void) rethrows -> Double {
  let clock = ContinuousClock()
  let elapsed = try clock.measure(body)
  return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
}

func formatted(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
