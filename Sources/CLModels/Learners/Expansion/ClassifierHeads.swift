package import Tensor

/// One classifier a task, each LayerNorm and a linear map of the whole class token: `[rows, width]` to the logits of
/// all tasks' classes side by side.
package struct ClassifierHeads<Scalar: KernelScalar>: Sendable {
  package let width: Int
  /// How many classes each task has.
  package let classes: [Int]
  package var parameters: ParameterVector<Scalar>

  package var classCount: Int { classes.reduce(0, +) }

  /// Without a task.
  package init(width: Int) {
    self.width = width
    classes = []
    parameters = ParameterVector(ParameterLayout())
  }

  /// Another task's head, at a token that may have become wider. What the older heads say of new features is 0 at
  /// first, and their biases stay.
  package func adding(_ count: Int, width newWidth: Int, _ generator: inout SeededGenerator) -> ClassifierHeads {
    precondition(newWidth >= width, "a token does not shrink")
    let classes = classes + [count]
    var layout = ParameterLayout()
    for (task, count) in classes.enumerated() {
      layout.append("head\(task).gain", 1, newWidth)
      layout.append("head\(task).shift", 1, newWidth)
      layout.append("head\(task).weights", count, newWidth)
      layout.append("head\(task).biases", 1, count)
    }
    var grown = ParameterVector<Scalar>(layout)
    let further = newWidth - width
    for task in classes.indices {
      let one = [Scalar](repeating: 1, count: newWidth)
      guard task < classes.count - 1 else {
        grown.set("head\(task).gain", one)
        grown.fill("head\(task).weights", deviation: 0.02, &generator)
        continue
      }
      grown.set("head\(task).gain", parameters.vector("head\(task).gain") + one.suffix(further))
      grown.set(
        "head\(task).shift", parameters.vector("head\(task).shift") + [Scalar](repeating: 0, count: further))
      let weights = parameters.matrix("head\(task).weights")
      grown.set(
        "head\(task).weights",
        Matrix.sideBySide([weights, Matrix(rows: weights.rows, columns: further)]).storage)
      grown.set("head\(task).biases", parameters.vector("head\(task).biases"))
    }
    return ClassifierHeads(width: newWidth, classes: classes, parameters: grown)
  }

  private init(width: Int, classes: [Int], parameters: ParameterVector<Scalar>) {
    self.width = width
    self.classes = classes
    self.parameters = parameters
  }

  struct Saved {
    fileprivate let norms: [LayerNormalization.Saved<Scalar>]
    fileprivate let normalized: [Matrix<Scalar>]
  }

  func forward(_ token: Matrix<Scalar>) -> (logits: Matrix<Scalar>, saved: Saved) {
    var norms: [LayerNormalization.Saved<Scalar>] = []
    var normalized: [Matrix<Scalar>] = []
    var logits: [Matrix<Scalar>] = []
    for task in classes.indices {
      let (output, saved) = LayerNormalization.forward(
        token, gain: parameters.vector("head\(task).gain"), bias: parameters.vector("head\(task).shift"),
        epsilon: Scalar(NetworkShape.epsilon))
      norms.append(saved)
      normalized.append(output)
      logits.append(
        LinearMap.forward(
          output, weights: parameters.matrix("head\(task).weights"), bias: parameters.vector("head\(task).biases")))
    }
    return (.sideBySide(logits), Saved(norms: norms, normalized: normalized))
  }

  /// The gradient of the token and of the parameters.
  func backward(
    _ gradient: Matrix<Scalar>, saved: Saved
  ) -> (token: Matrix<Scalar>, parameters: ParameterVector<Scalar>) {
    var gradients = ParameterVector<Scalar>(parameters.layout)
    var token = Matrix<Scalar>(rows: gradient.rows, columns: width)
    var first = 0
    for (task, count) in classes.enumerated() {
      let back = LinearMap.backward(
        gradient.selectingColumns([first..<first + count]), input: saved.normalized[task],
        weights: parameters.matrix("head\(task).weights"))
      gradients.set("head\(task).weights", back.weights.storage)
      gradients.set("head\(task).biases", back.bias)
      let norm = LayerNormalization.backward(
        back.input, saved: saved.norms[task], gain: parameters.vector("head\(task).gain"))
      gradients.set("head\(task).gain", norm.gain)
      gradients.set("head\(task).shift", norm.bias)
      token.add(norm.input)
      first += count
    }
    return (token, gradients)
  }
}
