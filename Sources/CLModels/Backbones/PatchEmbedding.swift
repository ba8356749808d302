internal import CKernels

/// Turns pixels into tokens: cuts the image into patches, multiplies each by the embedding's weights, and adds positions.
///
/// With int8 weights the pixels themselves are the activations: bytes, exact, with scale 1 and zero point 0. The channel
/// statistics move into the weights, `w * (x / 255 - mean) / deviation = (w / (255 * deviation)) * x - w * mean / deviation`,
/// and the constant part into the bias, so neither normalised floats nor their quantization exist.
final class PatchEmbedding: Sendable {
  let patch: Int
  /// Patches along a side.
  let grid: Int
  /// Tokens in front of the patches.
  let prefix: Int
  let width: Int
  private let linear: Linear
  private let preprocessing: ImagePreprocessing
  /// `[prefix + grid * grid, width]`: positions, with the class token (and distillation token) added to theirs.
  private let start: AlignedBuffer<Float>
  private let precision: BackbonePrecision

  var tokens: Int { prefix + grid * grid }
  /// Numbers in a patch.
  var patchValues: Int { 3 * patch * patch }
  /// Row stride of cut patches.
  var patchStride: Int { precision == .int8 ? patchValues.roundedUp(to: 4) : patchValues }

  /// weights: `[width, 3 * patch * patch]`, channel by channel. start: `[tokens, width]`.
  init(
    weights: LinearWeights, patch: Int, prefix: Int, start: [Float], preprocessing: ImagePreprocessing,
    precision: BackbonePrecision
  ) throws(BackboneError) {
    self.patch = patch
    self.prefix = prefix
    self.precision = precision
    self.preprocessing = preprocessing
    width = weights.outputs
    grid = preprocessing.size / patch
    linear = try Linear(
      precision == .int8 ? Self.foldingNormalization(into: weights, preprocessing) : weights, precision: precision)
    guard let start = AlignedBuffer(start) else { throw .outOfMemory }
    self.start = start
  }

  /// int8 weights that take bytes. The bias is that of the rounded weights, so that a grey image has no error.
  private static func foldingNormalization(
    into weights: LinearWeights, _ preprocessing: ImagePreprocessing
  ) -> LinearWeights {
    guard case .float(var values) = weights.dequantized().values else { return weights }
    let plane = weights.inputs / 3
    for index in values.indices {
      values[index] /= 255 * preprocessing.standardDeviation[index % weights.inputs / plane]
    }
    var folded = weights
    folded.values = .float(values)
    folded = folded.quantized()
    guard case .int8(let rounded, let scales) = folded.values else { return folded }
    for output in 0..<weights.outputs {
      var offset: Double = 0
      for index in 0..<weights.inputs {
        offset += Double(rounded[output * weights.inputs + index]) * 255 * Double(preprocessing.mean[index / plane])
      }
      folded.bias[output] -= Float(offset * Double(scales[output]))
    }
    return folded
  }

  func scratchBytes() -> Int { linear.scratchBytes(rows: grid * grid) }

  /// One image's tokens, out: `[tokens, width]`. `image` has the sides of `preprocessing`.
  /// The context's `floats` or `bytes` hold `grid * grid * patchStride` numbers.
  func embed(
    _ image: RGBImage, out: UnsafeMutablePointer<Float>, context: borrowing KernelContext, yield: () -> Void
  ) {
    out.update(from: start.pointer, count: tokens * width)
    let rows: KernelRows
    switch precision {
    case .int8:
      image.pixels.withUnsafeBufferPointer { cut($0, plane: 1, pixel: 3, into: context.bytes) }
      for row in 0..<grid * grid {
        context.scale[row] = 1
        context.zero[row] = 0
      }
      rows = .quantized(context.bytes, stride: patchStride, scale: context.scale, zero: context.zero)
    case .float:
      preprocessing.normalize(image).withUnsafeBufferPointer {
        cut($0, plane: image.width * image.height, pixel: 1, into: context.floats)
      }
      rows = .float(context.floats, stride: patchStride)
    }
    linear.apply(
      rows, rows: grid * grid, epilogue: CK_EPILOGUE_RESIDUAL, out: out + prefix * width, stride: width,
      context: context, yield: yield)
  }

  /// Copies patches to rows, channel by channel. `plane` and `pixel` are the distances between channels and pixels.
  private func cut<Value>(
    _ image: UnsafeBufferPointer<Value>, plane: Int, pixel: Int, into rows: UnsafeMutablePointer<Value>
  ) {
    let side = grid * patch
    for row in 0..<grid {
      for column in 0..<grid {
        var target = rows + (row * grid + column) * patchStride
        for channel in 0..<3 {
          for y in row * patch..<(row + 1) * patch {
            var source = channel * plane + (y * side + column * patch) * pixel
            for _ in 0..<patch {
              target.pointee = image[source]
              target += 1
              source += pixel
            }
          }
        }
      }
    }
  }
}
