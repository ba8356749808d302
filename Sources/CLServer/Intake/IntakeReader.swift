/// From a request's body to labelled items. Pure functions of their arguments; any thread; hostile input is expected.
package enum IntakeReader {
  /// A tar (plain, gzip, xz, zstd) or zip in ImageFolder layout: CLASS/FILE or CLASS/GROUP/FILE.
  ///
  /// One top folder around everything is taken off only when every path has it and some path would otherwise be too deep.
  /// Directories, `__MACOSX`, `._*`, `.DS_Store` and `Thumbs.db` are ignored. Absolute paths, "..", links and devices are
  /// rejected as items. An item's name is its path. A sub-folder that every class has alone (CLASS/images/FILE) is no group.
  package static func archive(_ body: [UInt8], limits: IntakeLimits) throws(IntakeError) -> Intake {
    guard !body.isEmpty else { throw .empty }
    let files = try ArchiveFile.all(in: body, limits: limits)
    let paths = files.map { ImageFolderLayout.components(of: $0.path) }
    let wrapped = ImageFolderLayout.hasWrapper(
      paths.compactMap { try? $0.get() }.filter { !ImageFolderLayout.isIgnored($0) })
    let places = paths.map { path in path.map { ImageFolderLayout.place($0, wrapped: wrapped) } }
    let common = ImageFolderLayout.folderOfEveryClass(places.compactMap { try? $0.get() })
    var intake = Intake()
    for (file, place) in zip(files, places) {
      switch place {
      case .success(.ignored): continue
      case .failure(let refusal): intake.reject(limits.shortened(file.path), refusal.reason)
      case .success(.refused(let reason)): intake.reject(limits.shortened(file.path), reason)
      case .success(.item(let label, let group)):
        switch file.content {
        case .refused(let reason): intake.reject(limits.shortened(file.path), reason)
        case .bytes(let bytes):
          let group = group == common ? nil : group
          intake.add(IntakeItem(label: label, name: file.path, bytes: bytes, group: group), limits: limits)
        }
      }
    }
    guard intake.count > 0 else { throw .empty }
    return intake
  }
}
