import CKernels
import Testing

/// The vector variants compute the scalar one's bytes.
@Suite struct ResizeKernelTests {
  @Test(.enabled(if: ck_isa_supported(CK_ISA_AVX2)))
  func vectorEqualsScalar() {
    var generator = MutationGenerator(state: 5)
    for round in 0..<300 {
      var plan = ck_resize_plan()
      let large = round % 10 == 0
      plan.width = Int32(1 + generator.below(large ? 3000 : 90))
      plan.height = Int32(1 + generator.below(large ? 40 : 90))
      plan.out_width = generator.below(4) == 0 ? plan.width : Int32(1 + generator.below(90))
      plan.out_height = generator.below(4) == 0 ? plan.height : Int32(1 + generator.below(90))
      plan.crop_width = Int32(1 + generator.below(Int(plan.out_width)))
      plan.crop_height = Int32(1 + generator.below(Int(plan.out_height)))
      plan.crop_left = Int32(generator.below(Int(plan.out_width - plan.crop_width) + 1))
      plan.crop_top = Int32(generator.below(Int(plan.out_height - plan.crop_height) + 1))
      // Black and white alone overshoot the most.
      let input = (0..<(plan.width * plan.height * 3)).map { _ in
        generator.below(3) == 0 ? UInt8(generator.below(256)) : UInt8(generator.below(2) * 255)
      }
      let reference = resize(CK_ISA_SCALAR, plan, input)
      #expect(resize(CK_ISA_AVX2, plan, input) == reference)
      // The crop of a whole resized image is the same as resizing only the crop.
      var whole = plan
      (whole.crop_left, whole.crop_top) = (0, 0)
      (whole.crop_width, whole.crop_height) = (plan.out_width, plan.out_height)
      #expect(cut(resize(CK_ISA_AVX2, whole, input), plan) == reference)
    }
  }

  @Test func refusesAPlanThatIsNotValid() {
    let valid = ck_resize_plan(
      width: 4, height: 4, out_width: 2, out_height: 2, crop_left: 0, crop_top: 0, crop_width: 2, crop_height: 2)
    let changes: [WritableKeyPath<ck_resize_plan, Int32>] = [
      \.width, \.height, \.out_width, \.out_height, \.crop_width, \.crop_height,
    ]
    var out = [UInt8](repeating: 0, count: 12)
    let input = [UInt8](repeating: 0, count: 48)
    for change in changes {
      var plan = valid
      plan[keyPath: change] = 0
      #expect(!ck_resize_bicubic_rgb8(CK_ISA_SCALAR, &plan, input, &out))
    }
    for change in [\ck_resize_plan.crop_left, \.crop_top] {
      var plan = valid
      plan[keyPath: change] = .max
      #expect(!ck_resize_bicubic_rgb8(CK_ISA_SCALAR, &plan, input, &out))
    }
  }

  private func resize(_ isa: ck_isa, _ plan: ck_resize_plan, _ input: [UInt8]) -> [UInt8] {
    var plan = plan
    var out = [UInt8](repeating: 0xAA, count: Int(plan.crop_width * plan.crop_height) * 3)
    #expect(ck_resize_bicubic_rgb8(isa, &plan, input, &out))
    return out
  }

  private func cut(_ whole: [UInt8], _ plan: ck_resize_plan) -> [UInt8] {
    (plan.crop_top..<(plan.crop_top + plan.crop_height)).flatMap { y in
      let start = Int(y * plan.out_width + plan.crop_left) * 3
      return whole[start..<(start + Int(plan.crop_width) * 3)]
    }
  }
}
