// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .treatAllWarnings(as: .error),
]

/// C is optimised in every configuration: SwiftPM would compile it at -O0 in debug.
let kernelFlags: [CSetting] = [
  .unsafeFlags(["-O3", "-fno-math-errno", "-fno-trapping-math"]),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "CLServer",
  products: [
    .executable(name: "clserver", targets: ["CLServer"]),
    .executable(name: "benchmarks", targets: ["Benchmarks"]),
  ],
  targets: [
    // System libraries, from Debian's -dev packages.
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CWebP", pkgConfig: "libwebp", providers: [.apt(["libwebp-dev"])]),
    .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),

    // Our own C. CJPEG, CPNG and CCurl wrap what Swift cannot import: setjmp and variadic functions.
    .target(name: "CJPEG", linkerSettings: [.linkedLibrary("jpeg")]),
    .target(name: "CPNG", linkerSettings: [.linkedLibrary("png")]),
    .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl")]),
    .target(name: "CLinux"),
    .target(name: "CKernels", cSettings: kernelFlags, linkerSettings: [.linkedLibrary("m")]),

    .target(name: "JSONTree", swiftSettings: strict),
    .target(name: "Tensor", dependencies: ["CKernels", "CLinux"], swiftSettings: strict),
    .target(
      name: "CLModels",
      dependencies: ["CKernels", "JSONTree", "Tensor", "CJPEG", "CPNG", "CWebP"],
      swiftSettings: strict),
    .target(name: "HTTP", dependencies: ["CLinux", "JSONTree"], swiftSettings: strict),
    .target(name: "Storage", dependencies: ["CSQLite"], swiftSettings: strict),
    .executableTarget(
      name: "CLServer",
      dependencies: ["CLModels", "HTTP", "JSONTree", "Storage", "Tensor", "CArchive", "CCurl", "CLinux", "CKernels"],
      // The description that /openapi.yaml serves: a link to the one at the top.
      resources: [.embedInCode("openapi.yaml")],
      swiftSettings: strict),
    .executableTarget(
      name: "Benchmarks",
      dependencies: ["CLModels", "HTTP", "Storage", "Tensor", "CKernels", "CLinux"],
      path: "Benchmarks",
      exclude: ["Peers"],
      swiftSettings: strict),

    .testTarget(name: "KernelTests", dependencies: ["CKernels"], swiftSettings: strict),
    .testTarget(name: "JSONTreeTests", dependencies: ["JSONTree"], swiftSettings: strict),
    .testTarget(name: "TensorTests", dependencies: ["Tensor", "CKernels"], swiftSettings: strict),
    .testTarget(
      name: "ModelTests", dependencies: ["CLModels", "Tensor", "CKernels"], exclude: ["Golden"],
      swiftSettings: strict),
    .testTarget(name: "HTTPTests", dependencies: ["HTTP", "JSONTree", "CLinux"], swiftSettings: strict),
    .testTarget(name: "StorageTests", dependencies: ["Storage", "CSQLite"], swiftSettings: strict),
    .testTarget(
      name: "ServerTests", dependencies: ["CLServer", "CLModels", "HTTP", "JSONTree", "Storage", "Tensor", "CArchive"],
      swiftSettings: strict),
  ],
  cLanguageStandard: .c17
)
