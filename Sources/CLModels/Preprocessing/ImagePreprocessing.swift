import CKernels

/// How a backbone wants its images: the short side resized to `size`, a centre crop, normalised channels.
///
/// The steps and their rounding are those of Hugging Face's `CLIPImageProcessor` (resize, centre crop, rescale, normalise).
package struct ImagePreprocessing: Sendable, Equatable {
  package enum Interpolation: String, Sendable {
    case bicubic
  }

  /// Pixels of the square crop's side.
  package let size: Int
  /// Per channel, of values in 0...1.
  package let mean: [Float]
  /// Per channel, positive.
  package let standardDeviation: [Float]
  package let interpolation: Interpolation

  /// CLIP's channel statistics unless others are given. `size` is at least 1, both arrays have three values.
  package init(
    size: Int, mean: [Float] = [0.481_454_66, 0.457_827_5, 0.408_210_73],
    standardDeviation: [Float] = [0.268_629_54, 0.261_302_58, 0.275_777_11], interpolation: Interpolation = .bicubic
  ) {
    precondition(size > 0 && mean.count == 3 && standardDeviation.count == 3, "not a preprocessing for RGB")
    self.size = size
    self.mean = mean
    self.standardDeviation = standardDeviation
    self.interpolation = interpolation
  }

  /// The centre of the resized image, `[size, size, 3]`: byte for byte what Pillow's `resize(..., BICUBIC)` and `crop`
  /// give (see resize.h for the one exception). The long side is rounded down, and so is the crop's offset. Any thread.
  package func crop(_ image: RGBImage) -> RGBImage {
    crop(image, instructionSet: ck_isa_best())
  }

  func crop(_ image: RGBImage, instructionSet: ck_isa) -> RGBImage {
    let shortSide = min(image.width, image.height)
    let outWidth = size * image.width / shortSide
    let outHeight = size * image.height / shortSide
    var plan = ck_resize_plan(
      width: Int32(image.width), height: Int32(image.height), out_width: Int32(outWidth),
      out_height: Int32(outHeight), crop_left: Int32((outWidth - size) / 2), crop_top: Int32((outHeight - size) / 2),
      crop_width: Int32(size), crop_height: Int32(size))
    let count = size * size * 3
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { out, written in
      let done = image.pixels.withUnsafeBufferPointer {
        ck_resize_bicubic_rgb8(instructionSet, &plan, $0.baseAddress, out.baseAddress)
      }
      precondition(done, "no memory to resize an image")
      written = count
    }
    return RGBImage(width: size, height: size, pixels: pixels)
  }

  /// Planar `[3, height, width]`: `(x / 255 - mean) / standardDeviation`. Any thread.
  package func normalize(_ cropped: RGBImage) -> [Float] {
    // Only 256 values exist a channel.
    let tables = (0..<3).map { channel in
      (0..<256).map { (Float($0) / 255 - mean[channel]) / standardDeviation[channel] }
    }
    let plane = cropped.width * cropped.height
    return [Float](unsafeUninitializedCapacity: plane * 3) { out, written in
      cropped.pixels.withUnsafeBufferPointer { pixels in
        for channel in 0..<3 {
          tables[channel].withUnsafeBufferPointer { table in
            for index in 0..<plane { out[channel * plane + index] = table[Int(pixels[index * 3 + channel])] }
          }
        }
      }
      written = plane * 3
    }
  }
}
