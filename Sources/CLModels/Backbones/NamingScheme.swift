/// How one library names the tensors of a vision transformer. One table a library below; `{}` is the block's number.
struct NamingScheme: Sendable {
  /// How query, key and value projections are stored.
  enum Projections: Sendable {
    case separate(query: String, key: String, value: String)
    /// One matrix `[3 * width, width]`: query, key, value.
    case fused(String)
  }

  let library: String
  let classToken: String
  /// DeiT's second token; its output is not part of the feature.
  var distillationToken: String?
  let positions: String
  /// Weights `[width, 3, patch, patch]`, bias optional.
  let patches: String
  /// A LayerNorm in front of the first block.
  var preNorm: String?
  let finalNorm: String
  /// A Linear without bias after the last LayerNorm.
  var projection: String?

  let norm1: String
  let attention: Projections
  let attentionOutput: String
  let norm2: String
  let mlpUp: String
  let mlpDown: String
  /// What a branch is multiplied by, a number a channel, before it is added (layer scale).
  var attentionScale: String?
  var mlpScale: String?

  /// Tensors that mean the model computes something else than this code: name, and what it is.
  var refused: [(name: String, meaning: String)] = []

  func inBlock(_ name: String, _ index: Int) -> String {
    name.split(separator: "{}", maxSplits: 1, omittingEmptySubsequences: false).joined(separator: String(index))
  }
}

extension NamingScheme {
  /// Hugging Face's CLIPVisionModelWithProjection (also the image half of a CLIPModel).
  static let clip = NamingScheme(
    library: "Hugging Face CLIP",
    classToken: "vision_model.embeddings.class_embedding",
    positions: "vision_model.embeddings.position_embedding.weight",
    patches: "vision_model.embeddings.patch_embedding",
    preNorm: "vision_model.pre_layrnorm",  // The library's own spelling.
    finalNorm: "vision_model.post_layernorm",
    projection: "visual_projection",
    norm1: "vision_model.encoder.layers.{}.layer_norm1",
    attention: .separate(
      query: "vision_model.encoder.layers.{}.self_attn.q_proj",
      key: "vision_model.encoder.layers.{}.self_attn.k_proj",
      value: "vision_model.encoder.layers.{}.self_attn.v_proj"),
    attentionOutput: "vision_model.encoder.layers.{}.self_attn.out_proj",
    norm2: "vision_model.encoder.layers.{}.layer_norm2",
    mlpUp: "vision_model.encoder.layers.{}.mlp.fc1",
    mlpDown: "vision_model.encoder.layers.{}.mlp.fc2")

  /// Hugging Face's ViTModel (which DINO's checkpoints are too) and DeiTModel. The pooler is not part of the feature.
  static let vit = NamingScheme(
    library: "Hugging Face ViT",
    classToken: "embeddings.cls_token",
    distillationToken: "embeddings.distillation_token",
    positions: "embeddings.position_embeddings",
    patches: "embeddings.patch_embeddings.projection",
    finalNorm: "layernorm",
    norm1: "encoder.layer.{}.layernorm_before",
    attention: .separate(
      query: "encoder.layer.{}.attention.attention.query",
      key: "encoder.layer.{}.attention.attention.key",
      value: "encoder.layer.{}.attention.attention.value"),
    attentionOutput: "encoder.layer.{}.attention.output.dense",
    norm2: "encoder.layer.{}.layernorm_after",
    mlpUp: "encoder.layer.{}.intermediate.dense",
    mlpDown: "encoder.layer.{}.output.dense")

  /// Hugging Face's Dinov2Model.
  static let dinov2 = NamingScheme(
    library: "Hugging Face DINOv2",
    classToken: "embeddings.cls_token",
    positions: "embeddings.position_embeddings",
    patches: "embeddings.patch_embeddings.projection",
    finalNorm: "layernorm",
    norm1: "encoder.layer.{}.norm1",
    attention: .separate(
      query: "encoder.layer.{}.attention.attention.query",
      key: "encoder.layer.{}.attention.attention.key",
      value: "encoder.layer.{}.attention.attention.value"),
    attentionOutput: "encoder.layer.{}.attention.output.dense",
    norm2: "encoder.layer.{}.norm2",
    mlpUp: "encoder.layer.{}.mlp.fc1",
    mlpDown: "encoder.layer.{}.mlp.fc2",
    attentionScale: "encoder.layer.{}.layer_scale1.lambda1",
    mlpScale: "encoder.layer.{}.layer_scale2.lambda1",
    refused: [
      ("embeddings.register_tokens", "register tokens"),
      ("encoder.layer.0.mlp.weights_in.weight", "a gated (SwiGLU) MLP"),
    ])

  /// timm's VisionTransformer with a class token. The classifier (`head`) is not part of the feature.
  static let timm = NamingScheme(
    library: "timm",
    classToken: "cls_token",
    distillationToken: "dist_token",
    positions: "pos_embed",
    patches: "patch_embed.proj",
    preNorm: "norm_pre",
    finalNorm: "norm",
    norm1: "blocks.{}.norm1",
    attention: .fused("blocks.{}.attn.qkv"),
    attentionOutput: "blocks.{}.attn.proj",
    norm2: "blocks.{}.norm2",
    mlpUp: "blocks.{}.mlp.fc1",
    mlpDown: "blocks.{}.mlp.fc2",
    attentionScale: "blocks.{}.ls1.gamma",
    mlpScale: "blocks.{}.ls2.gamma",
    refused: [
      ("reg_token", "register tokens"),
      ("fc_norm.weight", "features averaged over the patches"),
      ("attn_pool.latent", "features pooled by attention"),
      ("blocks.0.attn.q_norm.weight", "normalised queries and keys"),
      ("blocks.0.attn.norm.weight", "a LayerNorm inside the attention"),
      ("blocks.0.mlp.norm.weight", "a LayerNorm inside the MLP"),
      ("blocks.0.mlp.fc1_g.weight", "a gated (SwiGLU) MLP"),
      ("patch_embed.backbone.conv.weight", "a convolutional stem"),
      ("patch_embed.norm.weight", "a LayerNorm on the patches"),
    ])

  /// Distinguishes the schemes: the first whose tensors are all there, behind one of these prefixes, is the one.
  static let recognised: [(scheme: NamingScheme, prefixes: [String], tensors: [String])] = [
    (.clip, [""], [NamingScheme.clip.classToken]),
    (.dinov2, ["", "dinov2."], [NamingScheme.dinov2.classToken, "encoder.layer.0.norm1.weight"]),
    (.vit, ["", "vit.", "deit."], [NamingScheme.vit.classToken, "encoder.layer.0.layernorm_before.weight"]),
    (.timm, [""], [NamingScheme.timm.classToken, "blocks.0.norm1.weight"]),
  ]
}
