import CKiln
import Foundation

/// A compiled network. Immutable, and for all threads; sessions and namers keep it open.
public final class Plan: @unchecked Sendable {
    let pointer: OpaquePointer
    private let whole: Plan?  // whose weights this one reads

    /// What a network takes or gives, for a batch of one: images are N, C, H, W.
    public struct Tensor: Sendable {
        public let name: String
        public let shape: [Int]
        public let isFloat: Bool
        public let bytes: Int
    }

    /// Maps and checks a plan file, of the app's bundle for instance. `packed`: a file, in the app's
    /// caches, that keeps packed weights for the next start.
    public init(contentsOf url: URL, packed: URL? = nil) throws {
        var opened: OpaquePointer?
        var options = kiln_plan_options()
        kiln_plan_options_init(&options)
        let path = packed?.path
        try check { error in
            withOptional(path) { cache in
                options.prepacked_path = cache
                return kiln_plan_open(url.path, &options, &opened, error)
            }
        }
        pointer = opened!
        whole = nil
    }

    private init(_ cut: OpaquePointer, of whole: Plan) {
        pointer = cut
        self.whole = whole
    }

    deinit {
        kiln_plan_close(pointer)
    }

    /// The network up to its final dense layers, whose output are an image's features.
    public func features() throws -> Plan {
        var cut: OpaquePointer?
        try check { kiln_plan_cut(pointer, nil, &cut, $0) }
        return Plan(cut!, of: self)
    }

    /// Of the classes, in their order; none where the plan has none.
    public var labels: [String] {
        (0..<kiln_plan_label_count(pointer)).map { text(kiln_plan_label(pointer, $0)) }
    }

    public var inputs: [Tensor] {
        tensors(kiln_plan_input_count(pointer), kiln_plan_input)
    }

    public var outputs: [Tensor] {
        tensors(kiln_plan_output_count(pointer), kiln_plan_output)
    }

    public func metadata(_ key: String) -> String? {
        kiln_plan_metadata(pointer, key).map { String(cString: $0) }
    }

    private func tensors(
        _ count: Int,
        _ get: (OpaquePointer?, Int, UnsafeMutablePointer<kiln_tensor_info>?) -> kiln_status
    ) -> [Tensor] {
        (0..<count).map { index in
            var info = kiln_tensor_info()
            _ = get(pointer, index, &info)
            let shape = withUnsafeBytes(of: info.dims) { dims in
                dims.bindMemory(to: UInt32.self).prefix(Int(info.rank)).map { Int($0) }
            }
            return Tensor(
                name: text(info.name), shape: shape, isFloat: info.dtype == KILN_F32,
                bytes: info.bytes)
        }
    }
}

/// Text for C, or NULL.
private func withOptional<R>(_ string: String?, _ body: (UnsafePointer<CChar>?) -> R) -> R {
    string.map { $0.withCString(body) } ?? body(nil)
}
