// Speed of the kernels on one core: `benchmarks kernels [--json]`.
//
// Products are given in 10^9 multiply-adds a second and as a share of what the core does in a loop of nothing but
// vpmaddwd and vpaddd in registers (32 multiply-adds a cycle), measured beside them: what AVX2 offers for exact u8 x s8
// without the splitting of int8_gemm_avx2.c, which therefore can pass 100 %. The best of several runs counts, since
// other work on the same core only ever slows one down.
import CKernels

private struct KernelGenerator {
  var state: UInt64
  mutating func next() -> UInt32 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return UInt32(truncatingIfNeeded: state >> 33)
  }
  mutating func gaussian() -> Float {
    (0..<12).reduce(Float(-6)) { sum, _ in sum + Float(next()) / 2_147_483_648 }
  }
}

/// Seconds of the fastest of `repeats` runs.
private func fastest(_ repeats: Int, _ body: () -> Void) -> Double {
  let clock = ContinuousClock()
  return (0..<repeats).map { _ in clock.measure(body) / .seconds(1) }.min() ?? 0
}

/// Quantized activations and packed weights with the spread of a transformer's: most activations are near their zero
/// point, `outliers` of them anywhere.
private final class Product {
  let rows, outputs, inputs: Int
  private let a: [UInt8]
  private let rowScales: [Float]
  private let zeros: [Int32]
  private let bias: [Float]
  private let weights: UnsafeMutablePointer<ck_int8_weights>
  private let scratch: UnsafeMutableRawPointer

  init?(rows: Int, outputs: Int, inputs: Int, outliers: Float = 0.01) {
    var generator = KernelGenerator(state: UInt64(rows + outputs + inputs))
    (self.rows, self.outputs, self.inputs) = (rows, outputs, inputs)
    a = (0..<rows * inputs).map { _ in
      Float(generator.next() % 1000) < outliers * 1000
        ? UInt8(generator.next() & 255) : UInt8(max(64, min(191, 128 + 20 * generator.gaussian())))
    }
    rowScales = Array(repeating: 0.01, count: rows)
    zeros = Array(repeating: 128, count: rows)
    bias = Array(repeating: 0, count: outputs)
    let values = (0..<outputs * inputs).map { _ in Int8(max(-127, min(127, 36 * generator.gaussian()))) }
    let scales = Array(repeating: Float(0.001), count: outputs)
    guard let packed = ck_int8_weights_pack(values, scales, Int32(outputs), Int32(inputs)) else { return nil }
    weights = packed
    scratch = .allocate(byteCount: ck_int8_gemm_scratch(Int32(rows), packed), alignment: 64)
  }

  deinit {
    ck_int8_weights_free(weights)
    scratch.deallocate()
  }

  func run(_ isa: ck_isa, _ epilogue: ck_epilogue, into out: inout [Float]) {
    ck_int8_gemm(
      isa, Int32(rows), a, Int32(inputs), rowScales, zeros, weights, bias, epilogue, &out, Int32(outputs), scratch)
  }
}

/// One block of ViT-B/16 without its numerics: the kernels in their order on activations of the usual spread.
private struct Block {
  let tokens: Int
  let query, output, expand, contract: Product

  init?(tokens: Int) {
    self.tokens = tokens
    guard let query = Product(rows: tokens, outputs: 768, inputs: 768),
      let output = Product(rows: tokens, outputs: 768, inputs: 768, outliers: 0.05),
      let expand = Product(rows: tokens, outputs: 3072, inputs: 768),
      let contract = Product(rows: tokens, outputs: 768, inputs: 3072, outliers: 0.005)
    else { return nil }
    (self.query, self.output, self.expand, self.contract) = (query, output, expand, contract)
  }
}

private struct Workspace {
  var stream, q, k, v, mixed, hidden: [Float]
  var bytes: [UInt8]
  var scales: [Float]
  var zeros: [Int32]
  let gain = Array(repeating: Float(1), count: 768)
  let bias = Array(repeating: Float(0), count: 768)

  init(tokens: Int) {
    var generator = KernelGenerator(state: 3)
    stream = (0..<tokens * 768).map { _ in generator.gaussian() }
    (q, k, v, mixed) = (stream, stream, stream, stream)
    hidden = Array(repeating: 0, count: tokens * 3072)
    bytes = Array(repeating: 0, count: tokens * 3072)
    scales = Array(repeating: 0, count: tokens)
    zeros = Array(repeating: 0, count: tokens)
  }

