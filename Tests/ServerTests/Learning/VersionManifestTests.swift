import CLModels
import CLServer
import Testing

@Test func aManifestReadsBackWhatItWrote() {
  let manifest = VersionManifest(
    features: "abc:160:int8", setting: "closed-form", head: "kernel-ridge", lambda: 0.1, temperature: 0.5,
    classes: [3, 5], trainingExamples: 10, heldOutExamples: 2)
  #expect(VersionManifest(json: manifest.json) == manifest)
}

@Test(arguments: SourceMixture.candidates)
func aManifestRemembersWhatIsReadAndHow(mixture: SourceMixture) {
  let manifest = VersionManifest(
    features: "abc:160:int8", setting: "closed-form", head: "kernel-ridge", lambda: nil, temperature: 0.5,
    classes: [3, 5], trainingExamples: 10, heldOutExamples: 2, mixture: mixture)
  #expect(VersionManifest(json: manifest.json)?.mixture == mixture)
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
