/// Which closed-form head is fitted.
package enum ClosedFormMethod: String, Sendable, CaseIterable {
  /// Arc-cosine kernel ridge in dual form: exact, one system of as many rows as there are examples.
  case kernelRidge = "kernel-ridge"
  /// Ridge on random ReLU features (RanPAC): converges to the kernel ridge as features are added.
  case randomFeatures = "random-features"
  /// The cosine to each class's mean feature.
  case nearestClassMean = "nearest-class-mean"
  /// Linear discriminant with one covariance shared by all classes.
  case sharedCovariance = "shared-covariance"
  /// Kernel ridge, and random features from `ClosedFormOptions.crossing` examples on.
  case automatic = "closed-form"
}

/// How a closed-form head is fitted.
package struct ClosedFormOptions: Sendable {
  package var method: ClosedFormMethod
  /// The dual form of this many examples takes 6 GB while it is fitted: with more, running out of memory would end the
  /// process.
  package static let largestDualForm = 20_000

  /// With `.automatic`: the number of examples from which the random-feature form is used, `largestDualForm` at most. With 3,000 random features it
  /// is the faster one from about 3,700 examples on (two Zen 3 cores).
  package var crossing: Int
  /// Where `.automatic` leaves the dual form.
  var dualFormEnd: Int { min(crossing, Self.largestDualForm) }
  /// How many random ReLU features there are. On 50 Tiny-ImageNet classes 1,500, 2,000, 3,000 and 4,000 give .820, .823,
  /// .825 and .829 with 20 images a class (the kernel itself .829), .848, .850, .856 and .856 with 50 (.853).
  package var randomFeatureCount: Int
  /// Where the random features come from; they are generated again from it whenever needed, never stored.
  package var seed: UInt64

  package init(
    method: ClosedFormMethod = .automatic, crossing: Int = 4_000, randomFeatureCount: Int = 3_000, seed: UInt64 = 1
  ) {
    self.method = method
    self.crossing = crossing
    self.randomFeatureCount = randomFeatureCount
    self.seed = seed
  }
}
