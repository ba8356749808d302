import CKernels

/// Keys and values of random tokens as the kernels take them, in memory of exactly their size.
final class FrozenBlock {
  let tokens: Int
  let heads: Int
  let headWidth: Int
  /// What was frozen, `[tokens, stride]`.
  let keys: [Float]
  let values: [Float]
  let stride: Int
  private let keyNumbers: UnsafeMutablePointer<Int8>
  private let keyScales: UnsafeMutablePointer<Float>
  private let valueNumbers: UnsafeMutablePointer<Int8>
  private let valueScales: UnsafeMutablePointer<Float>

  var padded: Int { (tokens + Int(CK_FROZEN_LANES) - 1) / Int(CK_FROZEN_LANES) * Int(CK_FROZEN_LANES) }
  private var count: Int { heads * headWidth }

  /// Normal numbers in rows of one number more than is read, so that a wrong stride shows.
  convenience init(
    tokens: Int, heads: Int, headWidth: Int, seed: UInt64, scale: Float = 1, isa: ck_isa = ck_isa_best()
  ) {
    var generator = TestGenerator(seed: seed)
    let numbers = tokens * (heads * headWidth + 1)
    self.init(
      tokens: tokens, heads: heads, headWidth: headWidth, keys: generator.gaussians(numbers, scale: scale),
      values: generator.gaussians(numbers, scale: scale), isa: isa)
  }

  /// keys and values: `[tokens, heads * headWidth + 1]`.
  init(
    tokens: Int, heads: Int, headWidth: Int, keys: [Float], values: [Float], isa: ck_isa = ck_isa_best()
  ) {
    self.tokens = tokens
    self.heads = heads
    self.headWidth = headWidth
    self.keys = keys
    self.values = values
    let width = heads * headWidth
    stride = width + 1
    let lanes = Int(CK_FROZEN_LANES)
    let padded = (tokens + lanes - 1) / lanes * lanes
    keyNumbers = .allocate(capacity: max(1, width * padded))
    keyScales = .allocate(capacity: max(1, heads * padded))
    valueNumbers = .allocate(capacity: max(1, width * tokens))
    valueScales = .allocate(capacity: max(1, heads * padded))
    // What freezing leaves out shows.
    keyNumbers.initialize(repeating: 99, count: width * padded)
    keyScales.initialize(repeating: 99, count: heads * padded)
    valueNumbers.initialize(repeating: 99, count: width * tokens)
    valueScales.initialize(repeating: 99, count: heads * padded)
    let shape = (tokens: Int32(tokens), heads: Int32(heads), width: Int32(headWidth), stride: Int32(width + 1))
    ck_freeze_keys(isa, shape.tokens, shape.heads, shape.width, keys, shape.stride, keyNumbers, keyScales)
    ck_freeze_values(isa, shape.tokens, shape.heads, shape.width, values, shape.stride, valueNumbers, valueScales)
  }

  deinit {
    keyNumbers.deallocate()
    keyScales.deallocate()
    valueNumbers.deallocate()
    valueScales.deallocate()
  }

  var kernel: ck_frozen_tokens {
    ck_frozen_tokens(
      tokens: Int32(tokens), keys: keyNumbers, key_scales: keyScales, values: valueNumbers, value_scales: valueScales)
  }

  func keyScale(_ head: Int, _ token: Int) -> Float { keyScales[head * padded + token] }
  func valueScale(_ head: Int, _ token: Int) -> Float { valueScales[head * padded + token] }

  /// The numbers a key is stored as, past the last token too.
  func keyNumber(_ head: Int, _ token: Int, _ index: Int) -> Int8 {
    keyNumbers[(head * headWidth + index) * padded + token]
  }

  /// Everything that is stored: numbers and scales of keys, then of values.
  var stored: (numbers: [Int8], scales: [Float]) {
    let width = heads * headWidth
    return (
      Array(UnsafeBufferPointer(start: keyNumbers, count: width * padded))
        + Array(UnsafeBufferPointer(start: valueNumbers, count: width * tokens)),
      Array(UnsafeBufferPointer(start: keyScales, count: heads * padded))
        + Array(UnsafeBufferPointer(start: valueScales, count: heads * padded))
    )
  }

  /// What the kernels read.
  func key(_ head: Int, _ token: Int, _ index: Int) -> Double {
    Double(keyScale(head, token)) * Double(keyNumber(head, token, index))
  }

  func value(_ head: Int, _ token: Int, _ index: Int) -> Double {
    Double(valueScale(head, token)) * Double(valueNumbers[(head * tokens + token) * headWidth + index])
  }
}
