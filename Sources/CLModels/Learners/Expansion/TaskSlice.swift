package import Tensor

/// One task's slice of every layer. It reads older slices and never changes them; once the next task has come it is
/// never changed itself.
package struct TaskSlice<Scalar: KernelScalar>: Sendable {
  package let shape: SliceShape
  package var parameters: ParameterVector<Scalar>
  private let blocks: [SpatialBlock]
  private let classBlock: ClassBlock

  /// With parameters to start from.
  package init(_ shape: SliceShape, _ generator: inout SeededGenerator) {
    self.shape = shape
    blocks = shape.blocks
    classBlock = shape.classBlock
    parameters = ParameterVector(shape.layout)
    parameters.fill("patch.weights", deviation: 1 / Double(shape.network.patchInputs).squareRoot(), &generator)
    parameters.fill("positions", deviation: 0.02, &generator)
    for block in blocks { block.start(&parameters, &generator) }
    classBlock.start(&parameters, &generator)
  }

  /// What one slice computed on a batch.
  struct Pass {
    /// The class token's slice, `[images, width]`.
    let token: Matrix<Scalar>
    fileprivate let blocks: [SpatialBlock.Saved<Scalar>]
    fileprivate let classBlock: ClassBlock.Saved<Scalar>
    fileprivate let old: [OldOutputs<Scalar>]

    /// For later slices, block after block, the class-attention block last.
    var outputs: [BlockOutputs<Scalar>] { blocks.map(\.outputs) + [classBlock.outputs] }
  }

  /// - Parameters:
  ///   - patches: `[images * tokens, patch inputs]`.
  ///   - older: of all older slices, in order.
  func forward(patches: Matrix<Scalar>, pairs: Matrix<Scalar>, older: [Pass]) -> Pass {
    let images = patches.rows / shape.network.tokens
    let given = older.map(\.outputs)
    let old = (0...blocks.count).map { block in
      OldOutputs.joined(given.map { $0[block] }, path: shape.network.path)
    }
    var x = LinearMap.forward(
      patches, weights: parameters.matrix("patch.weights"), bias: parameters.vector("patch.bias"))
    addPositions(to: &x)
    var saved: [SpatialBlock.Saved<Scalar>] = []
    for (index, block) in blocks.enumerated() {
      let result = block.forward(x, old: old[index], images: images, pairs: pairs, parameters)
      x = result.output
      saved.append(result.saved)
    }
    let (token, classSaved) = classBlock.forward(x, old: old[blocks.count], images: images, parameters)
    return Pass(token: token, blocks: saved, classBlock: classSaved, old: old)
  }

  /// From the gradient of the class token's slice to that of the parameters; older slices get none.
  func backward(
    _ gradient: Matrix<Scalar>, patches: Matrix<Scalar>, pairs: Matrix<Scalar>, pass: Pass
  ) -> ParameterVector<Scalar> {
    let images = patches.rows / shape.network.tokens
    var gradients = ParameterVector<Scalar>(parameters.layout)
    var x = classBlock.backward(
      gradient, old: pass.old[blocks.count], images: images, parameters, saved: pass.classBlock, into: &gradients)
    for (index, block) in blocks.enumerated().reversed() {
      x = block.backward(
        x, old: pass.old[index], images: images, pairs: pairs, parameters, saved: pass.blocks[index],
        into: &gradients)
    }
    gradients.add("patch.weights", x.transposedTimes(patches).storage)
    gradients.add("patch.bias", x.columnSums())
    // A row an image: the sums over images.
    let byImage = Matrix(rows: images, columns: shape.network.tokens * shape.width, storage: x.storage)
    gradients.add("positions", byImage.columnSums())
    return gradients
  }

  private func addPositions(to x: inout Matrix<Scalar>) {
    let positions = parameters.vector("positions")
    x.storage.withUnsafeMutableBufferPointer { x in
      positions.withUnsafeBufferPointer { positions in
        for base in Swift.stride(from: 0, to: x.count, by: positions.count) {
          for index in positions.indices { x[base + index] += positions[index] }
        }
      }
    }
  }
}
