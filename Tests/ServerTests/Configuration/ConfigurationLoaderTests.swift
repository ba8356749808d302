import CLServer
import HTTP
import Testing

/// Loads with a file named `c.conf` of that text, where one is given.
private func load(
  _ arguments: [String] = [], environment: [String: String] = [:], file: String? = nil
) throws -> Configuration {
  let arguments = file == nil ? arguments : ["--config", "c.conf"] + arguments
  return try ConfigurationLoader.load(arguments: arguments, environment: environment) { path in
    guard let file, path == "c.conf" else { return .failure(.init(reason: "No such file or directory")) }
    return .success(file)
  }
}

private func refusal(
  _ arguments: [String] = [], environment: [String: String] = [:], file: String? = nil
) -> String? {
  do {
    _ = try load(arguments, environment: environment, file: file)
    return nil
  } catch {
    return "\(error)"
  }
}

@Test func theDefaultsAreTakenWhereNothingIsSet() throws {
  #expect(try load() == Configuration())
}

@Test func flagsWinOverVariablesAndVariablesOverTheFile() throws {
  let file = "threads = 1\nresolution = 224\nseed = 7\n"
  let environment = ["CLSERVER_THREADS": "2", "CLSERVER_RESOLUTION": "192", "PATH": "/bin"]
  let configuration = try load(["--threads", "3"], environment: environment, file: file)
  #expect(configuration.threads == 3)
  #expect(configuration.resolution == 192)
  #expect(configuration.seed == 7)
  #expect(configuration.origins["threads"] == .flag("--threads"))
  #expect(configuration.origins["resolution"] == .environment("CLSERVER_RESOLUTION"))
  #expect(configuration.origins["seed"] == .file(path: "c.conf", line: 3))
}

@Test func theFileMayBeNamedByAVariable() throws {
  let configuration = try ConfigurationLoader.load(
    arguments: [], environment: ["CLSERVER_CONFIG": "elsewhere"]
  ) { path in .success(path == "elsewhere" ? "top_k_default = 3" : "") }
  #expect(configuration.topKDefault == 3)
}

@Test func theVariablesOfTheClientsAreNoSettings() throws {
  #expect(try load(environment: ["CLSERVER_SERVER": "http://x", "CLSERVER_KEY": "k"]) == Configuration())
}

@Test func theFileTakesCommentsBlankLinesAndAnySpacing() throws {
  let file =
    "# all\n\n  listen=[::1]:9000   # here\r\nstate = /srv/a#b dir\nnear_duplicates = off\ntask_body_bytes = 64 MiB"
  let configuration = try load(file: file)
  #expect(configuration.listen == HTTPAddress(host: "::1", port: 9000))
  #expect(configuration.state == "/srv/a#b dir")
  #expect(!configuration.nearDuplicates)
  #expect(configuration.taskBodyBytes == 64 << 20)
}

@Test(arguments: [
  (["--liste", "x"], "unknown flag --liste; did you mean `--listen`?"),
  (["--frobnicate"], "unknown flag --frobnicate; `clserver serve --help` lists them all"),
  (["extra"], "unknown flag extra; `clserver serve --help` lists them all"),
  (["--threads"], "--threads needs a value"),
  (["--threads", "1", "--threads=2"], "--threads is given twice"),
  (["--threads", "many"], "--threads: `threads` cannot be `many`: it must be a whole number from 0 to 1024"),
  (["--threads=-1"], "--threads: `threads` cannot be `-1`: it must be a whole number from 0 to 1024"),
  (["--holdout", "nan"], "--holdout: `holdout` cannot be `nan`: it must be a number from 0 to 0.9"),
  (["--seed", "-3"], "--seed: `seed` cannot be `-3`: it must be a whole number from 0 to 18446744073709551615"),
  (["--state", ""], "--state: `state` cannot be ``: it must be a path"),
  (["--precision", "int4"], "--precision: `precision` cannot be `int4`: it must be one of `int8`, `float`"),
  (["--near-duplicates", "1"], "--near-duplicates: `near_duplicates` cannot be `1`: it must be `on` or `off`"),
  (
    ["--listen", "8080\u{1B}[31m"],
    "--listen: `listen` cannot be `8080\\u{1b}[31m`: it must be an address as HOST:PORT, the host numeric or "
      + "`localhost`, an IPv6 one in brackets, a port from 0 to 65535"
  ),
  (
    ["--header-bytes", "1 PiB"],
    "--header-bytes: `header_bytes` cannot be `1 PiB`: it must be a size from 1 KiB to 1 MiB, in bytes or with KiB, "
      + "MiB or GiB"
  ),
  (
    ["--idle-timeout-seconds", "0"],
    "--idle-timeout-seconds: `idle_timeout_seconds` cannot be `0`: it must be seconds from 0.1 to 86400"
  ),
  (
    ["--predict-inputs", "300"],
    "--predict-inputs: `predict_inputs` cannot be `300`: `predict_inputs` must not be above `predict_queue` (256)"
  ),
  (
    ["--maximum-buffered-bytes", "1 MiB"],
    "--maximum-buffered-bytes: `maximum_buffered_bytes` cannot be `1 MiB`: `predict_body_bytes` must not be above "
      + "`maximum_buffered_bytes` (1 MiB)"
  ),
  (["--config", "none"], "cannot read the configuration file none: No such file or directory"),
])
func aWrongFlagIsRefusedWithTheReason(_ arguments: [String], _ message: String) {
  #expect(refusal(arguments) == message)
}

@Test(arguments: [
  (["CLSERVER_LISTN": "x"], "unknown environment variable CLSERVER_LISTN; did you mean `CLSERVER_LISTEN`?"),
  (["CLSERVER_PLEASE": ""], "unknown environment variable CLSERVER_PLEASE; `clserver serve --help` lists them all"),
  (
    ["CLSERVER_LOG_LEVEL": "loud"],
    "environment variable CLSERVER_LOG_LEVEL: `log_level` cannot be `loud`: it must be one of `debug`, `info`, "
      + "`warning`, `error`"
  ),
])
func aWrongVariableIsRefusedWithTheReason(_ environment: [String: String], _ message: String) {
  #expect(refusal(environment: environment) == message)
}

@Test(arguments: [
  ("\nlog_levle = info", "c.conf:2: unknown setting `log_levle`; did you mean `log_level`?"),
  ("--listen = 1", "c.conf:1: unknown setting `--listen`; did you mean `listen`?"),
  ("config = x", "c.conf:1: unknown setting `config`; `clserver serve --help` lists them all"),
  ("[server]", "c.conf:1: expected `key = value`, found `[server]`"),
  ("= 3", "c.conf:1: expected `key = value`, found `= 3`"),
  ("seed = 1\nseed = 2", "c.conf:2: `seed` is given twice; the first is at c.conf:1"),
  ("json_depth =", "c.conf:1: `json_depth` cannot be ``: it must be a whole number from 1 to 512"),
])
func aWrongLineIsRefusedWithItsPlace(_ file: String, _ message: String) {
  #expect(refusal(file: file) == message)
}

@Test func aLaterRefusalNamesTheSource() throws {
  let configuration = try load(["--resolution", "170"])
  let error = configuration.refusal(of: "resolution", reason: "it must be a multiple of 16")
  #expect("\(error)" == "--resolution: `resolution` cannot be `170`: it must be a multiple of 16")
}
