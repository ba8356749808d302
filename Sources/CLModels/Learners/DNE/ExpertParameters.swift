package import Tensor

/// An expert's parameters as its passes compute with them: made once from the flat numbers that an optimizer and a file
/// keep, and read by any number of threads.
package typealias ExpertParameters = ExpertTree<TaskAttention.Prepared<Float>>

/// The gradient of an expert's parameters, to which the images of a step are added.
package typealias ExpertGradient = ExpertTree<TaskAttention.Gradient<Float>>

/// Something for each of an expert's parameters, task attentions in a form of their own.
package struct ExpertTree<Mixing: Sendable>: Sendable {
  struct Linear: Sendable {
    var weights: Matrix<Float>
    var bias: [Float]
  }

  struct Norm: Sendable {
    var gain: [Float]
    var bias: [Float]
  }

  struct Block: Sendable {
    var norm1: Norm
    var query: Matrix<Float>
    var key: Matrix<Float>
    var value: Matrix<Float>
    var attentionOutput: Linear
    var norm2: Norm
    var up: Mixing
    var down: Mixing
  }

  package let shape: ExpertShape
  var input: Linear
  var blocks: [Block]
  var patchNorm: Norm
  var classNorm: Norm
  var correction: Linear?
}

extension ExpertParameters {
  /// flat: `shape.parameterCount` numbers in the order of `ExpertRanges`.
  package init(_ shape: ExpertShape, _ flat: [Float]) {
    self.init(shape, flat) { TaskAttention.Prepared($0) }
  }

  /// All numbers in the order of `ExpertRanges`.
  package var flat: [Float] { flat { $0.parameters } }
}

extension ExpertGradient {
  /// Zeros.
  package init(_ shape: ExpertShape) {
    self.init(shape, [Float](repeating: 0, count: shape.parameterCount)) { TaskAttention.Gradient(of: $0) }
  }

  /// All numbers in the order of `ExpertRanges`, for the parameters that the passes had.
  package func flat(for parameters: ExpertParameters) -> [Float] {
    precondition(parameters.shape == shape, "parameters of another expert")
    let mixings = parameters.blocks.flatMap { [$0.up.parameters, $0.down.parameters] }
    var next = 0
    return flat { gradient in
      defer { next += 1 }
      return gradient.passedBack(to: mixings[next])
    }
  }
}

extension ExpertTree {
  fileprivate init(
    _ shape: ExpertShape, _ flat: [Float], mixing: (TaskAttention.Parameters<Float>) -> Mixing
  ) {
    precondition(flat.count == shape.parameterCount, "parameters of another expert")
    self.shape = shape
    let ranges = shape.ranges
    let slice = shape.sliceWidth
    let heads = shape.oldHeads + shape.heads
    func matrix(_ range: Range<Int>, rows: Int) -> Matrix<Float> {
      Matrix(rows: rows, columns: range.count / rows, storage: Array(flat[range]))
    }
    func linear(_ ranges: ExpertRanges.Linear) -> Linear {
      Linear(weights: matrix(ranges.weights, rows: ranges.bias.count), bias: Array(flat[ranges.bias]))
    }
    func norm(_ ranges: ExpertRanges.Norm) -> Norm {
      Norm(gain: Array(flat[ranges.gain]), bias: Array(flat[ranges.bias]))
    }
    func attention(_ ranges: ExpertRanges.Mixing, inputWidth: Int, outputWidth: Int) -> Mixing {
      mixing(
        TaskAttention.Parameters(
          query: matrix(ranges.query, rows: inputWidth), key: matrix(ranges.key, rows: inputWidth),
          values: matrix(ranges.values, rows: outputWidth), biases: matrix(ranges.biases, rows: heads),
          scale: flat[ranges.scale.lowerBound]))
    }
    input = linear(ranges.input)
    blocks = ranges.blocks.map { block in
      Block(
        norm1: norm(block.norm1), query: matrix(block.query, rows: slice), key: matrix(block.key, rows: slice),
        value: matrix(block.value, rows: slice), attentionOutput: linear(block.attentionOutput),
        norm2: norm(block.norm2),
        up: attention(block.up, inputWidth: shape.headWidth, outputWidth: shape.hiddenWidth),
        down: attention(block.down, inputWidth: shape.hiddenWidth, outputWidth: shape.headWidth))
    }
    patchNorm = norm(ranges.patchNorm)
    classNorm = norm(ranges.classNorm)
    correction = ranges.correction.map(linear)
  }

  /// mixing: called in the order of the blocks, `up` before `down`.
  fileprivate func flat(_ mixing: (Mixing) -> TaskAttention.Parameters<Float>) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(shape.parameterCount)
    func append(_ linear: Linear) {
      result += linear.weights.storage
      result += linear.bias
    }
    func append(_ norm: Norm) {
      result += norm.gain
      result += norm.bias
    }
    func append(_ mixing: TaskAttention.Parameters<Float>) {
      for matrix in [mixing.query, mixing.key, mixing.values, mixing.biases] { result += matrix.storage }
      result.append(mixing.scale)
    }
    append(input)
    for block in blocks {
      append(block.norm1)
      for matrix in [block.query, block.key, block.value] { result += matrix.storage }
      append(block.attentionOutput)
      append(block.norm2)
      append(mixing(block.up))
      append(mixing(block.down))
    }
    append(patchNorm)
    append(classNorm)
    if let correction { append(correction) }
    return result
  }
}
