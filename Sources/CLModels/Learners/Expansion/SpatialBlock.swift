internal import Tensor

/// What a slice's block gives later slices to read, `[rows, width]` each; `nil` where nothing reads it.
struct BlockOutputs<Scalar: KernelScalar> {
  /// What is attended to, which the joint form reads.
  let attentionInput: Matrix<Scalar>
  /// What goes into the two layers of the feature mixing, which task attention reads.
  let mixingInput: Matrix<Scalar>
  let hidden: Matrix<Scalar>
}

/// What all older slices give one block: theirs side by side.
struct OldOutputs<Scalar: KernelScalar> {
  let attentionInput: Matrix<Scalar>?
  let mixing: FeatureMixing.Old<Scalar>?

  static var none: Self { Self(attentionInput: nil, mixing: nil) }

  static func joined(_ slices: [BlockOutputs<Scalar>], path: NetworkShape.CrossTaskPath) -> Self {
    guard !slices.isEmpty else { return none }
    return switch path {
    case .independent: none
    case .joint: Self(attentionInput: .sideBySide(slices.map(\.attentionInput)), mixing: nil)
    case .dense:
      Self(
        attentionInput: nil,
        mixing: .init(
          input: .sideBySide(slices.map(\.mixingInput)), hidden: .sideBySide(slices.map(\.hidden))))
    }
  }
}

/// One task's slice of a block over all tokens: x + attention(norm(x)), then y + mixing(norm(y)).
struct SpatialBlock: Sendable {
  let attentionNorm: PieceNormalization
  let attention: SliceAttention
  let mixingNorm: PieceNormalization
  let mixing: FeatureMixing

  init(_ shape: SliceShape, index: Int) {
    let name = "block\(index)"
    attentionNorm = PieceNormalization(name: name + ".attentionNorm", width: shape.width)
    attention = shape.attention(name + ".attention", isSpatial: true)
    mixingNorm = PieceNormalization(name: name + ".mixingNorm", width: shape.width)
    mixing = shape.mixing(name + ".mixing")
  }

  struct Saved<Scalar: KernelScalar> {
    fileprivate let attentionNorm: LayerNormalization.Saved<Scalar>
    fileprivate let attention: SliceAttention.Saved<Scalar>
    fileprivate let mixingNorm: LayerNormalization.Saved<Scalar>
    fileprivate let mixing: FeatureMixing.Saved<Scalar>

    var outputs: BlockOutputs<Scalar> {
      BlockOutputs(attentionInput: attention.input, mixingInput: mixing.input, hidden: mixing.hidden)
    }
  }

  func declare(in layout: inout ParameterLayout) {
    attentionNorm.declare(in: &layout)
    attention.declare(in: &layout)
    mixingNorm.declare(in: &layout)
    mixing.declare(in: &layout)
  }

  func start<Scalar: KernelScalar>(
    _ parameters: inout ParameterVector<Scalar>, _ generator: inout SeededGenerator
  ) {
    attentionNorm.start(&parameters)
    attention.start(&parameters, &generator)
    mixingNorm.start(&parameters)
    mixing.start(&parameters, &generator)
  }

  /// x `[images * tokens, width]` to the same shape.
  func forward<Scalar: KernelScalar>(
    _ x: Matrix<Scalar>, old: OldOutputs<Scalar>, images: Int, pairs: Matrix<Scalar>,
    _ parameters: ParameterVector<Scalar>
  ) -> (output: Matrix<Scalar>, saved: Saved<Scalar>) {
    let (read, attentionNormSaved) = attentionNorm.forward(x, parameters)
    var (y, attentionSaved) = attention.forward(
      read, old: old.attentionInput, images: images, pairs: pairs, parameters)
    y.add(x)
    let (mixed, mixingNormSaved) = mixingNorm.forward(y, parameters)
    var (output, mixingSaved) = mixing.forward(mixed, old: old.mixing, parameters)
    output.add(y)
    return (
      output,
      Saved(
        attentionNorm: attentionNormSaved, attention: attentionSaved, mixingNorm: mixingNormSaved,
        mixing: mixingSaved)
    )
  }

  /// The gradient of x; adds those of the parameters.
  func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, old: OldOutputs<Scalar>, images: Int, pairs: Matrix<Scalar>,
    _ parameters: ParameterVector<Scalar>, saved: Saved<Scalar>, into gradients: inout ParameterVector<Scalar>
  ) -> Matrix<Scalar> {
    let mixed = mixing.backward(gradient, old: old.mixing, parameters, saved: saved.mixing, into: &gradients)
    var y = mixingNorm.backward(mixed, parameters, saved: saved.mixingNorm, into: &gradients)
    y.add(gradient)
    let read = attention.backward(
      y, old: old.attentionInput, images: images, pairs: pairs, parameters, saved: saved.attention, into: &gradients)
    var x = attentionNorm.backward(read, parameters, saved: saved.attentionNorm, into: &gradients)
    x.add(y)
    return x
  }
}
