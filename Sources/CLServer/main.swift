import FoundationEssentials
import Glibc

// libarchive decodes the names in archives by the locale, and systemd starts services in "C"; names are UTF-8.
setlocale(LC_CTYPE, "C.UTF-8")

let environment = ProcessInfo.processInfo.environment
exit(
  Program.run(arguments: Array(CommandLine.arguments.dropFirst()), environment: environment) { configuration in
    Daemon.run(configuration, environment: environment)
  })