  mutating func normalizeAndQuantize(_ isa: ck_isa, _ tokens: Int32) {
    ck_layer_norm_quantize(isa, tokens, 768, stream, 768, gain, bias, 1e-5, &bytes, 768, &scales, &zeros)
  }

  mutating func attend(_ isa: ck_isa, _ tokens: Int32, _ scratch: UnsafeMutableRawPointer) {
    ck_attention_rounded(isa, tokens, tokens, 12, 64, q, 768, k, v, 768, &mixed, 768, scratch)
  }

  mutating func run(_ block: Block, _ isa: ck_isa, _ scratch: UnsafeMutableRawPointer) {
    let tokens = Int32(block.tokens)
    normalizeAndQuantize(isa, tokens)
    block.query.run(isa, CK_EPILOGUE_NONE, into: &q)
    block.query.run(isa, CK_EPILOGUE_NONE, into: &k)
    block.query.run(isa, CK_EPILOGUE_NONE, into: &v)
    attend(isa, tokens, scratch)
    ck_quantize_rows(isa, tokens, 768, mixed, 768, &bytes, 768, &scales, &zeros)
    block.output.run(isa, CK_EPILOGUE_NONE, into: &mixed)
    normalizeAndQuantize(isa, tokens)
    block.expand.run(isa, CK_EPILOGUE_QUICK_GELU, into: &hidden)
    ck_quantize_rows(isa, tokens, 3072, hidden, 3072, &bytes, 3072, &scales, &zeros)
    block.contract.run(isa, CK_EPILOGUE_NONE, into: &mixed)
  }
}

private func rounded(_ value: Double, _ places: Double = 10) -> Double { (value * places).rounded() / places }

func runKernelBenchmarks(json: Bool) {
  let isa = ck_isa_best()
  let name = isa == CK_ISA_AVX512 ? "avx512" : isa == CK_ISA_AVX2 ? "avx2" : "scalar"
  var lines: [String] = []
  if !json { print("variant \(name)") }
  let peak = (0..<5).map { _ in ck_int8_peak_macs_per_second(isa) }.max() ?? 0
  if !json { print("peak in registers: \(rounded(peak / 1e9)) GMAC/s") }
  for (outputs, inputs) in [(768, 768), (3072, 768), (768, 3072)] {
    for rows in [1, 16, 101, 197] {
      guard let product = Product(rows: rows, outputs: outputs, inputs: inputs) else { continue }
      var out = Array(repeating: Float(0), count: rows * outputs)
      let seconds = fastest(rows == 1 ? 200 : 30) { product.run(isa, CK_EPILOGUE_NONE, into: &out) }
      let rate = Double(rows * outputs * inputs) / seconds
      let share = peak > 0 ? rate / peak : 0
      lines.append(
        "{\"rows\":\(rows),\"outputs\":\(outputs),\"inputs\":\(inputs),\"gmacPerSecond\":\(rounded(rate / 1e9)),"
          + "\"ofPeak\":\(rounded(share, 1000))}")
      if !json {
        print("\(rows) x \(outputs) x \(inputs): \(rounded(rate / 1e9)) GMAC/s, \(rounded(share * 100)) % of peak")
      }
    }
  }
  var forwards: [String] = []
  for tokens in [101, 197] {
    let blocks = (0..<12).compactMap { _ in Block(tokens: tokens) }
    var workspace = Workspace(tokens: tokens)
    let scratch = UnsafeMutableRawPointer.allocate(
      byteCount: ck_attention_scratch(Int32(tokens), Int32(tokens), 64), alignment: 64)
    defer { scratch.deallocate() }
    let attention = fastest(10) { workspace.attend(isa, Int32(tokens), scratch) } * 12
    let all = fastest(10) { for block in blocks { workspace.run(block, isa, scratch) } }
    forwards.append(
      "{\"tokens\":\(tokens),\"milliseconds\":\(rounded(all * 1e3)),\"attention\":\(rounded(attention * 1e3))}")
    if !json {
      print("12 blocks, \(tokens) tokens: \(rounded(all * 1e3)) ms, attention \(rounded(attention * 1e3)) ms of it")
    }
  }
  if json {
    print(
      "{\"variant\":\"\(name)\",\"peakGmacPerSecond\":\(rounded(peak / 1e9)),\"products\":["
        + lines.joined(separator: ",") + "],\"forwards\":[" + forwards.joined(separator: ",") + "]}")
  }
}
