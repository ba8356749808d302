/// The learned tokens and positions of a checkpoint.
struct PositionTable {
  /// Tokens in front of the patches: the class token, and DeiT's distillation token.
  let prefix: Int
  /// Positions along a side, as trained.
  let grid: Int
  private let width: Int
  private let resampling: PositionResampling
  /// `[prefix, width]`: tokens plus their positions.
  private let prefixRows: [Float]
  /// `[grid * grid, width]`.
  private let gridRows: [Float]

  /// The largest grid a checkpoint may have been trained with.
  private static let gridLimit = 128

  init(checkpoint: Checkpoint, width: Int) throws(BackboneError) {
    let scheme = checkpoint.scheme
    var prefixRows = try checkpoint.floats(scheme.classToken, shape: [width])
    if let name = scheme.distillationToken, checkpoint.contains(name) {
      prefixRows += try checkpoint.floats(name, shape: [width])
    }
    let prefix = prefixRows.count / width

    let shape = try checkpoint.shape(scheme.positions)
    let rows = shape.count >= 2 ? shape[shape.count - 2] : 0
    // Some of timm's models give positions to patches only; then rows is a square by itself.
    let positioned = rows == Self.side(rows) * Self.side(rows) ? 0 : prefix
    let grid = Self.side(rows - positioned)
    guard grid > 0, grid <= Self.gridLimit, grid * grid == rows - positioned else {
      throw .unsupported("\(rows) positions for \(prefix) tokens and a square of patches")
    }
    let positions = try checkpoint.floats(scheme.positions, shape: [rows, width])
    for index in 0..<positioned * width { prefixRows[index] += positions[index] }

    self.prefix = prefix
    self.grid = grid
    self.width = width
    self.prefixRows = prefixRows
    gridRows = Array(positions[(positioned * width)...])
    resampling = scheme.library == NamingScheme.timm.library ? .pyTorchAntialiased : .pyTorch
  }

  /// What tokens start as for a grid of another side: `[prefix + grid * grid, width]`.
  func table(grid: Int) -> [Float] {
    prefixRows + resampling.resample(gridRows, from: self.grid, to: grid, width: width)
  }

  /// The largest integer whose square is at most `count`.
  private static func side(_ count: Int) -> Int { count > 0 ? Int(Double(count).squareRoot()) : 0 }
}
