import CLModels
import Foundation
import Tensor

/// Small images in tasks: Debian's Fashion-MNIST, or a folder of photographs made 32 pixels wide and high.
struct ExpansionData {
  let channels: Int
  let side: Int
  let patch: Int
  let classesPerTask: Int
  /// A task after another; labels count classes in the order they are learned.
  let train: [LabelledImages]
  let test: [LabelledImages]
  /// Whether a mirrored image is of the same kind.
  let flips = true

  var tasks: Int { train.count }

  /// - Parameters:
  ///   - source: `fashion`, or a folder with `train/CLASS/*` and `test/CLASS/*`.
  ///   - seed: of the classes' order and of the choice of images.
  init(_ source: String, seed: UInt64, train: Int, test: Int, pool: ComputePool) throws {
    var generator = SeededGenerator(seed: seed)
    let classes: [(train: [[Float]], test: [[Float]])]
    if source == "fashion" {
      (channels, side, patch, classesPerTask) = (1, 28, 7, 2)
      let (learn, ask) = (try Self.fashion("train"), try Self.fashion("t10k"))
      classes = (0..<10).shuffled(using: &generator).map { label in
        (
          Array(learn[label].shuffled(using: &generator).prefix(train)),
          Array(ask[label].shuffled(using: &generator).prefix(test))
        )
      }
    } else {
      (channels, side, patch, classesPerTask) = (3, 32, 8, 5)
      classes = try Self.photographs(source, side: 32, train: train, test: test, pool: pool, &generator)
    }
    let perTask = classesPerTask
    func tasks(_ images: (Int) -> [[Float]]) -> [LabelledImages] {
      stride(from: 0, to: classes.count, by: perTask).map { first in
        (first..<min(first + perTask, classes.count)).reduce(into: LabelledImages()) { task, label in
          let images = images(label)
          task.append(LabelledImages(images: images, labels: images.map { _ in label }))
        }
      }
    }
    self.train = tasks { classes[$0].train }
    self.test = tasks { classes[$0].test }
  }

  /// By class, with the mean and deviation of all pixels taken out.
  private static func fashion(_ part: String) throws -> [[[Float]]] {
    let folder = URL(filePath: "/usr/share/datasets/fashion-mnist")
    let pixels = try unzipped(folder.appending(path: "\(part)-images-idx3-ubyte.gz"))
    let labels = try unzipped(folder.appending(path: "\(part)-labels-idx1-ubyte.gz"))
    // Headers of 16 and 8 bytes: a format number and the sides.
    let count = labels.count - 8
    guard count > 0, pixels.count == 16 + count * 784 else { throw BenchmarkError("Fashion-MNIST does not read") }
    var byClass = [[[Float]]](repeating: [], count: 10)
    for index in 0..<count {
      let image = pixels[16 + index * 784..<16 + (index + 1) * 784]
      byClass[Int(labels[8 + index])].append(image.map { (Float($0) / 255 - 0.286) / 0.353 })
    }
    return byClass
  }

  private static func unzipped(_ file: URL) throws -> [UInt8] {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/gzip")
    process.arguments = ["-dc", file.path]
    process.standardOutput = output
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw BenchmarkError("\(file.path): gzip cannot read it") }
    return Array(data)
  }

  private static func photographs(
    _ folder: String, side: Int, train: Int, test: Int, pool: ComputePool, _ generator: inout SeededGenerator
  ) throws -> [(train: [[Float]], test: [[Float]])] {
    let preprocessing = ImagePreprocessing(size: side)
    func list(_ url: URL) throws -> [URL] {
      try FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: nil).sorted {
        $0.path < $1.path
      }
    }
    func read(_ files: some Sequence<URL>) throws -> [[Float]] {
      let files = Array(files)
      let images = pool.map(files.count, priority: .background) { index -> [Float]? in
        guard let bytes = try? Data(contentsOf: files[index]),
          let image = try? ImageDecoder.decode(Array(bytes), limits: ImageLimits())
        else { return nil }
        return preprocessing.normalize(preprocessing.crop(image))
      }
      let found = images.compactMap { $0 }
      guard found.count == files.count else { throw BenchmarkError("some images cannot be read") }
      return found
    }
    let (learn, ask) = (URL(filePath: folder).appending(path: "train"), URL(filePath: folder).appending(path: "test"))
    return try list(learn).shuffled(using: &generator).map { url in
      (
        try read(list(url).shuffled(using: &generator).prefix(train)),
        try read(list(ask.appending(path: url.lastPathComponent)).prefix(test))
      )
    }
  }
}
