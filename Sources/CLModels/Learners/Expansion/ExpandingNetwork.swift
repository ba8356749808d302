package import Tensor

/// A network that grows by some heads in every layer with each task, and classifies over all tasks' classes (DNE,
/// Hu et al. 2023). The features of older tasks stay as they are, bit for bit.
package struct ExpandingNetwork<Scalar: KernelScalar>: Sendable {
  package let shape: NetworkShape
  /// A slice a task, the newest last; tasks that added no heads have none.
  package private(set) var slices: [TaskSlice<Scalar>] = []
  package var heads: ClassifierHeads<Scalar>
  private let pairs: Matrix<Scalar>

  /// Without a task.
  package init(_ shape: NetworkShape) {
    self.shape = shape
    heads = ClassifierHeads(width: 0)
    pairs = shape.pairs()
  }

  /// Of the class token, and of every other.
  package var width: Int { slices.reduce(0) { $0 + $1.shape.width } }

  /// Makes room for another task.
  ///
  /// - Parameters:
  ///   - heads: k; 0 leaves the features to be trained further, which the first task cannot.
  ///   - classes: of the task.
  package mutating func expand(heads k: Int, classes: Int, _ generator: inout SeededGenerator) {
    precondition(k > 0 || !slices.isEmpty, "the first task needs heads")
    if k > 0 {
      let oldHeads = slices.reduce(0) { $0 + $1.shape.heads }
      slices.append(TaskSlice(SliceShape(network: shape, oldHeads: oldHeads, heads: k), &generator))
    }
    heads = heads.adding(classes, width: width, &generator)
  }

  /// The newest slice's parameters: with the heads, all that is trained.
  package var newest: ParameterVector<Scalar> {
    get { slices[slices.count - 1].parameters }
    set { slices[slices.count - 1].parameters = newValue }
  }

  /// What all slices computed on a batch.
  struct Pass {
    fileprivate let slices: [TaskSlice<Scalar>.Pass]
    /// The class token, `[images, width]`.
    let token: Matrix<Scalar>
  }

  /// - Parameter patches: `[images * tokens, patch inputs]`.
  func forward(_ patches: Matrix<Scalar>) -> Pass {
    var passes: [TaskSlice<Scalar>.Pass] = []
    for slice in slices { passes.append(slice.forward(patches: patches, pairs: pairs, older: passes)) }
    return Pass(slices: passes, token: .sideBySide(passes.map(\.token)))
  }

  /// From the gradient of the class token to that of the newest slice: the only one that changes.
  func backward(_ gradient: Matrix<Scalar>, patches: Matrix<Scalar>, pass: Pass) -> ParameterVector<Scalar> {
    let newest = slices[slices.count - 1]
    let own = gradient.selectingColumns([width - newest.shape.width..<width])
    return newest.backward(own, patches: patches, pairs: pairs, pass: pass.slices[slices.count - 1])
  }

  /// The class token of each image, `[images, width]`.
  @specialized(where Scalar == Float)
  package func tokens(_ patches: Matrix<Scalar>) -> Matrix<Scalar> { forward(patches).token }

  /// Of all classes known, `[images, classes]`.
  @specialized(where Scalar == Float)
  package func logits(_ patches: Matrix<Scalar>) -> Matrix<Scalar> { heads.forward(tokens(patches)).logits }
}
