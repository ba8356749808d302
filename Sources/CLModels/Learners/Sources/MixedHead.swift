package import Tensor

extension SourceMixture {
  /// Fits the head that reads these sources: kernel ridge, or the cosine softmax, whose confidence judges must fit.
  ///
  /// - Parameters:
  ///   - data: the mixture's sources side by side, with its kernels; one source where the softmax reads it.
  ///   - options: of the closed form; the method is the kernel ridge where trained sources are read, since only it mixes.
  package func fit(
    _ data: LabelledFeatures, options: ClosedFormOptions, pool: ComputePool?
  ) throws(LearnerError) -> FittedHead {
    if readOut == .softmax {
      var softmax = CosineSoftmaxFit.Options()
      softmax.calibrates = false
      // Many classes make a step slow: then it takes fewer examples.
      softmax.batch = max(64, min(softmax.batch, 131_072 / max(1, data.classCount)))
      return try CosineSoftmaxFit.fit(data, options: softmax, pool: pool)
    }
    var options = options
    if isTrained { options.method = .kernelRidge }
    return try ClosedForm.fit(data, options: options, pool: pool)
  }
}
