import CLModels
import CLServer
import Glibc
import Testing

private let shape = FrozenTokens.Shape(blocks: 2, tokens: 3, heads: 2, headWidth: 8)

private func tokens(_ fill: UInt8) throws -> FrozenTokens {
  try #require(
    FrozenTokens(shape: shape) { bytes in
      for index in bytes.indices { bytes[index] = fill }
      return true
    })
}

private func firstByte(_ tokens: FrozenTokens?) -> UInt8? { tokens?.withBytes { $0.first } }

@Suite struct FrozenCacheTests {
  private let directory: String = {
    var template = Array("/tmp/frozen-cache-XXXXXX".utf8CString)
    _ = mkdtemp(&template)
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }()

  private func cache(memory: Int, file: Int, in directory: String? = nil) -> FrozenCache<FrozenTokens> {
    FrozenCache(
      shape: shape, memoryBytes: memory * shape.byteCount, fileBytes: file * shape.byteCount,
      directory: directory ?? self.directory)
  }

  @Test func memoryFillsFirstThenTheFileThenNothingIsKept() throws {
    let cache = cache(memory: 1, file: 2)
    for id in 1...4 { cache.insert(Int64(id), try tokens(UInt8(id))) }
    #expect(cache.counts.all == 3)
    #expect(cache.counts.inMemory == 1)
    #expect((1...4).map { firstByte(cache.frozen(of: Int64($0))) } == [1, 2, 3, nil])
    rmdir(directory)
  }

  @Test func removedTokensMakeRoomAndAreGone() throws {
    let cache = cache(memory: 1, file: 1)
    for id in 1...2 { cache.insert(Int64(id), try tokens(UInt8(id))) }
    cache.remove([1, 2, 9])
    #expect(cache.counts.all == 0)
    #expect(cache.frozen(of: 2) == nil)
    for id in 5...6 { cache.insert(Int64(id), try tokens(UInt8(id))) }
    #expect((5...6).map { firstByte(cache.frozen(of: Int64($0))) } == [5, 6])
    rmdir(directory)
  }

  @Test func theFileHasNoNameAndWithoutADirectoryThereIsMemoryOnly() throws {
    let named = cache(memory: 0, file: 1)
    named.insert(1, try tokens(1))
    #expect(firstByte(named.frozen(of: 1)) == 1)
    #expect(rmdir(directory) == 0)
    let without = cache(memory: 1, file: 5, in: "/nonexistent")
    for id in 1...2 { without.insert(Int64(id), try tokens(UInt8(id))) }
    #expect(without.counts.all == 1)
  }
}
