package import CLModels
package import Tensor

/// From the bytes of an image to its features: decode, crop, backbone. Any thread; works on the thread that calls.
package struct Embedder: Sendable {
  package let backbone: VisionTransformer
  package let limits: ImageLimits
  private let pool: ComputePool

  package init(backbone: VisionTransformer, limits: ImageLimits, pool: ComputePool) {
    self.backbone = backbone
    self.limits = limits
    self.pool = pool
  }

  /// Names everything that the features depend on: features of one key are comparable.
  package var key: String {
    let description = backbone.description
    return "\(description.weightsSHA256):\(description.resolution):\(description.precision.rawValue)"
  }

  /// Decodes an image, no larger than the backbone needs where the format allows it.
  package func decode(_ bytes: [UInt8]) throws(ImageError) -> RGBImage {
    try ImageDecoder.decode(bytes, limits: limits, neededSide: backbone.preprocessing.size)
  }

  /// Decodes and crops to the backbone's resolution.
  package func prepare(_ bytes: [UInt8]) throws(ImageError) -> RGBImage {
    backbone.preprocessing.crop(try decode(bytes))
  }

  /// Normalised features `[images.count, width]`, with way given to urgent work between the backbone's blocks when the
  /// calling thread is a worker in background work.
  package func embed(_ images: [RGBImage]) -> Matrix<Float> {
    backbone.embed(images) { pool.yield() }
  }
}
