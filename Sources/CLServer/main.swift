import FoundationEssentials
import Glibc

let environment = ProcessInfo.processInfo.environment
exit(
  Program.run(arguments: Array(CommandLine.arguments.dropFirst()), environment: environment) { configuration in
    Daemon.run(configuration, environment: environment)
  })
