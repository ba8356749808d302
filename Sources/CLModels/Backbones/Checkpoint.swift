/// The tensors of a weights file, found by a naming scheme and handed out as checked numbers.
struct Checkpoint {
  let scheme: NamingScheme
  private let file: UnsafeRawBufferPointer
  private let header: SafetensorsHeader
  /// What stands in front of every name, as `vit.` where a classifier's backbone was stored whole.
  private let prefix: String

  /// Reads the header and recognises the scheme.
  init(file: UnsafeRawBufferPointer) throws(BackboneError) {
    let header: SafetensorsHeader
    do throws(SafetensorsError) { header = try SafetensorsHeader(file: file) } catch { throw .weights(error) }
    var found: (NamingScheme, String)?
    search: for (scheme, prefixes, tensors) in NamingScheme.recognised {
      for prefix in prefixes where tensors.allSatisfy({ header.tensors[prefix + $0] != nil }) {
        found = (scheme, prefix)
        break search
      }
    }
    guard let found else {
      throw .unsupported("its tensors' names are not those of a vision transformer of timm or Hugging Face")
    }
    self.file = file
    self.header = header
    (scheme, prefix) = found
    for (name, meaning) in scheme.refused where header.tensors[prefix + name] != nil {
      throw .unsupported("it has \(meaning)")
    }
  }

  func contains(_ name: String) -> Bool { header.tensors[prefix + name] != nil }

  func shape(_ name: String) throws(BackboneError) -> [Int] {
    guard let tensor = header.tensors[prefix + name] else { throw .missingTensor(prefix + name) }
    return tensor.shape
  }

  /// How many blocks there are: blocks 0..<n have a first LayerNorm.
  var blockCount: Int {
    var count = 0
    while contains(scheme.inBlock(scheme.norm1, count) + ".weight") { count += 1 }
    return count
  }

  /// A tensor of floats in any width, which must have `shape`; all finite. Leading sides of 1 in the file are ignored.
  func floats(_ name: String, shape: [Int]) throws(BackboneError) -> [Float] {
    let tensor = try tensor(name, shape: shape)
    let bytes = UnsafeRawBufferPointer(rebasing: file[tensor.range])
    guard let values = tensor.type.floats(bytes) else {
      throw .wrongType(tensor: prefix + name, type: tensor.type.rawValue)
    }
    guard values.allSatisfy(\.isFinite) else { throw .notFinite(tensor: prefix + name) }
    return values
  }

  /// `NAME.weight` `[outputs, inputs]`, as floats or as int8 with `NAME.weight_scale` `[outputs]`, and `NAME.bias`
  /// `[outputs]`, zeros where there is none.
  func linear(_ name: String, outputs: Int, inputs: Int) throws(BackboneError) -> LinearWeights {
    try linear(name, outputs: outputs, inputShape: [inputs])
  }

  /// As `linear`, for weights whose inputs have several sides in the file, as a convolution's.
  func linear(_ name: String, outputs: Int, inputShape: [Int]) throws(BackboneError) -> LinearWeights {
    let bias =
      contains(name + ".bias")
      ? try floats(name + ".bias", shape: [outputs]) : [Float](repeating: 0, count: outputs)
    let shape = [outputs] + inputShape
    let inputs = inputShape.reduce(1, *)
    let weights = try tensor(name + ".weight", shape: shape)
    guard weights.type == .int8 else {
      let values = try floats(name + ".weight", shape: shape)
      return LinearWeights(
        name: prefix + name + ".weight", outputs: outputs, inputs: inputs, values: .float(values), bias: bias)
    }
    let scales = try floats(name + ".weight_scale", shape: [outputs])
    let values = [Int8](UnsafeRawBufferPointer(rebasing: file[weights.range]).bindMemory(to: Int8.self))
    return LinearWeights(
      name: prefix + name + ".weight", outputs: outputs, inputs: inputs, values: .int8(values, scales: scales),
      bias: bias)
  }

  private func tensor(_ name: String, shape: [Int]) throws(BackboneError) -> SafetensorsHeader.Tensor {
    guard let tensor = header.tensors[prefix + name] else { throw .missingTensor(prefix + name) }
    guard tensor.shape.drop(while: { $0 == 1 }) == shape.drop(while: { $0 == 1 }) else {
      throw .wrongShape(tensor: prefix + name, expected: shape, found: tensor.shape)
    }
    return tensor
  }
}

extension SafetensorsHeader.ElementType {
  /// The numbers as float32; nil for types that are not floats of 16 bits or more. The bytes may be unaligned.
  fileprivate func floats(_ bytes: UnsafeRawBufferPointer) -> [Float]? {
    switch self {
    case .float32: Self.convert(bytes, UInt32.self) { Float(bitPattern: UInt32(littleEndian: $0)) }
    case .float16: Self.convert(bytes, UInt16.self) { Float(Float16(bitPattern: UInt16(littleEndian: $0))) }
    case .bfloat16: Self.convert(bytes, UInt16.self) { Float(bitPattern: UInt32(UInt16(littleEndian: $0)) << 16) }
    case .float64: Self.convert(bytes, UInt64.self) { Float(Double(bitPattern: UInt64(littleEndian: $0))) }
    default: nil
    }
  }

  private static func convert<Bits: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: UnsafeRawBufferPointer, _ bits: Bits.Type, _ number: (Bits) -> Float
  ) -> [Float] {
    let stride = MemoryLayout<Bits>.size
    return (0..<bytes.count / stride).map { number(bytes.loadUnaligned(fromByteOffset: $0 * stride, as: Bits.self)) }
  }
}
