internal import CKernels

/// Rows of numbers as unsigned bytes with a scale and a zero a row, x ~= scale (byte - zero), as `ck_quantize_rows`
/// makes them: a place in memory that another object owns. In order: the bytes, the scales, the zeros.
struct QuantizedRows {
  struct Shape: Sendable, Equatable {
    let rows: Int
    let width: Int

    /// Bytes from row to row, as Linears read them.
    var stride: Int { width.roundedUp(to: 4) }
    fileprivate var numberBytes: Int { (rows * stride).roundedUp(to: 64) }
    fileprivate var factorBytes: Int { (rows * MemoryLayout<Float>.stride).roundedUp(to: 64) }
    var byteCount: Int { numberBytes + 2 * factorBytes }
  }

  let shape: Shape
  private let bytes: UnsafeMutablePointer<UInt8>
  private let scales: UnsafeMutablePointer<Float>
  private let zeros: UnsafeMutablePointer<Int32>

  /// base: `shape.byteCount` bytes, aligned to 64.
  init(_ base: UnsafeMutableRawPointer, shape: Shape) {
    self.shape = shape
    bytes = base.bindMemory(to: UInt8.self, capacity: shape.numberBytes)
    scales = (base + shape.numberBytes).bindMemory(to: Float.self, capacity: shape.rows)
    zeros = (base + shape.numberBytes + shape.factorBytes).bindMemory(to: Int32.self, capacity: shape.rows)
  }

  /// Takes rows as a Linear reads them: bytes as they are, floats quantized.
  func store(_ rows: KernelRows, isa: ck_isa) {
    let stride = shape.stride
    switch rows {
    case .quantized(let values, let from, let scale, let zero):
      precondition(from == stride, "rows of one width are one stride apart")
      bytes.update(from: values, count: shape.rows * stride)
      scales.update(from: scale, count: shape.rows)
      zeros.update(from: zero, count: shape.rows)
    case .float(let values, let from):
      ck_quantize_rows(
        isa, Int32(shape.rows), Int32(shape.width), values, Int32(from), bytes, Int32(stride), scales, zeros)
    }
  }

  /// out: `[rows, stride]`, of which the first `width` columns are written.
  func read(into out: UnsafeMutablePointer<Float>, stride: Int, isa: ck_isa) {
    ck_dequantize_rows(
      isa, Int32(shape.rows), Int32(shape.width), bytes, Int32(shape.stride), scales, zeros, out, Int32(stride))
  }
}

/// Several `QuantizedRows` in one piece of memory. Written by the thread that makes it.
struct QuantizedMemory: Sendable {
  let shapes: [QuantizedRows.Shape]
  private let starts: [Int]
  private let memory: AlignedBuffer<UInt8>

  static func byteCount(_ shapes: [QuantizedRows.Shape]) -> Int { shapes.reduce(0) { $0 + $1.byteCount } }

  /// Zeros. Traps when memory is out, as Swift itself does.
  init(_ shapes: [QuantizedRows.Shape]) {
    guard let memory = AlignedBuffer<UInt8>(count: Self.byteCount(shapes)) else {
      fatalError("no memory for quantized rows")
    }
    var starts: [Int] = []
    for shape in shapes.dropLast() { starts.append((starts.last ?? 0) + shape.byteCount) }
    self.shapes = shapes
    self.starts = [0] + starts
    self.memory = memory
  }

  /// Valid while this object is.
  subscript(index: Int) -> QuantizedRows {
    QuantizedRows(memory.pointer + starts[index], shape: shapes[index])
  }

  var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: memory.pointer, count: Self.byteCount(shapes))
  }
}
