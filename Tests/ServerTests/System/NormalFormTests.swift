import CLServer
import Testing

/// Expected: Python's `unicodedata.normalize("NFC", text)`.
@Test(
  arguments: [
    ("", [UInt32]()), ("abc", [0x61, 0x62, 0x63]), ("e\u{301}", [0xE9]), ("\u{E9}", [0xE9]),
    ("a\u{301}\u{327}", [0xE1, 0x327]), ("\u{1100}\u{1161}\u{11A8}", [0xAC01]), ("\u{212B}", [0xC5]),
    ("\u{1F71}", [0x3AC]), ("\u{FB01}", [0xFB01]), ("\u{958}", [0x915, 0x93C]),
    ("\u{1F469}\u{1F3FD}\u{200D}\u{1F680}", [0x1F469, 0x1F3FD, 0x200D, 0x1F680]),
  ] as [(String, [UInt32])])
func textIsBroughtIntoNormalFormC(_ text: String, _ scalars: [UInt32]) {
  #expect(text.nfc.unicodeScalars.map(\.value) == scalars)
}
