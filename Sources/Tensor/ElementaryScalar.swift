internal import Glibc

/// The elementary functions of the precisions we compute in, from the C library.
package protocol ElementaryScalar: BinaryFloatingPoint, Sendable {
  static func exponential(_ x: Self) -> Self
  static func logarithm(_ x: Self) -> Self
  static func arcCosine(_ x: Self) -> Self
  static func errorFunction(_ x: Self) -> Self
}

extension Float: ElementaryScalar {
  package static func exponential(_ x: Float) -> Float { expf(x) }
  package static func logarithm(_ x: Float) -> Float { logf(x) }
  package static func arcCosine(_ x: Float) -> Float { acosf(x) }
  package static func errorFunction(_ x: Float) -> Float { erff(x) }
}

extension Double: ElementaryScalar {
  package static func exponential(_ x: Double) -> Double { exp(x) }
  package static func logarithm(_ x: Double) -> Double { log(x) }
  package static func arcCosine(_ x: Double) -> Double { acos(x) }
  package static func errorFunction(_ x: Double) -> Double { erf(x) }
}
