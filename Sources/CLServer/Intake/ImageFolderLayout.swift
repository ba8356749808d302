/// Where a path of an archive in ImageFolder layout belongs: CLASS/FILE or CLASS/GROUP/FILE.
///
/// Nothing is ever written by these names. Still, a path that would leave its directory is refused: it shows a mistake.
enum ImageFolderLayout {
  /// A path's place, or why it has none.
  enum Place: Equatable {
    case item(label: String, group: String?)
    /// Left out silently: what systems add to folders by themselves.
    case ignored
    case refused(String)
  }

  /// Components of a relative path, without empty and "." ones; a reason when it is absolute or climbs.
  static func components(of path: String) -> Result<[Substring], Refusal> {
    if path.utf8.first == UInt8(ascii: "/") { return .failure(Refusal(reason: "absolute path")) }
    let parts = path.split(separator: "/").filter { $0 != "." }
    if parts.contains("..") { return .failure(Refusal(reason: "path with \"..\"")) }
    if parts.isEmpty { return .failure(Refusal(reason: "no name")) }
    return .success(parts)
  }

  struct Refusal: Error, Equatable {
    let reason: String
  }

  /// macOS's resource forks and Finder's and Explorer's files.
  static func isIgnored(_ components: [Substring]) -> Bool {
    guard let file = components.last else { return true }
    return components.contains("__MACOSX") || file.hasPrefix("._") || file == ".DS_Store" || file == "Thumbs.db"
  }

  /// Whether the first folder is only a wrapper: every path starts with it, and some path is deeper than
  /// CLASS/GROUP/FILE. `photos/apple/1.jpg` alone therefore is class "photos", group "apple".
  static func hasWrapper(_ paths: [[Substring]]) -> Bool {
    guard let first = paths.first?.first else { return false }
    return paths.allSatisfy { $0.count > 1 && $0[0] == first } && paths.contains { $0.count > 3 }
  }

  static func place(_ components: [Substring], wrapped: Bool) -> Place {
    if isIgnored(components) { return .ignored }
    let parts = wrapped ? Array(components.dropFirst()) : components
    switch parts.count {
    case 2: return .item(label: String(parts[0]), group: nil)
    case 3: return .item(label: String(parts[0]), group: String(parts[1]))
    case 0, 1: return .refused("not in a class's folder")
    default: return .refused("deeper than CLASS/GROUP/FILE")
    }
  }

  /// The one sub-folder that each of several classes has, and no other: in CLASS/images/FILE `images` is how the folders
  /// are laid out, not a source that all classes share. Files directly in their class's folder do not matter.
  static func folderOfEveryClass(_ places: some Sequence<Place>) -> String? {
    var folder: String?
    var inFolder: [String: Bool] = [:]
    for case .item(let label, let group) in places {
      inFolder[label] = inFolder[label] ?? false || group != nil
      guard let group else { continue }
      guard folder ?? group == group else { return nil }
      folder = group
    }
    return inFolder.count > 1 && inFolder.values.allSatisfy { $0 } ? folder : nil
  }
}
