/// Every limit and deadline of the server. The name of a setting in a problem document is the property's name in snake
/// case.
package struct HTTPServerConfiguration: Sendable {
  package var address: HTTPAddress
  /// Threads that do the input and output.
  package var reactors = 1
  /// Open connections; one more is answered with 503 and closed.
  package var maximumConnections = 10_000
  /// Length of the request line.
  package var requestLineBytes = 8 * 1024
  /// Length of the whole head, request line included.
  package var headerBytes = 32 * 1024
  /// Field lines in the head.
  package var headerFields = 100
  /// Length of the trailer of a chunked body; its fields are checked and thrown away.
  package var trailerBytes = 8 * 1024
  /// From the first byte of a head to its last.
  package var headerDeadline: Duration = .seconds(10)
  /// A body has to bring `minimumBodyRate` bytes a second in every window of `bodyRateWindow`, and a client has to take as
  /// much of an answer in every window of `writeTimeout`, streams excepted; 0 turns both checks off.
  package var minimumBodyRate = 1024
  package var bodyRateWindow: Duration = .seconds(10)
  /// How long a connection may stay open between requests, and before the first.
  package var idleTimeout: Duration = .seconds(60)
  /// How long output may wait without the client taking any of it.
  package var writeTimeout: Duration = .seconds(30)
  /// How long the server goes on reading, and discarding, after it has refused a request and said so.
  package var lingerTimeout: Duration = .seconds(2)
  /// Request body bytes in memory over all connections, from the head's acceptance to the answer.
  package var maximumBufferedBytes = 1 << 30
  /// Bytes of one stream that wait for a slow client; a stream over its bound is closed.
  package var streamBufferBytes = 1 << 20

  package init(address: HTTPAddress) {
    self.address = address
  }
}
