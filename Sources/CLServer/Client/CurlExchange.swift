import CCurl
import Glibc

/// One request and its answer over libcurl. Bodies are read from descriptors and files, never held whole.
package struct CurlExchange {
  package enum Body: Sendable {
    case none
    /// `size` bytes from the start of an open file.
    case file(descriptor: Int32, size: Int, contentType: String)
    /// Files as parts of `multipart/form-data`.
    case multipart(files: [String])
  }

  package struct Answer: Sendable {
    package let status: Int
    package let body: [UInt8]
  }

  package enum Failure: Error, Sendable {
    case notConnected(String)
    /// The connection broke: the server may have taken the request.
    case broken(String)
    /// A file of the request cannot be read.
    case unreadable(String)
  }

  package let method: String
  package let url: String
  package let headers: [String]
  package let body: Body
  package let bypassesProxy: Bool

  private static var largestAnswer: Int { 256 << 20 }

  /// - Parameter progress: bytes sent and to send, many times a second.
  package func perform(progress: ((Int, Int) -> Void)? = nil) throws(Failure) -> Answer {
    guard let handle = curl_easy_init() else { throw .notConnected("libcurl does not start") }
    defer { curl_easy_cleanup(handle) }
    var lines: UnsafeMutablePointer<curl_slist>?
    for header in headers { lines = curl_slist_append(lines, header) ?? lines }
    defer { curl_slist_free_all(lines) }
    var mime: OpaquePointer?
    defer { curl_mime_free(mime) }

    let transfer = CurlTransfer(body: body, largestAnswer: Self.largestAnswer, progress: progress)
    setUp(handle, transfer)
    switch body {
    case .none:
      break
    case .file(_, let size, let contentType):
      lines = curl_slist_append(lines, "Content-Type: \(contentType)") ?? lines
      ccurl_set_long(handle, CURLOPT_POST, 1)
      ccurl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(size))
    case .multipart(let files):
      mime = makeMultipart(handle, files)
      ccurl_set_mime(handle, mime)
    }
    ccurl_set_headers(handle, lines)
    ccurl_set_string(handle, CURLOPT_CUSTOMREQUEST, method)

    let code = withExtendedLifetime(transfer) { curl_easy_perform(handle) }
    guard code == CURLE_OK else { throw failure(code) }
    var status = 0
    ccurl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
    return Answer(status: status, body: transfer.received)
  }

  private func setUp(_ handle: UnsafeMutableRawPointer, _ transfer: CurlTransfer) {
    let pointer = Unmanaged.passUnretained(transfer).toOpaque()
    ccurl_set_string(handle, CURLOPT_URL, url)
    ccurl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http,https")
    ccurl_set_string(handle, CURLOPT_USERAGENT, "clserver/\(Version.current)")
    ccurl_set_long(handle, CURLOPT_NOSIGNAL, 1)
    ccurl_set_long(handle, CURLOPT_CONNECTTIMEOUT, 10)
    ccurl_set_long(handle, CURLOPT_LOW_SPEED_LIMIT, 1)
    ccurl_set_long(handle, CURLOPT_LOW_SPEED_TIME, 300)
    if bypassesProxy { ccurl_set_string(handle, CURLOPT_NOPROXY, "*") }
    ccurl_set_write_function(handle, receiveBytes)
    ccurl_set_pointer(handle, CURLOPT_WRITEDATA, pointer)
    if case .file = body {
      ccurl_set_read_function(handle, supplyBytes)
      ccurl_set_pointer(handle, CURLOPT_READDATA, pointer)
      ccurl_set_seek_function(handle, rewindBytes)
      ccurl_set_pointer(handle, CURLOPT_SEEKDATA, pointer)
    }
    ccurl_set_long(handle, CURLOPT_NOPROGRESS, 0)
    ccurl_set_progress_function(handle, reportProgress)
    ccurl_set_pointer(handle, CURLOPT_XFERINFODATA, pointer)
  }

  private func makeMultipart(_ handle: UnsafeMutableRawPointer, _ files: [String]) -> OpaquePointer? {
    let mime = curl_mime_init(handle)
    for file in files {
      let part = curl_mime_addpart(mime)
      curl_mime_name(part, "file")
      curl_mime_filedata(part, file)
      curl_mime_type(part, "application/octet-stream")
    }
    return mime
  }

  private func failure(_ code: CURLcode) -> Failure {
    let reason = String(cString: curl_easy_strerror(code))
    switch code {
    case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE: return .broken(reason)
    case CURLE_READ_ERROR, CURLE_ABORTED_BY_CALLBACK: return .unreadable(reason)
    default: return .notConnected(reason)
    }
  }
}

/// What the callbacks share during one transfer. Used on the thread of `perform` only.
private final class CurlTransfer {
  var received: [UInt8] = []
  let largestAnswer: Int
  let progress: ((Int, Int) -> Void)?
  let descriptor: Int32
  var offset = 0

  init(body: CurlExchange.Body, largestAnswer: Int, progress: ((Int, Int) -> Void)?) {
    self.largestAnswer = largestAnswer
    self.progress = progress
    if case .file(let descriptor, _, _) = body { self.descriptor = descriptor } else { descriptor = -1 }
  }

  static func at(_ pointer: UnsafeMutableRawPointer?) -> CurlTransfer? {
    pointer.map { Unmanaged<CurlTransfer>.fromOpaque($0).takeUnretainedValue() }
  }
}

private func receiveBytes(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ user: UnsafeMutableRawPointer?
) -> Int {
  guard let transfer = CurlTransfer.at(user), transfer.received.count + size * count <= transfer.largestAnswer
  else { return 0 }
  transfer.received.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: size * count))
  return size * count
}

private func supplyBytes(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ user: UnsafeMutableRawPointer?
) -> Int {
  guard let transfer = CurlTransfer.at(user) else { return Int(CURL_READFUNC_ABORT) }
  let got = pread(transfer.descriptor, bytes, size * count, transfer.offset)
  guard got >= 0 else { return Int(CURL_READFUNC_ABORT) }
  transfer.offset += got
  return got
}

private func rewindBytes(_ user: UnsafeMutableRawPointer?, _ offset: curl_off_t, _ origin: Int32) -> Int32 {
  guard let transfer = CurlTransfer.at(user), origin == SEEK_SET else { return Int32(CURL_SEEKFUNC_CANTSEEK) }
  transfer.offset = Int(offset)
  return Int32(CURL_SEEKFUNC_OK)
}

private func reportProgress(
  _ user: UnsafeMutableRawPointer?, _ downloadTotal: curl_off_t, _ downloaded: curl_off_t, _ uploadTotal: curl_off_t,
  _ uploaded: curl_off_t
) -> Int32 {
  CurlTransfer.at(user)?.progress?(Int(uploaded), Int(uploadTotal))
  return 0
}
