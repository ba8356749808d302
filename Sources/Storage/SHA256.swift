/// SHA-256 (FIPS 180-4).
///
/// Plain Swift, a few hundred megabytes a second: for artifacts and uploads, not for bulk work.
package struct SHA256: Sendable {
  private var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  private var schedule = [UInt32](repeating: 0, count: 64)
  private var tail: [UInt8] = []
  private var count: UInt64 = 0

  package init() {
    tail.reserveCapacity(128)
  }

  /// The 32-byte hash of `bytes`.
  package static func hash(_ bytes: [UInt8]) -> [UInt8] {
    bytes.withUnsafeBytes { buffer in
      var hasher = SHA256()
      hasher.update(buffer)
      return hasher.finalize()
    }
  }

  /// Adds bytes; any number of calls.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    count &+= UInt64(bytes.count)
    var position = 0
    if !tail.isEmpty {
      position = min(64 - tail.count, bytes.count)
      tail.append(contentsOf: bytes[..<position])
      guard tail.count == 64 else { return }
      let block = tail
      block.withUnsafeBytes { compress($0) }
      tail.removeAll(keepingCapacity: true)
    }
    while bytes.count - position >= 64 {
      compress(UnsafeRawBufferPointer(rebasing: bytes[position..<position + 64]))
      position += 64
    }
    tail.append(contentsOf: bytes[position...])
  }

  /// Pads, and returns the 32 bytes. The value is spent.
  package mutating func finalize() -> [UInt8] {
    let bits = count &* 8
    var padding: [UInt8] = [0x80]
    let used = (tail.count + 1) % 64
    padding.append(contentsOf: repeatElement(0, count: (used <= 56 ? 56 : 120) - used))
    for shift in stride(from: 56, through: 0, by: -8) {
      padding.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
    }
    padding.withUnsafeBytes { update($0) }
    return state.flatMap { word in
      [
        UInt8(word >> 24), UInt8(truncatingIfNeeded: word >> 16), UInt8(truncatingIfNeeded: word >> 8),
        UInt8(truncatingIfNeeded: word),
      ]
    }
  }

  private mutating func compress(_ block: UnsafeRawBufferPointer) {
    schedule.withUnsafeMutableBufferPointer { w in
      for index in 0..<16 {
        w[index] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
      }
      for index in 16..<64 {
        let early = w[index - 15]
        let late = w[index - 2]
        let sigma0 = early.rotated(7) ^ early.rotated(18) ^ (early >> 3)
        let sigma1 = late.rotated(17) ^ late.rotated(19) ^ (late >> 10)
        w[index] = w[index - 16] &+ sigma0 &+ w[index - 7] &+ sigma1
      }
      var (a, b, c, d) = (state[0], state[1], state[2], state[3])
      var (e, f, g, h) = (state[4], state[5], state[6], state[7])
      roundConstants.withUnsafeBufferPointer { k in
        for index in 0..<64 {
          let sum1 = e.rotated(6) ^ e.rotated(11) ^ e.rotated(25)
          let choice = (e & f) ^ (~e & g)
          let first = h &+ sum1 &+ choice &+ k[index] &+ w[index]
          let sum0 = a.rotated(2) ^ a.rotated(13) ^ a.rotated(22)
          let majority = (a & b) ^ (a & c) ^ (b & c)
          (h, g, f, e) = (g, f, e, d &+ first)
          (d, c, b, a) = (c, b, a, first &+ sum0 &+ majority)
        }
      }
      state[0] &+= a
      state[1] &+= b
      state[2] &+= c
      state[3] &+= d
      state[4] &+= e
      state[5] &+= f
      state[6] &+= g
      state[7] &+= h
    }
  }
}

extension UInt32 {
  fileprivate func rotated(_ bits: UInt32) -> UInt32 { (self >> bits) | (self << (32 - bits)) }
}

private let roundConstants: [UInt32] = [
  0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
  0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
  0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
  0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
  0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
  0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
  0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
  0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
]
