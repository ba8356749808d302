internal import CKernels
import JSONTree

/// What `config.json` says that the tensors' shapes do not.
///
/// Hugging Face's `config.json` and timm's are read; the fields of `preprocessor_config.json` may be in it as well (the
/// converted backbone's are). Keys, with their defaults:
/// - `num_attention_heads`, or in timm's `model_args.num_heads`; otherwise the head width of the published models (64);
/// - `hidden_act`: `gelu` (default) or `quick_gelu`; timm's: `quickgelu` in the architecture's name;
/// - `layer_norm_eps` (CLIP 1e-5, ViT 1e-12, others 1e-6; timm's CLIP models 1e-5);
/// - `image_size` or `pretrained_cfg.input_size`: the resolution positions were trained at (the grid is square);
/// - `image_mean`, `image_std` or `pretrained_cfg.mean`, `.std` (CLIP's for CLIP, ImageNet's for DINOv2, 0.5 otherwise);
/// - `name`, or `_name_or_path`, or `architecture`: what the backbone is called.
///
/// A whole CLIPModel's settings are under `vision_config`.
struct VisionTransformerConfiguration: Equatable {
  var name: String
  var heads: Int?
  var activation: ck_epilogue
  var epsilon: Float
  var imageSize: Int?
  var mean: [Float]
  var standardDeviation: [Float]

  init(json: [UInt8], scheme: NamingScheme) throws(BackboneError) {
    let document = try Self.parse(json)
    let settings = document["vision_config"].map { $0.object ?? [:] } ?? document
    let arguments = document["model_args"]?.object
    let pretrained = document["pretrained_cfg"]?.object
    let architecture = document["architecture"]?.text ?? ""
    let isCLIP = scheme.library == NamingScheme.clip.library || architecture.contains("clip")

    name = document["name"]?.text ?? document["_name_or_path"]?.text ?? architecture
    if name.isEmpty { name = scheme.library }
    heads = try Self.positive(settings["num_attention_heads"] ?? arguments?["num_heads"], "num_attention_heads")
    imageSize = try Self.positive(
      settings["image_size"] ?? arguments?["img_size"] ?? pretrained?["input_size"]?.array?.last, "image_size")

    switch settings["hidden_act"]?.text {
    case "quick_gelu": activation = CK_EPILOGUE_QUICK_GELU
    case "gelu": activation = CK_EPILOGUE_GELU
    case nil:
      let quick = architecture.contains("quickgelu") || scheme.library == NamingScheme.clip.library
      activation = quick ? CK_EPILOGUE_QUICK_GELU : CK_EPILOGUE_GELU
    case let other?: throw .unsupported("its activation is \(other)")
    }
    if let value = settings["layer_norm_eps"] {
      // What is added to a variance of 0 must not vanish.
      guard let number = value.double, number < 1, Float(number) >= .leastNormalMagnitude else {
        throw .configuration("bad layer_norm_eps")
      }
      epsilon = Float(number)
    } else {
      epsilon = isCLIP ? 1e-5 : scheme.library == NamingScheme.vit.library ? 1e-12 : 1e-6
    }
    if let pool = (arguments?["global_pool"] ?? document["global_pool"])?.text, pool != "token", pool != "" {
      throw .unsupported("its features are pooled by \(pool)")
    }

    let usual: (mean: [Float], deviation: [Float]) =
      if isCLIP {
        ([0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_58, 0.275_777_11])
      } else if scheme.library == NamingScheme.dinov2.library {
        ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
      } else {
        ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
      }
    mean = try Self.channels(document["image_mean"] ?? pretrained?["mean"], "image_mean") ?? usual.mean
    standardDeviation = try Self.channels(document["image_std"] ?? pretrained?["std"], "image_std") ?? usual.deviation
    guard standardDeviation.allSatisfy({ $0 >= .leastNormalMagnitude }) else {
      throw .configuration("image_std is not positive")
    }
  }

  /// The number of heads: as configured, or that of the published models of this width.
  func heads(width: Int) -> Int {
    if let heads { return heads }
    // The huge, giant and shape-optimised models have 16 heads of another width than 64.
    return [1152, 1280, 1408].contains(width) ? 16 : max(1, width / 64)
  }

  private static func parse(_ json: [UInt8]) throws(BackboneError) -> [String: JSON] {
    do throws(JSONError) {
      let document = try json.withBytes { bytes throws(JSONError) in try JSON.parse(bytes) }
      guard let members = document.object else { throw JSONError.malformed("not an object", offset: 0) }
      return members
    } catch {
      switch error {
      case .malformed(let reason, let offset): throw .configuration("\(reason) at byte \(offset)")
      case .duplicate(let name): throw .configuration("\(name) occurs twice")
      }
    }
  }

  private static func positive(_ value: JSON?, _ name: String) throws(BackboneError) -> Int? {
    guard let value, value != .null else { return nil }
    guard let number = value.integer, (1...1 << 20).contains(number) else { throw .configuration("bad \(name)") }
    return number
  }

  private static func channels(_ value: JSON?, _ name: String) throws(BackboneError) -> [Float]? {
    guard let value, value != .null else { return nil }
    guard let items = value.array, items.count == 3 else { throw .configuration("\(name) needs three numbers") }
    var numbers: [Float] = []
    for item in items {
      guard let number = item.double, Float(number).isFinite else {
        throw .configuration("\(name) needs three numbers")
      }
      numbers.append(Float(number))
    }
    return numbers
  }
}
