internal import CKernels
package import Tensor

/// A frozen vision transformer: images in, L2-normalised features out.
///
/// One implementation for CLIP's image tower, ViT, DeiT, DINO and DINOv2, from safetensors with Hugging Face's or timm's
/// names. Weights are float32, float16, bfloat16, or int8 with a companion tensor `NAME.weight_scale` (`[outputs]`).
/// Immutable: any number of threads may embed at once, each in a workspace of its own.
package final class VisionTransformer: Sendable {
  package let description: BackboneDescription
  /// How to make the images `embed` takes.
  package let preprocessing: ImagePreprocessing
  let parts: VisionTransformerParts
  let workspaces: WorkspacePool

  /// Images that go through the blocks together. More share each pass over the weights, but with AVX2 two took 1.5 %
  /// longer than one after the other, and four no less: products decide, not the weights' way from memory.
  static let imagesPerPass = 1

  /// Loads a checkpoint: checks it, converts it to `options.precision`, packs it for the kernels and tries it on one image.
  ///
  /// - Parameters:
  ///   - weights: the bytes of `model.safetensors`; not kept.
  ///   - configuration: `config.json`; see `VisionTransformerConfiguration` for the keys.
  package init(
    weights: any WeightBytes, configuration: [UInt8], options: VisionTransformerOptions
  ) throws(BackboneError) {
    let parts = try weights.withBytes { bytes throws(BackboneError) in
      try VisionTransformerParts(file: bytes, configuration: configuration, options: options)
    }
    self.parts = parts
    description = parts.description
    preprocessing = parts.preprocessing
    workspaces = WorkspacePool(size: parts.workspaceSize(images: Self.imagesPerPass), precision: options.precision)
    let side = parts.description.resolution
    let grey = RGBImage(width: side, height: side, pixels: Array(repeating: 128, count: side * side * 3))
    guard embed([grey], yield: {}).storage.allSatisfy(\.isFinite) else { throw .featuresNotFinite }
  }

  /// Features `[images.count, featureWidth]`, each of length 1, in the images' order.
  ///
  /// images: cropped by `preprocessing`, so `resolution` x `resolution`; others are a programmer's error and trap.
  /// `yield` is called every two milliseconds or sooner, so that background work can let urgent work through.
  /// A feature does not depend on which images it was computed together with.
  package func embed(_ images: [RGBImage], yield: () -> Void) -> Matrix<Float> {
    var features = Matrix<Float>(rows: images.count, columns: description.featureWidth)
    workspaces.withWorkspace { workspace in
      for first in stride(from: 0, to: images.count, by: Self.imagesPerPass) {
        let pass = images[first..<min(first + Self.imagesPerPass, images.count)]
        features.storage.withUnsafeMutableBufferPointer { out in
          guard let base = out.baseAddress else { return }
          parts.run(pass, workspace: workspace, out: base + first * description.featureWidth, yield: yield)
        }
      }
    }
    return features
  }
}
