// Swift's Unicode normalisation is not public yet; the standard library offers it to Foundation by this name. Foundation
// itself would bring ICU along.
@_spi(_Unicode) import Swift

extension String {
  /// The text in Unicode's normal form C, in which equal names have equal bytes.
  package var nfc: String {
    if utf8.allSatisfy({ $0 < 0x80 }) { return self }
    var normal = ""
    normal.unicodeScalars.append(contentsOf: _nfc)
    return normal
  }
}
