import CWebP

/// WebP through libwebp: lossy, lossless, with alpha (dropped); of an animation the first frame; EXIF orientation applied.
enum WebPDecoder {
  static func decode(_ bytes: [UInt8], limits: ImageLimits) throws(ImageError) -> RGBImage {
    var result: Result<RGBImage, ImageError> = .failure(.corrupt("not a WebP file"))
    bytes.withUnsafeBufferPointer { file in
      do throws(ImageError) {
        result = .success(try decode(file, limits: limits))
      } catch {
        result = .failure(error)
      }
    }
    return try result.get()
  }

  private static func decode(
    _ file: UnsafeBufferPointer<UInt8>, limits: ImageLimits
  ) throws(ImageError) -> RGBImage {
    var data = WebPData(bytes: file.baseAddress, size: file.count)
    var state = WEBP_DEMUX_PARSE_ERROR
    guard let demuxer = WebPDemuxPartial(&data, &state) else {
      throw state == WEBP_DEMUX_PARSE_ERROR ? .corrupt("the container is malformed") : .truncated("within the header")
    }
    defer { WebPDemuxDelete(demuxer) }
    guard state.rawValue >= WEBP_DEMUX_PARSED_HEADER.rawValue else { throw .truncated("within the header") }
    let width = Int(WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH))
    let height = Int(WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT))
    try limits.check(width: width, height: height)
    guard state == WEBP_DEMUX_DONE else { throw .truncated("the file ends early") }
    var frame = WebPIterator()
    guard WebPDemuxGetFrame(demuxer, 1, &frame) != 0 else { throw .corrupt("no frame") }
    defer { WebPDemuxReleaseIterator(&frame) }
    let image = try decode(frame, width: width, height: height)
    return (orientation(demuxer) ?? .upright).apply(to: image)
  }

  /// The frame on its canvas, black around it.
  private static func decode(_ frame: WebPIterator, width: Int, height: Int) throws(ImageError) -> RGBImage {
    let (left, top) = (Int(frame.x_offset), Int(frame.y_offset))
    let (frameWidth, frameHeight) = (Int(frame.width), Int(frame.height))
    guard frameWidth > 0, frameHeight > 0, left >= 0, top >= 0, left + frameWidth <= width, top + frameHeight <= height
    else { throw .corrupt("the frame lies outside its canvas") }
    // The bitstream has its own header: it must agree, since the buffer is cut to the container's.
    var features = WebPBitstreamFeatures()
    guard WebPGetFeatures(frame.fragment.bytes, frame.fragment.size, &features) == VP8_STATUS_OK,
      Int(features.width) == frameWidth, Int(features.height) == frameHeight
    else { throw .corrupt("the frame and its container disagree") }
    let size = width * height * 3
    let stride = width * 3
    let start = top * stride + left * 3
    var decoded = false
    let pixels = [UInt8](unsafeUninitializedCapacity: size) { out, count in
      if frameWidth < width || frameHeight < height { out.initialize(repeating: 0) }
      let target = out.baseAddress.map { $0 + start }
      let written = WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, target, size - start, Int32(stride))
      decoded = written != nil
      count = decoded ? size : 0
    }
    guard decoded else { throw .corrupt("the frame does not decode") }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  private static func orientation(_ demuxer: OpaquePointer) -> ImageOrientation? {
    func chunk(_ name: String) -> ArraySlice<UInt8>? {
      var iterator = WebPChunkIterator()
      guard WebPDemuxGetChunk(demuxer, name, 1, &iterator) != 0 else { return nil }
      defer { WebPDemuxReleaseChunkIterator(&iterator) }
      return UnsafeBufferPointer(start: iterator.chunk.bytes, count: iterator.chunk.size)[...].map { $0 }[...]
    }
    if var exif = chunk("EXIF") {
      // Some writers keep the name that precedes the block in JPEG.
      if exif.starts(with: Array("Exif\0\0".utf8)) { exif = exif.dropFirst(6) }
      if let orientation = ImageOrientation(exif: exif) { return orientation }
    }
    return chunk("XMP ").flatMap { ImageOrientation(xmp: $0) }
  }
}
