import CLModels
import Foundation

/// A tiny random checkpoint and what its own library computes from it, written by tools/golden_backbones.py.
struct GoldenBackbone: Sendable, CustomStringConvertible {
  static let names = ["clip", "vit", "deit", "dinov2", "timm", "timm-prenorm-layerscale"]

  struct Case: Decodable, Sendable {
    let resolution: Int
    let images: [Data]
    let features: [[Float]]

    var pictures: [RGBImage] { images.map { RGBImage(width: resolution, height: resolution, pixels: Array($0)) } }
  }

  private struct Expected: Decodable { let cases: [Case] }

  let name: String
  let weights: [UInt8]
  let configuration: [UInt8]
  let cases: [Case]

  var description: String { name }

  init(_ name: String) throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Golden/backbones/\(name)")
    self.name = name
    weights = Array(try Data(contentsOf: folder.appending(path: "model.safetensors")))
    configuration = Array(try Data(contentsOf: folder.appending(path: "config.json")))
    cases = try JSONDecoder().decode(
      Expected.self, from: Data(contentsOf: folder.appending(path: "expected.json"))
    ).cases
  }

  func load(
    _ precision: BackbonePrecision = .float, resolution: Int? = nil, instructionSet: InstructionSet? = nil
  ) throws(BackboneError) -> VisionTransformer {
    try VisionTransformer(
      weights: weights, configuration: configuration,
      options: .init(resolution: resolution, instructionSet: instructionSet, precision: precision))
  }
}

extension GoldenBackbone {
  /// The numbers of a tensor of float32.
  func floats(_ name: String) throws -> [Float] {
    let header = try weights.withBytes { bytes throws(SafetensorsError) in try SafetensorsHeader(file: bytes) }
    let range = header.tensors[name]?.range ?? 0..<0
    return weights.withUnsafeBytes { bytes in
      stride(from: range.lowerBound, to: range.upperBound, by: 4).map {
        bytes.loadUnaligned(fromByteOffset: $0, as: Float.self)
      }
    }
  }

  /// The weights file with some of its tensors exchanged for others, of float32.
  func weights(exchanging new: [String: (shape: [Int], values: [Float])]) throws -> [UInt8] {
    let header = try weights.withBytes { bytes throws(SafetensorsError) in try SafetensorsHeader(file: bytes) }
    var entries: [String] = []
    var data: [UInt8] = []
    for (name, tensor) in header.tensors {
      let start = data.count
      if let (_, values) = new[name] {
        values.withUnsafeBytes { data += $0 }
      } else {
        data += weights[tensor.range]
      }
      let type = new[name] == nil ? tensor.type.rawValue : "F32"
      let shape = new[name]?.shape ?? tensor.shape
      entries.append(#""\#(name)":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":[\#(start),\#(data.count)]}"#)
    }
    let text = Array("{\(entries.joined(separator: ","))}".utf8)
    return (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text + data
  }
}

/// The cosine of the angle between two features, in double precision.
func cosine(_ one: some Sequence<Float>, _ other: some Sequence<Float>) -> Double {
  var product = 0.0
  var first = 0.0
  var second = 0.0
  for (a, b) in zip(one, other) {
    product += Double(a) * Double(b)
    first += Double(a) * Double(a)
    second += Double(b) * Double(b)
  }
  return product / (first * second).squareRoot()
}
