// swift-tools-version:5.9
import PackageDescription

// Kiln.xcframework is made by xcframework.sh, beside this file.
let package = Package(
    name: "Kiln",
    platforms: [.iOS(.v13), .macOS(.v11)],
    products: [.library(name: "Kiln", targets: ["Kiln"])],
    targets: [
        .binaryTarget(name: "CKiln", path: "Kiln.xcframework"),
        .target(
            name: "Kiln", dependencies: ["CKiln"],
            resources: [.copy("PrivacyInfo.xcprivacy")]),
    ]
)
