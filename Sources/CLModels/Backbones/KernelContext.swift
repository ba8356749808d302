internal import CKernels

/// Rows a Linear reads: floats, or unsigned bytes with a scale and a zero point a row.
enum KernelRows {
  case float(UnsafePointer<Float>, stride: Int)
  case quantized(UnsafePointer<UInt8>, stride: Int, scale: UnsafePointer<Float>, zero: UnsafePointer<Int32>)

  /// The rows from `row` on.
  func advanced(by row: Int) -> KernelRows {
    switch self {
    case .float(let values, let stride): .float(values + row * stride, stride: stride)
    case .quantized(let bytes, let stride, let scale, let zero):
      .quantized(bytes + row * stride, stride: stride, scale: scale + row, zero: zero + row)
    }
  }
}

/// What calls of kernels have in common: the variant, the precision, and where rows are quantized to.
struct KernelContext: ~Copyable {
  let isa: ck_isa
  let precision: BackbonePrecision
  /// Scratch for products and attention.
  let scratch: UnsafeMutableRawPointer
  /// Rows as a Linear reads them: normalised floats, or bytes.
  let floats: UnsafeMutablePointer<Float>
  let bytes: UnsafeMutablePointer<UInt8>
  let scale: UnsafeMutablePointer<Float>
  let zero: UnsafeMutablePointer<Int32>

  /// LayerNorm of x `[rows, width]`, in the form the next Linear reads; valid until the next call.
  func normalized(_ x: UnsafePointer<Float>, rows: Int, norm: LayerNorm) -> KernelRows {
    let width = Int32(norm.width)
    switch precision {
    case .float:
      ck_layer_norm(
        isa, Int32(rows), width, x, width, norm.gain.pointer, norm.bias.pointer, norm.epsilon, floats, width)
      return .float(floats, stride: norm.width)
    case .int8:
      let stride = norm.width.roundedUp(to: 4)
      ck_layer_norm_quantize(
        isa, Int32(rows), width, x, width, norm.gain.pointer, norm.bias.pointer, norm.epsilon, bytes, Int32(stride),
        scale, zero)
      return .quantized(bytes, stride: stride, scale: scale, zero: zero)
    }
  }

  /// x `[rows, width]` in the form the next Linear reads; valid until the next call and while x is.
  func rows(_ x: UnsafePointer<Float>, rows: Int, width: Int) -> KernelRows {
    guard precision == .int8 else { return .float(x, stride: width) }
    let stride = width.roundedUp(to: 4)
    ck_quantize_rows(isa, Int32(rows), Int32(width), x, Int32(width), bytes, Int32(stride), scale, zero)
    return .quantized(bytes, stride: stride, scale: scale, zero: zero)
  }
}

/// The gains and biases of a LayerNorm.
struct LayerNorm: Sendable {
  let width: Int
  let gain: AlignedBuffer<Float>
  let bias: AlignedBuffer<Float>
  let epsilon: Float

  /// In place over x `[rows, width]`.
  func apply(_ x: UnsafeMutablePointer<Float>, rows: Int, isa: ck_isa) {
    ck_layer_norm(isa, Int32(rows), Int32(width), x, Int32(width), gain.pointer, bias.pointer, epsilon, x, Int32(width))
  }
}

extension Int {
  func dividedRoundingUp(by divisor: Int) -> Int { (self + divisor - 1) / divisor }
  func roundedUp(to multiple: Int) -> Int { dividedRoundingUp(by: multiple) * multiple }
}
