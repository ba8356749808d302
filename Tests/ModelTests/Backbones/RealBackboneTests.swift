import CLModels
import Foundation
import Synchronization
import Tensor
import Testing

/// The converted CLIP backbone, where `make backbone` has put it.
enum RealBackbone {
  static let directory: URL =
    ProcessInfo.processInfo.environment["CLSERVER_BACKBONE"].map { URL(filePath: $0) }
    ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "var/backbones/clip-vit-b-16")

  static let isPresent = FileManager.default.fileExists(atPath: directory.appending(path: "model.safetensors").path)

  static func load(_ precision: BackbonePrecision, resolution: Int = 160) throws -> VisionTransformer {
    try VisionTransformer(
      weights: Array(Data(contentsOf: directory.appending(path: "model.safetensors"), options: .alwaysMapped)),
      configuration: Array(Data(contentsOf: directory.appending(path: "config.json"))),
      options: .init(resolution: resolution, precision: precision))
  }
}

/// `benchmarks backbone-fidelity` compares with onnxruntime and a numpy reference, on a hundred photographs.
@Suite(.enabled(if: RealBackbone.isPresent, "no backbone: run make backbone, or set CLSERVER_BACKBONE"))
struct RealBackboneTests {
  /// Rings and gradients: smooth, with edges, and the same everywhere.
  static func picture(_ seed: Int, size: Int) -> RGBImage {
    var pixels: [UInt8] = []
    for y in 0..<size {
      for x in 0..<size {
        let dx = Double(x - size / 2) / Double(size)
        let dy = Double(y - size / (2 + seed % 3)) / Double(size)
        let ring = sin((dx * dx + dy * dy).squareRoot() * Double(20 + 9 * seed))
        pixels += [UInt8(128 + 100 * ring), UInt8(255 * x / size), ring > 0.3 ? 30 : 220]
      }
    }
    return RGBImage(width: size, height: size, pixels: pixels)
  }

  @Test func isTheTowerItShouldBe() throws {
    let description = try RealBackbone.load(.int8).description
    #expect(description.name == "clip-vit-b-16")
    #expect(description.blocks == 12)
    #expect(description.width == 768)
    #expect(description.heads == 12)
    #expect(description.featureWidth == 512)
    #expect(description.tokens == 101)
  }

  /// The bounds for photographs: 0.995 in the mean, none below 0.98.
  @Test func int8FeaturesStayCloseToFloat() throws {
    let exact = try RealBackbone.load(.float)
    let quantized = try RealBackbone.load(.int8)
    let images = (0..<4).map { Self.picture($0, size: 160) }
    let one = exact.embed(images) {}
    let other = quantized.embed(images) {}
    let cosines = (0..<images.count).map { cosine(one.row($0), other.row($0)) }
    #expect(cosines.allSatisfy { $0 >= 0.98 }, "\(cosines)")
    #expect(cosines.reduce(0, +) / Double(cosines.count) >= 0.99, "\(cosines)")
  }

  /// Urgent work waits for the longest stretch without a yield: at least one a product, six a block and image.
  @Test func yieldsWithinEveryBlock() throws {
    let backbone = try RealBackbone.load(.int8)
    let yields = Mutex(0)
    _ = backbone.embed([Self.picture(1, size: 160)]) { yields.withLock { $0 += 1 } }
    #expect(yields.withLock { $0 } >= 5 * 12)
  }
}
