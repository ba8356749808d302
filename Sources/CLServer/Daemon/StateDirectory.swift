import Glibc

/// The directory that holds everything the daemon must not lose.
package enum StateDirectory {
  /// Why it cannot be used.
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  /// Makes the directory and its parents, for this user only, unless they are there.
  package static func create(_ path: String) throws(Failure) {
    var made = path.hasPrefix("/") ? "/" : ""
    for component in path.split(separator: "/") {
      made += made.isEmpty || made.hasSuffix("/") ? String(component) : "/" + component
      if mkdir(made, 0o700) == 0 || errno == EEXIST { continue }
      throw Failure(description: "cannot make the state directory \(path): \(String(cString: strerror(errno)))")
    }
  }
}
