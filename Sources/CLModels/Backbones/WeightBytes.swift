/// The bytes of a weights file, wherever they are: a mapped file, or an array in a test.
///
/// CLModels opens no files; the caller maps `model.safetensors` and hands it in. A loaded backbone keeps none of these
/// bytes, so the mapping may go when `VisionTransformer.init` returns.
package protocol WeightBytes: Sendable {
  /// Calls `body` with all bytes; they do not change or move meanwhile. Any thread.
  func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result
}

extension [UInt8]: WeightBytes {
  package func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // The standard library's form does not carry a typed error.
    let outcome = withUnsafeBytes { bytes -> Swift.Result<Result, Failure> in
      do throws(Failure) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    return try outcome.get()
  }
}
