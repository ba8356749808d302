internal import Tensor

/// One task's slice of the class-attention block (CaiT, Touvron et al. 2021): the class token asks, itself and all
/// tokens answer; then its features are mixed. c + attention(norm([c, x])), then d + mixing(norm(d)).
struct ClassBlock: Sendable {
  let attentionNorm: PieceNormalization
  let attention: SliceAttention
  let mixingNorm: PieceNormalization
  let mixing: FeatureMixing
  let width: Int

  init(_ shape: SliceShape) {
    attentionNorm = PieceNormalization(name: "class.attentionNorm", width: shape.width)
    attention = shape.attention("class.attention", isSpatial: false)
    mixingNorm = PieceNormalization(name: "class.mixingNorm", width: shape.width)
    mixing = shape.mixing("class.mixing")
    width = shape.width
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
    layout.append("class.token", 1, width)
    attentionNorm.declare(in: &layout)
    attention.declare(in: &layout)
    mixingNorm.declare(in: &layout)
    mixing.declare(in: &layout)
  }

  func start<Scalar: KernelScalar>(
    _ parameters: inout ParameterVector<Scalar>, _ generator: inout SeededGenerator
  ) {
    parameters.fill("class.token", deviation: 0.02, &generator)
    attentionNorm.start(&parameters)
    attention.start(&parameters, &generator)
    mixingNorm.start(&parameters)
    mixing.start(&parameters, &generator)
  }

  /// x `[images * tokens, width]` to the class token, `[images, width]`.
  func forward<Scalar: KernelScalar>(
    _ x: Matrix<Scalar>, old: OldOutputs<Scalar>, images: Int, _ parameters: ParameterVector<Scalar>
  ) -> (token: Matrix<Scalar>, saved: Saved<Scalar>) {
    let tokens = x.rows / images
    let start = parameters.vector("class.token")
    var all: [Scalar] = []
    all.reserveCapacity((x.rows + images) * width)
    for image in 0..<images {
      all += start
      all += x.storage[image * tokens * width..<(image + 1) * tokens * width]
    }
    let joined = Matrix(rows: x.rows + images, columns: width, storage: all)
    let (read, attentionNormSaved) = attentionNorm.forward(joined, parameters)
    var (token, attentionSaved) = attention.forward(
      read, old: old.attentionInput, images: images, pairs: nil, parameters)
    token.add(Matrix(rows: images, columns: width, storage: (0..<images).flatMap { _ in start }))
    let (mixed, mixingNormSaved) = mixingNorm.forward(token, parameters)
    var (output, mixingSaved) = mixing.forward(mixed, old: old.mixing, parameters)
    output.add(token)
    return (
      output,
      Saved(
        attentionNorm: attentionNormSaved, attention: attentionSaved, mixingNorm: mixingNormSaved,
        mixing: mixingSaved)
    )
  }

  /// The gradient of x; adds those of the parameters.
  func backward<Scalar: KernelScalar>(
    _ gradient: Matrix<Scalar>, old: OldOutputs<Scalar>, images: Int, _ parameters: ParameterVector<Scalar>,
    saved: Saved<Scalar>, into gradients: inout ParameterVector<Scalar>
  ) -> Matrix<Scalar> {
    let mixed = mixing.backward(gradient, old: old.mixing, parameters, saved: saved.mixing, into: &gradients)
    var token = mixingNorm.backward(mixed, parameters, saved: saved.mixingNorm, into: &gradients)
    token.add(gradient)
    let read = attention.backward(
      token, old: old.attentionInput, images: images, pairs: nil, parameters, saved: saved.attention,
      into: &gradients)
    let joined = attentionNorm.backward(read, parameters, saved: saved.attentionNorm, into: &gradients)
    gradients.add("class.token", token.columnSums())
    gradients.add("class.token", joined.everyRow(joined.rows / images).columnSums())
    let tokens = joined.rows / images
    return joined.selectingRows((0..<joined.rows).lazy.filter { !$0.isMultiple(of: tokens) })
  }
}
