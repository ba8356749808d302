import Glibc

// One program, one subcommand a comparison: benchmarks NAME [--json] [options of that comparison].

private struct Comparison {
  let name: String
  let summary: String
  let run: (_ arguments: [String], _ json: Bool) throws -> Void
}

private let comparisons = [
  Comparison(name: "backbone", summary: "the image backbone against onnxruntime", run: runBackboneBenchmark),
  Comparison(
    name: "backbone-fidelity", summary: "the backbone's features against its float path, a reference and onnxruntime",
    run: runBackboneFidelity),
  Comparison(name: "predict", summary: "POST /predict against the bare backbone", run: runPredictBenchmark),
  Comparison(name: "kernels", summary: "the C kernels against the processor's peak") { _, json in
    runKernelBenchmarks(json: json)
  },
  Comparison(name: "float-gemm", summary: "float products against oneDNN", run: runFloatProductBenchmark),
  Comparison(name: "closed-form", summary: "the closed-form heads against scikit-learn", run: runClosedFormBenchmark),
  Comparison(
    name: "pop", summary: "prompts trained task after task, against the closed form", run: runPromptExperiment),
  Comparison(
    name: "pop-training", summary: "training prompts against PyTorch; --refine: all of a task's refinement",
    run: runPromptTrainingBenchmark),
  Comparison(
    name: "pop-prediction", summary: "an image through the backbone with prompts, against the bare backbone",
    run: runPromptPredictionBenchmark),
  Comparison(
    name: "experts", summary: "experts trained task after task beside the backbone, against the closed form",
    run: runExpertExperiment),
  Comparison(
    name: "dne", summary: "an expert beside the backbone: what a prediction and a step of training take",
    run: runExpertBenchmark),
  Comparison(
    name: "task-growth", summary: "a prediction with 1 to 50 tasks: closed form, prompts, experts, a network a task",
    run: runTaskGrowthBenchmark),
  Comparison(
    name: "expansion", summary: "networks that grow with each task, trained from nothing", run: runExpansionExperiment),
  Comparison(name: "http", summary: "GET /healthz against nginx", run: runHTTPBenchmark),
]

private let usage =
  "usage: benchmarks NAME [--json] [options]\n"
  + comparisons.map { "  \($0.name): \($0.summary)\n" }.joined()

/// Writes to standard error; its stream in C is a mutable global.
private func complain(_ text: String) {
  var text = text
  text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

private var arguments = Array(CommandLine.arguments.dropFirst())
guard let name = arguments.first, let comparison = comparisons.first(where: { $0.name == name }) else {
  complain(usage)
  exit(2)
}
arguments.removeFirst()
private let json = arguments.contains("--json")
arguments.removeAll { $0 == "--json" }
do {
  try comparison.run(arguments, json)
} catch {
  complain("benchmarks \(name): \(error)\n")
  exit(1)
}
