import CLModels
import Foundation
import Testing

/// The files that tools/golden_preprocessing.py wrote.
struct GoldenImage: Decodable, Sendable, CustomTestStringConvertible {
  struct Crop: Decodable, Sendable {
    let size: Int
    let expected: String
    let digest: String
  }

  let file: String
  let width: Int
  let height: Int
  let digest: String
  let expected: String?
  let crops: [Crop]

  var testDescription: String { file }

  static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Golden/preprocessing")

  static func bytes(_ name: String) -> [UInt8] {
    guard let data = try? Data(contentsOf: directory.appending(path: name)) else {
      fatalError("\(name) is not among the golden files")
    }
    return Array(data)
  }

  static let all: [GoldenImage] = {
    guard let images = try? JSONDecoder().decode([GoldenImage].self, from: Data(bytes("manifest.json"))) else {
      fatalError("the manifest of the golden files does not decode")
    }
    return images
  }()
}

/// FNV-1a, 64 bits: what the manifest holds of raw pixels, so that a fault in our PNG reader cannot hide itself.
func digest(_ bytes: [UInt8]) -> String {
  var value: UInt64 = 0xCBF2_9CE4_8422_2325
  for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
  let text = String(value, radix: 16)
  return String(repeating: "0", count: 16 - text.count) + text
}

/// Mean and largest absolute difference of two images' samples, in steps of 1/255.
func difference(_ a: RGBImage, _ b: RGBImage) -> (mean: Double, largest: Int) {
  guard a.width == b.width, a.height == b.height else { return (.infinity, .max) }
  let differences = zip(a.pixels, b.pixels).map { abs(Int($0) - Int($1)) }
  return (Double(differences.reduce(0, +)) / Double(differences.count), differences.max() ?? 0)
}
