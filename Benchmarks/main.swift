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
  Comparison(name: "kernels", summary: "the C kernels against the processor's peak") { _, json in
    runKernelBenchmarks(json: json)
  },
  Comparison(name: "http", summary: "GET /healthz against nginx", run: runHTTPBenchmark),
]

private let usage =
  "usage: benchmarks NAME [--json] [options]\n"
  + comparisons.map { "  \($0.name): \($0.summary)\n" }.joined()

/// C's `stderr` is a shared variable, which Swift 6 does not read.
private func complain(_ text: String) { _ = text.withCString { write(STDERR_FILENO, $0, strlen($0)) } }

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
