/// What `clserver --version`, the `Server` header and `/metrics` report.
package enum Version {
  /// Semantic version of this build.
  package static let current = "0.1.0"
}
