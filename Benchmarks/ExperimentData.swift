import CLModels
import Foundation
import Tensor

/// Which images an experiment teaches and tests with, from its flags: `--data FOLDER` with `train/CLASS/*` and
/// `test/CLASS/*`, or with `ALPHABET/CHARACTER/*_DRAWER.png` (fifteen drawers to learn, five to test); `--shots N`,
/// `--tasks N` of `--per-task N` classes (10 of 5), `--seeds 1,2,3`, `--test N` images a class, `--resolution N`.
struct ImagePlan {
  let folder: URL
  let shots: Int
  let tasks: Int
  let perTask: Int
  let seeds: [UInt64]
  let test: Int
  let resolution: Int

  init(_ arguments: [String]) throws {
    func number(_ flag: String, _ usual: Int) -> Int {
      value(of: flag, in: arguments).flatMap { Int($0) } ?? usual
    }
    guard let data = value(of: "--data", in: arguments) else { throw BenchmarkError("--data FOLDER is needed") }
    folder = URL(filePath: data)
    shots = number("--shots", 20)
    tasks = number("--tasks", 10)
    perTask = number("--per-task", 5)
    seeds = (value(of: "--seeds", in: arguments) ?? "1").split(separator: ",").compactMap { UInt64($0) }
    test = number("--test", 30)
    resolution = number("--resolution", 160)
  }
}

/// The images of all tasks with the backbone's features, and what is frozen of them for what is trained beside it.
struct ExperimentData<Frozen: Sendable>: Sendable {
  struct Item: Sendable {
    let label: Int
    let feature: [Float]
    let frozen: Frozen
  }

  let train: [Item]
  let test: [Item]

  /// freeze: an image's feature and what is frozen of it; any thread.
  init(
    _ plan: ImagePlan, seed: UInt64, backbone: VisionTransformer, pool: ComputePool,
    freeze: @escaping @Sendable (RGBImage) -> (feature: [Float], frozen: Frozen)
  ) throws {
    var generator = SeededGenerator(seed: seed)
    let classes = try Self.files(plan, &generator)
    func items(_ files: [(Int, URL)]) throws -> [Item] {
      let found = pool.map(files.count, priority: .background) { index -> Item? in
        guard let bytes = try? Data(contentsOf: files[index].1),
          let image = try? ImageDecoder.decode(Array(bytes), limits: ImageLimits())
        else { return nil }
        let (feature, frozen) = freeze(backbone.preprocessing.crop(image))
        return Item(label: files[index].0, feature: feature, frozen: frozen)
      }
      let items = found.compactMap { $0 }
      guard items.count == files.count else { throw BenchmarkError("some images cannot be read") }
      return items
    }
    train = try items(classes.enumerated().flatMap { label, files in files.train.map { (label, $0) } })
    test = try items(classes.enumerated().flatMap { label, files in files.test.map { (label, $0) } })
  }

  private static func files(
    _ plan: ImagePlan, _ generator: inout SeededGenerator
  ) throws -> [(train: [URL], test: [URL])] {
    let manager = FileManager.default
    func list(_ url: URL) throws -> [URL] {
      try manager.contentsOfDirectory(at: url, includingPropertiesForKeys: nil).sorted { $0.path < $1.path }
    }
    let count = plan.tasks * plan.perTask
    let trained = plan.folder.appending(path: "train")
    if manager.fileExists(atPath: trained.path) {
      return try list(trained).shuffled(using: &generator).prefix(count).map { url in
        let tested = plan.folder.appending(path: "test").appending(path: url.lastPathComponent)
        return (
          Array(try list(url).shuffled(using: &generator).prefix(plan.shots)),
          Array(try list(tested).prefix(plan.test))
        )
      }
    }
    let characters = try list(plan.folder).flatMap { try list($0) }
    return try characters.shuffled(using: &generator).prefix(count).map { url in
      let files = try list(url)
      return (Array(files.prefix(min(15, plan.shots))), Array(files.suffix(5)))
    }
  }
}
