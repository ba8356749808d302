internal import CKernels

/// A frozen Linear's way back: from the gradient of its outputs to that of its inputs, dx = dy W.
///
/// In int8 the same rounded weights are used: dy is multiplied by the outputs' scales, quantized row by row, and
/// multiplied by the transposed integers. Float multiplies floats.
final class TransposedLinear: Sendable {
  private let linear: Linear
  /// One factor an output; nil in float.
  private let scales: AlignedBuffer<Float>?

  var outputs: Int { linear.inputs }
  var inputs: Int { linear.outputs }

  init(_ linear: Linear, scales: AlignedBuffer<Float>?) {
    self.linear = linear
    self.scales = scales
  }

  func scratchBytes(rows: Int) -> Int { linear.scratchBytes(rows: rows) }

  /// dy: `[rows, stride]`, its first `outputs` columns. dx: `[rows, inputs]`, to which it is added if `adds`.
  /// scaled: scratch, `[rows, outputs]`.
  func apply(
    _ dy: UnsafePointer<Float>, stride: Int, rows: Int, dx: UnsafeMutablePointer<Float>, adds: Bool = false,
    scaled: UnsafeMutablePointer<Float>, context: borrowing KernelContext, yield: () -> Void
  ) {
    let epilogue = adds ? CK_EPILOGUE_RESIDUAL : CK_EPILOGUE_NONE
    let input: KernelRows
    if let scales {
      ck_scale_columns(context.isa, Int32(rows), Int32(outputs), dy, Int32(stride), scales.pointer, scaled)
      input = context.rows(scaled, rows: rows, width: outputs)
    } else {
      input = .float(dy, stride: stride)
    }
    linear.apply(input, rows: rows, epilogue: epilogue, out: dx, stride: inputs, context: context, yield: yield)
  }
}
