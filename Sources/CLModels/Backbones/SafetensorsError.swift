/// How a file breaks the safetensors format.
package enum SafetensorsError: Error, Equatable, Sendable {
  /// The file ends before its header does.
  case truncated
  /// The header is longer than `limit` bytes.
  case headerTooLarge(limit: Int)
  /// The header is not the JSON it has to be; `reason` says where or why.
  case malformedHeader(String)
  case duplicateName(String)
  case unknownType(tensor: String, type: String)
  /// The bytes a tensor's offsets span are not those its shape and type need.
  case wrongSize(tensor: String)
  case outOfBounds(tensor: String)
  /// The tensor begins before the one in front of it ends.
  case overlap(tensor: String)
  /// Bytes that belong to no tensor, in front of this one or at the end (nil).
  case gap(before: String?)
}

extension SafetensorsError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .truncated: "it ends before its header does"
    case .headerTooLarge(let limit): "its header is longer than \(limit) bytes"
    case .malformedHeader(let reason): "its header is malformed: \(reason)"
    case .duplicateName(let name): "the name \(name) occurs twice in its header"
    case .unknownType(let tensor, let type): "tensor \(tensor) has the unknown type \(type)"
    case .wrongSize(let tensor): "tensor \(tensor) does not have the bytes its shape and type need"
    case .outOfBounds(let tensor): "tensor \(tensor) lies outside the file"
    case .overlap(let tensor): "tensor \(tensor) overlaps the one in front of it"
    case .gap(let tensor?): "bytes in front of tensor \(tensor) belong to no tensor"
    case .gap(nil): "bytes at the end belong to no tensor"
    }
  }
}
