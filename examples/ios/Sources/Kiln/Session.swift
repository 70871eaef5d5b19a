import CKiln
import Foundation

/// A class that a network says an image is of.
public struct Answer: Sendable {
    public let index: Int
    public let label: String  // "" where the plan has none
    public let score: Float  // a probability, where the network ends in softmax
}

/// A network that is ready to run. Calls of several threads wait for each other; for throughput give each thread a
/// session of its own.
public final class Session: @unchecked Sendable {
    public let plan: Plan
    private let pointer: OpaquePointer
    private let running = NSLock()

    /// `threads`: compute threads, the caller's included. `maxBatch`: samples of a run, at most.
    public init(_ plan: Plan, threads: Int = 1, maxBatch: Int = 1) throws {
        var options = kiln_session_options()
        kiln_session_options_init(&options)
        options.threads = try count(threads, "threads")
        options.max_batch = try count(maxBatch, "maxBatch")
        var created: OpaquePointer?
        try check { kiln_session_create(plan.pointer, &options, &created, $0) }
        pointer = created!
        self.plan = plan
    }

    deinit {
        kiln_session_destroy(pointer)
    }

    /// The classes with the largest scores, by falling score.
    public func classify(_ image: Image, top: Int = 5) throws -> [Answer] {
        var answers = [kiln_answer](repeating: kiln_answer(), count: max(top, 0))
        var found = 0
        try run { session in
            try image.withRaw { raw in
                try check { kiln_classify(session, raw, &answers, answers.count, &found, $0) }
            }
        }
        return answers.prefix(found).map {
            Answer(index: $0.index, label: text($0.label), score: $0.score)
        }
    }

    /// The image's features, of length 1: the network is one of `Plan.features()`, or ends in an embedding.
    public func embed(_ image: Image) throws -> [Float] {
        var features = [Float](
            repeating: 0, count: (plan.outputs.last?.bytes ?? 0) / MemoryLayout<Float>.size)
        try run { session in
            try image.withRaw { raw in
                try check { kiln_embed(session, raw, &features, features.count, $0) }
            }
        }
        return features
    }

    /// Any network of f32 tensors: arrays in the order of the plan's inputs and outputs, each dense and row-major.
    public func run(_ inputs: [[Float]], batch: Int = 1) throws -> [[Float]] {
        let outputs = plan.outputs
        guard (plan.inputs + outputs).allSatisfy({ $0.isFloat }) else {
            throw KilnError(.unsupported, "a network with tensors that are not f32: run(inputs:outputs:)")
        }
        let batch = max(batch, 0)
        let given = inputs.map { UnsafeMutableBufferPointer<Float>.copy($0) }
        defer { given.forEach { $0.deallocate() } }
        let made = outputs.map {
            UnsafeMutableBufferPointer<Float>.copy(
                [Float](repeating: 0, count: $0.bytes / MemoryLayout<Float>.size * batch))
        }
        defer { made.forEach { $0.deallocate() } }
        try run(
            inputs: given.map { UnsafeRawBufferPointer($0) },
            outputs: made.map { UnsafeMutableRawBufferPointer($0) }, batch: batch)
        return made.map { Array($0) }
    }

    /// Any network, without copies. Sizes in bytes are those of the tensors, times `batch`.
    public func run(
        inputs: [UnsafeRawBufferPointer], outputs: [UnsafeMutableRawBufferPointer], batch: Int = 1
    ) throws {
        let given = inputs.map {
            kiln_buffer(data: UnsafeMutableRawPointer(mutating: $0.baseAddress), size: $0.count)
        }
        let made = outputs.map { kiln_buffer(data: $0.baseAddress, size: $0.count) }
        let batch = try count(batch, "batch")
        try run { session in
            try check {
                kiln_session_run(session, batch, given, given.count, made, made.count, $0)
            }
        }
    }

    /// Ends the run in progress, or else the next one, which throws an error of the status `cancelled`. From any
    /// thread.
    public func cancel() {
        kiln_session_cancel(pointer)
    }

    private func run(_ body: (OpaquePointer) throws -> Void) throws {
        running.lock()
        defer { running.unlock() }
        try body(pointer)
    }
}

/// How alike two images are by their features: the cosine of the angle between them.
public func similarity(_ a: [Float], _ b: [Float]) -> Float {
    precondition(a.count == b.count, "features of different lengths")
    return kiln_similarity(a, b, a.count)
}

extension UnsafeMutableBufferPointer where Element == Float {
    fileprivate static func copy(_ array: [Float]) -> Self {
        let buffer = allocate(capacity: array.count)
        _ = buffer.initialize(from: array)
        return buffer
    }
}
