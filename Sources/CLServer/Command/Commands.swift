/// Every command but `serve`, which takes the settings as flags.
extension CommandSpecification {
  private static let common = [
    Option("--server", "URL", "Where the server is; otherwise CLSERVER_SERVER, or http://127.0.0.1:8080."),
    Option("--key", "KEY", "The API key; otherwise CLSERVER_KEY, which other users of the machine cannot read."),
    Option("--json", nil, "Print the server's JSON as it is."),
  ]

  package static let teach = CommandSpecification(
    name: "teach", operands: "NAME DIR", operandCount: 2...2,
    summary: """
      Teaches the task NAME from the images of DIR: one folder a class, CLASS/FILE, or CLASS/GROUP/FILE where files
      of one group (a source, a burst) must stay together. Waits until nothing more will happen by itself.
      """,
    options: [
      Option("--learner", "NAME", "closed-form, pop or dne."),
      Option("--holdout", "SHARE", "Share of the examples held out to measure accuracy, from 0 to 0.9."),
      Option("--extend", nil, "Add to classes of the same name instead of refusing them."),
      Option("--until", "serving|ready", "What to wait for; ready if not given."),
      Option("--no-wait", nil, "Return as soon as the examples are on the server's disk."),
    ] + common)

  package static let ask = CommandSpecification(
    name: "ask", operands: "FILE...", operandCount: 1...10_000,
    summary: "Asks what the files show and prints label and confidence of each.",
    options: [Option("--top-k", "N", "How many classes to list.")] + common)

  package static let tasks = CommandSpecification(
    name: "tasks", operands: "", operandCount: 0...0, summary: "Lists the tasks.", options: common)

  package static let classes = CommandSpecification(
    name: "classes", operands: "", operandCount: 0...0, summary: "Lists the classes.", options: common)

  package static let accuracy = CommandSpecification(
    name: "accuracy", operands: "", operandCount: 0...0,
    summary: "Prints the accuracy of every task after every task, and what follows from it.", options: common)

  package static let forget = CommandSpecification(
    name: "forget", operands: "task|class ID", operandCount: 2...2,
    summary: "Unlearns a task or a class with its examples.", options: common)

  package static let config = CommandSpecification(
    name: "config", operands: "", operandCount: 0...0,
    summary: "Prints the settings in force, each with where it comes from. Takes the flags of serve as well.",
    options: [Option("--describe", nil, "Print the reference of all settings in Markdown.")])

  package static let all = [teach, ask, tasks, classes, accuracy, forget, config]
}
