internal import CKernels

/// A Linear ready to compute, in int8 or in float. Immutable; many threads may use it at once.
final class Linear: @unchecked Sendable {
  private enum Weights {
    case int8(UnsafeMutablePointer<ck_int8_weights>)
    case float(AlignedBuffer<Float>)
  }

  let inputs: Int
  let outputs: Int
  private let weights: Weights
  private let bias: AlignedBuffer<Float>

  /// Beyond it the int8 kernels' 32-bit sums could overflow.
  private static let sizeLimit = 65_536

  init(_ source: LinearWeights, precision: BackbonePrecision) throws(BackboneError) {
    guard source.inputs <= Self.sizeLimit, source.outputs <= Self.sizeLimit else {
      throw .unsupported(
        "\(source.name) has \(source.outputs) outputs of \(source.inputs) inputs, the limit of both is \(Self.sizeLimit)"
      )
    }
    let converted = precision == .int8 ? source.quantized() : source.dequantized()
    guard converted.isFinite else { throw .notFinite(tensor: source.name) }
    inputs = source.inputs
    outputs = source.outputs
    guard let bias = AlignedBuffer(source.bias) else { throw .outOfMemory }
    self.bias = bias
    switch converted.values {
    case .int8(let numbers, let scales):
      guard let packed = ck_int8_weights_pack(numbers, scales, Int32(outputs), Int32(inputs)) else {
        throw .outOfMemory
      }
      weights = .int8(packed)
    case .float(let numbers):
      guard let buffer = AlignedBuffer(numbers) else { throw .outOfMemory }
      weights = .float(buffer)
    }
  }

  deinit {
    if case .int8(let packed) = weights { ck_int8_weights_free(packed) }
  }

  /// Its way back: the same weights with inputs and outputs exchanged.
  func transposed() throws(BackboneError) -> TransposedLinear {
    func exchanged<Value>(_ values: UnsafePointer<Value>) -> [Value] {
      [Value](unsafeUninitializedCapacity: inputs * outputs) { result, count in
        for output in 0..<outputs {
          for input in 0..<inputs { result[input * outputs + output] = values[output * inputs + input] }
        }
        count = inputs * outputs
      }
    }
    let values: LinearWeights.Values
    var scales: AlignedBuffer<Float>?
    switch weights {
    case .int8(let packed):
      var numbers = [Int8](repeating: 0, count: inputs * outputs)
      ck_int8_weights_unpack(packed, &numbers)
      values = .int8(exchanged(numbers), scales: [Float](repeating: 1, count: inputs))
      guard let buffer = AlignedBuffer(Array(UnsafeBufferPointer(start: packed.pointee.scales, count: outputs))) else {
        throw .outOfMemory
      }
      scales = buffer
    case .float(let numbers): values = .float(exchanged(numbers.pointer))
    }
    let source = LinearWeights(
      name: "a transposed product", outputs: inputs, inputs: outputs, values: values,
      bias: [Float](repeating: 0, count: inputs))
    return TransposedLinear(try Linear(source, precision: scales == nil ? .float : .int8), scales: scales)
  }

  /// Bytes of 64-byte aligned scratch `apply` needs.
  func scratchBytes(rows: Int) -> Int {
    switch weights {
    case .int8(let packed): ck_int8_gemm_scratch(Int32(rows), packed)
    case .float: 0
    }
  }

  /// `out[row] = epilogue(weights * input[row] + bias)`; with `.residual` the product is added to `out`.
  ///
  /// out: `[rows, stride]`, at least `outputs` wide. Works through tiles of rows and calls `yield` after each, which is every
  /// two milliseconds or sooner.
  func apply(
    _ input: KernelRows, rows: Int, epilogue: ck_epilogue, out: UnsafeMutablePointer<Float>, stride: Int,
    context: borrowing KernelContext, yield: () -> Void
  ) {
    let tiles = max(1, (rows * inputs * outputs).dividedRoundingUp(by: tileProducts(context.isa)))
    // Whole tiles of the kernels, which take 3, 4 or, with AVX-512, 5 rows at a time.
    let tile = rows.dividedRoundingUp(by: tiles).roundedUp(to: context.isa == CK_ISA_AVX512 ? 20 : 12)
    for start in Swift.stride(from: 0, to: rows, by: tile) {
      applyTile(
        input.advanced(by: start), rows: min(tile, rows - start), epilogue: epilogue, out: out + start * stride,
        stride: stride, context: context)
      yield()
    }
  }

  /// Multiplications in one tile: at most two milliseconds. In int8 with AVX-512 that is a whole product of ViT-B/16 at 197
  /// tokens, 2.5 % faster than tiles a fifth of it, each of which reads all weights.
  private func tileProducts(_ isa: ck_isa) -> Int {
    if case .int8 = weights, isa == CK_ISA_AVX512 { return 500_000_000 }
    return 200_000_000
  }

  private func applyTile(
    _ input: KernelRows, rows: Int, epilogue: ck_epilogue, out: UnsafeMutablePointer<Float>, stride: Int,
    context: borrowing KernelContext
  ) {
    switch (weights, input) {
    case (.int8(let packed), .quantized(let bytes, let width, let scale, let zero)):
      ck_int8_gemm(
        context.isa, Int32(rows), bytes, Int32(width), scale, zero, packed, bias.pointer, epilogue, out, Int32(stride),
        context.scratch)
    case (.float(let numbers), .float(let values, let width)):
      ck_gemm_f32(
        context.isa, CK_PRODUCT_NT, Int32(rows), Int32(outputs), Int32(inputs), 1, values, Int32(width),
        numbers.pointer, Int32(inputs), epilogue == CK_EPILOGUE_RESIDUAL ? 1 : 0, out, Int32(stride))
      for row in 0..<rows {
        let line = out + row * stride
        for output in 0..<outputs { line[output] += bias.pointer[output] }
        if epilogue == CK_EPILOGUE_GELU || epilogue == CK_EPILOGUE_QUICK_GELU {
          ck_activation(context.isa, epilogue, outputs, line)
        }
      }
    default: preconditionFailure("a Linear is given rows in its own precision")
    }
  }
}
