internal import CKernels
internal import Synchronization

/// How much memory a pass over some images needs.
struct WorkspaceSize: Sendable {
  /// Tokens of all images of a pass.
  var rows: Int
  var images: Int
  var width: Int
  var mlpWidth: Int
  /// Numbers of the widest rows a Linear reads, cut patches included.
  var inputWidth: Int
  var scratchBytes: Int
}

/// The intermediate results of one pass, reused from call to call. One call at a time uses it.
final class Workspace: Sendable {
  /// `[rows, width]`: the residual stream.
  let tokens: AlignedBuffer<Float>
  /// `[rows, 3 * width]`: query, key and value of each token.
  let projections: AlignedBuffer<Float>
  /// `[rows, width]`: what the heads say.
  let attention: AlignedBuffer<Float>
  /// `[rows, mlpWidth]`.
  let hidden: AlignedBuffer<Float>
  /// `[images, width]`: class tokens, and their queries.
  let classTokens: AlignedBuffer<Float>
  let queries: AlignedBuffer<Float>
  private let floats: AlignedBuffer<Float>
  private let bytes: AlignedBuffer<UInt8>
  private let scale: AlignedBuffer<Float>
  private let zero: AlignedBuffer<Int32>
  private let scratch: AlignedBuffer<UInt8>

  init?(_ size: WorkspaceSize, precision: BackbonePrecision) {
    let inputs = size.rows * size.inputWidth.roundedUp(to: 4)
    guard let tokens = AlignedBuffer<Float>(count: size.rows * size.width),
      let projections = AlignedBuffer<Float>(count: size.rows * size.width * 3),
      let attention = AlignedBuffer<Float>(count: size.rows * size.width),
      let hidden = AlignedBuffer<Float>(count: size.rows * size.mlpWidth),
      let classTokens = AlignedBuffer<Float>(count: size.images * size.width),
      let queries = AlignedBuffer<Float>(count: size.images * size.width),
      let floats = AlignedBuffer<Float>(count: precision == .float ? inputs : 0),
      let bytes = AlignedBuffer<UInt8>(count: precision == .int8 ? inputs : 0),
      let scale = AlignedBuffer<Float>(count: size.rows), let zero = AlignedBuffer<Int32>(count: size.rows),
      let scratch = AlignedBuffer<UInt8>(count: size.scratchBytes)
    else { return nil }
    self.tokens = tokens
    self.projections = projections
    self.attention = attention
    self.hidden = hidden
    self.classTokens = classTokens
    self.queries = queries
    self.floats = floats
    self.bytes = bytes
    self.scale = scale
    self.zero = zero
    self.scratch = scratch
  }

  /// A context whose buffers are this workspace's; it must not outlive it.
  func context(isa: ck_isa, precision: BackbonePrecision) -> KernelContext {
    KernelContext(
      isa: isa, precision: precision, scratch: scratch.pointer, floats: floats.pointer, bytes: bytes.pointer,
      scale: scale.pointer, zero: zero.pointer)
  }
}

/// Workspaces that no call is using: as many as ever ran at once.
final class WorkspacePool: Sendable {
  private let free = Mutex<[Workspace]>([])
  private let size: WorkspaceSize
  private let precision: BackbonePrecision

  init(size: WorkspaceSize, precision: BackbonePrecision) {
    self.size = size
    self.precision = precision
  }

  /// Runs `body` with a workspace nobody else has. Traps when memory for a new one is out, as Swift itself does.
  func withWorkspace<Result>(_ body: (Workspace) -> Result) -> Result {
    guard let workspace = free.withLock({ $0.popLast() }) ?? Workspace(size, precision: precision) else {
      fatalError("no memory for a backbone's workspace")
    }
    defer { free.withLock { $0.append(workspace) } }
    return body(workspace)
  }
}
