/// Something of an image that nothing changes any more, in one piece of memory that can be written to a file and read
/// back.
package protocol FrozenBytes: AnyObject, Sendable {
  associatedtype Shape: FrozenShape

  /// What was written out: `fill` puts `shape.byteCount` bytes into the memory it is given, and says whether it could.
  init?(shape: Shape, fill: (UnsafeMutableRawBufferPointer) -> Bool)

  /// All of it, for writing out.
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result
}

package protocol FrozenShape: Sendable, Equatable {
  var byteCount: Int { get }
}
