/// What the markers of a JPEG file say, found without decoding.
struct JPEGStructure {
  private(set) var width = 0
  private(set) var height = 0
  private(set) var components = 0
  /// How many times the coefficients are refined: 1 unless the file is progressive or keeps its components apart.
  private(set) var scans = 0
  /// Whether the file has its end marker.
  private(set) var ends = false
  private(set) var orientation: ImageOrientation?

  /// Walks the markers. O(bytes); anything unexpected ends the walk, and the decoder then finds the same fault.
  init(_ bytes: [UInt8]) {
    var exif: ImageOrientation?
    var xmp: ImageOrientation?
    bytes.withUnsafeBufferPointer { file in
      var index = 2
      while let marker = Self.nextMarker(in: file, from: &index) {
        if marker == 0xD9 {
          ends = true
          break
        }
        if marker == 0x01 || (0xD0...0xD8).contains(marker) { continue }
        guard index + 2 <= file.count else { break }
        let length = Int(file[index]) << 8 | Int(file[index + 1])
        guard length >= 2, index + length <= file.count else { break }
        let payload = (index + 2)..<(index + length)
        switch marker {
        case 0xC0...0xCF where marker != 0xC4 && marker != 0xC8 && marker != 0xCC:
          if width == 0, payload.count >= 6 {
            height = Int(file[payload.lowerBound + 1]) << 8 | Int(file[payload.lowerBound + 2])
            width = Int(file[payload.lowerBound + 3]) << 8 | Int(file[payload.lowerBound + 4])
            components = Int(file[payload.lowerBound + 5])
          }
        case 0xDA: scans += 1
        case 0xE1:
          if exif == nil, file[payload].starts(with: Self.exifName) {
            exif = ImageOrientation(exif: bytes[payload].dropFirst(Self.exifName.count))
          } else if xmp == nil, file[payload].starts(with: Self.xmpName) {
            xmp = ImageOrientation(xmp: bytes[payload].dropFirst(Self.xmpName.count))
          }
        default: break
        }
        index = payload.upperBound
      }
    }
    orientation = exif ?? xmp
  }

  private static let exifName = Array("Exif\0\0".utf8)
  private static let xmpName = Array("http://ns.adobe.com/xap/1.0/\0".utf8)

  /// The next marker's code; `index` moves behind it. Passes over entropy-coded data, whose FF bytes are followed by 00
  /// or a restart marker's code.
  private static func nextMarker(in file: UnsafeBufferPointer<UInt8>, from index: inout Int) -> UInt8? {
    while index < file.count {
      guard let start = file[index...].firstIndex(of: 0xFF) else { break }
      index = start + 1
      while index < file.count, file[index] == 0xFF { index += 1 }
      guard index < file.count else { break }
      let code = file[index]
      index += 1
      if code != 0 { return code }
    }
    index = file.count
    return nil
  }
}
