import Glibc

/// The whole command line: what `main.swift` calls.
package enum Program {
  /// Exit codes of every command.
  package enum ExitCode {
    package static let success: Int32 = 0
    /// The server refused, or the command failed.
    package static let refused: Int32 = 1
    /// The command line or the configuration is wrong.
    package static let usage: Int32 = 2
    package static let unreachable: Int32 = 3
  }

  /// Runs the command in `arguments` (without the program's name) and returns the exit code.
  ///
  /// - Parameter serve: runs the daemon to its end with a validated configuration.
  package static func run(
    arguments: [String], environment: [String: String], serve: (Configuration) -> Int32
  ) -> Int32 {
    do {
      switch try Command.parse(arguments) {
      case .help(let text):
        print(text)
        return ExitCode.success
      case .version:
        print("clserver \(Version.current)")
        return ExitCode.success
      case .describe:
        print(ConfigurationReference.markdown, terminator: "")
        return ExitCode.success
      case .configuration(let flags):
        print(ConfigurationReference.effective(try load(flags, environment)), terminator: "")
        return ExitCode.success
      case .serve(let flags):
        return serve(try load(flags, environment))
      case .client(let invocation):
        return ClientRunner.run(invocation, environment: environment)
      }
    } catch {
      FileDescriptorWriting.writeAll("clserver: \(error)\n", to: STDERR_FILENO)
      return ExitCode.usage
    }
  }

  private static func load(
    _ flags: [String], _ environment: [String: String]
  ) throws(UsageError) -> Configuration {
    do {
      return try ConfigurationLoader.load(arguments: flags, environment: environment, readFile: TextFile.read)
    } catch {
      throw UsageError(error.description)
    }
  }
}
