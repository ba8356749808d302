/// The chunked transfer coding (RFC 9112, section 7.1). Extensions and trailers are checked, bounded and thrown away.
extension HTTPRequestParser {
  mutating func advanceChunked(_ body: inout [UInt8]) throws(HTTPParseError) -> Event {
    while true {
      switch state {
      case .chunkSize:
        guard let size = try takeChunkSize() else { return .needsMoreBytes }
        let (total, overflow) = bodyReceived.addingReportingOverflow(size)
        if overflow || total > bodyLimit { throw .bodyTooLarge(limit: bodyLimit) }
        state = size == 0 ? .trailer : .chunkData(remaining: size)
      case .chunkData(let remaining):
        let count = takeBytes(atMost: remaining, &body)
        if count == 0 { return .needsMoreBytes }
        state = count == remaining ? .chunkEnd : .chunkData(remaining: remaining - count)
        return .bodyBytes(count)
      case .chunkEnd:
        if bufferedCount > 0, buffer[consumed] != 0x0d { throw .badChunk }
        guard bufferedCount > 1 else { return .needsMoreBytes }
        guard buffer[consumed + 1] == 0x0a else { throw .badChunk }
        consumed += 2
        state = .chunkSize
      case .trailer:
        guard try takeTrailerLine() else { return .needsMoreBytes }
      default:
        // The trailer has ended.
        state = .start(skippedEmptyLine: false)
        return .end
      }
    }
  }

  /// The size in the next chunk's line, or nil while the line is incomplete.
  private mutating func takeChunkSize() throws(HTTPParseError) -> Int? {
    lineStart = consumed
    let lineFeed = findLineFeed()
    guard (lineFeed.map { $0 + 1 } ?? buffer.count) - lineStart <= limits.chunkLineBytes else {
      throw .chunkLineTooLong(limit: limits.chunkLineBytes)
    }
    guard let lineFeed else { return nil }
    guard lineFeed > lineStart, buffer[lineFeed - 1] == 0x0d else { throw .badChunk }
    let line = lineStart..<lineFeed - 1
    var size = 0
    var index = line.lowerBound
    while index < line.upperBound, let digit = ByteClass.hexValue(buffer[index]) {
      guard size <= Int.max >> 4 else { throw .badChunk }
      size = size << 4 | Int(digit)
      index += 1
    }
    guard index > line.lowerBound else { throw .badChunk }
    if index < line.upperBound {
      guard buffer[index] == UInt8(ascii: ";"), buffer[index..<line.upperBound].allSatisfy(ByteClass.isFieldValue)
      else { throw .badChunk }
      extensionLength += line.upperBound - index
      guard extensionLength <= limits.chunkExtensionBytes else {
        throw .chunkExtensionsTooLong(limit: limits.chunkExtensionBytes)
      }
    }
    consumed = lineFeed + 1
    scanned = consumed
    return size
  }

  /// Takes one line of the trailer; false while it is incomplete. The empty line ends the request.
  private mutating func takeTrailerLine() throws(HTTPParseError) -> Bool {
    lineStart = consumed
    let lineFeed = findLineFeed()
    let length = (lineFeed.map { $0 + 1 } ?? buffer.count) - lineStart
    guard trailerLength + length <= limits.trailerBytes else { throw .trailerTooLarge(limit: limits.trailerBytes) }
    guard let lineFeed else { return false }
    let line = try lineContent(lineFeed)
    if line.isEmpty {
      state = .end
    } else {
      guard trailerFields < limits.headerFields else { throw .tooManyFields(limit: limits.headerFields) }
      _ = try splitFieldLine(line)
      trailerFields += 1
      trailerLength += length
    }
    consumed = lineFeed + 1
    scanned = consumed
    return true
  }
}
