import CLModels
import CLServer
import Testing

@Test func aManifestReadsBackWhatItWrote() {
  let manifest = VersionManifest(
    features: "abc:160:int8", setting: "closed-form", head: "kernel-ridge", lambda: 0.1, temperature: 0.5,
    classes: [3, 5], trainingExamples: 10, heldOutExamples: 2)
  #expect(VersionManifest(json: manifest.json) == manifest)
}

private let everything = SourceBank(
  prompts: PromptBank(isDeep: true, tasks: [.init(taskID: 1, rows: 1, parameters: [0], examples: [])]),
  experts: ExpertBank(blocks: 1, experts: [.init(taskID: 1, heads: 1, feature: .own, parameters: [0], examples: [])]))

@Test(arguments: SourceMixture.candidates(of: everything))
func aManifestRemembersWhatIsReadAndHow(mixture: SourceMixture) {
  let manifest = VersionManifest(
    features: "abc:160:int8", setting: "closed-form", head: "kernel-ridge", lambda: nil, temperature: 0.5,
    classes: [3, 5], trainingExamples: 10, heldOutExamples: 2, mixture: mixture)
  #expect(VersionManifest(json: manifest.json)?.mixture == mixture)
}

/// As versions were written before there were experts.
@Test func threeWeightsAreReadOn() {
  let text = #"""
    {"features":"a","setting":"b","head":"c","temperature":1,"classes":[1],"training_examples":1,
    "held_out_examples":0,"sources":[0.5,0.25,0.25]}
    """#
  #expect(VersionManifest(json: text)?.mixture == SourceMixture(backbone: 0.5, tasks: 0.25, global: 0.25))
}

@Test(arguments: ["", "{}", "[1]", "nonsense"])
func whatIsNoManifestIsRefused(text: String) {
  #expect(VersionManifest(json: text) == nil)
}

@Test func exampleIdsReadBack() {
  let ids: Set<Int64> = [1, 255, 256, .max]
  #expect(VersionManifest.decodeExamples(VersionManifest.encode(examples: ids)) == ids)
}

@Test func tornExampleIdsAreRefused() {
  #expect(VersionManifest.decodeExamples([1, 2, 3]) == nil)
}
