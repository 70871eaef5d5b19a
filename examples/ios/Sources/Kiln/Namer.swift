import CKiln
import Foundation

/// A face that was found, and whose it is.
public struct NamedFace: Sendable {
    public let isKnown: Bool
    public let name: String  // where it is nobody known, of whom it is most like
    public let similarity: Float
    public let asked: Float  // the similarity that it takes to be known
    public let probability: Float  // the head's; not a number: see kiln_people_verdict
    /// In pixels of what is seen of the image, y down.
    public let left, top, right, bottom: Float
    public let score: Float  // of being a face, 0 to 1

    init(_ c: kiln_named_face) {
        isKnown = c.known
        name = text(c.name)
        similarity = c.similarity
        asked = c.asked
        probability = c.probability
        left = c.face.left
        top = c.face.top
        right = c.face.right
        bottom = c.face.bottom
        score = c.face.score
    }
}

/// Finds the faces of an image and names them: from a camera's frame to who is there, in one call. People are made
/// known while it runs, and saved. Calls of several threads wait for each other.
public final class Namer: @unchecked Sendable {
    private let plan: Plan
    private let detector: Plan?
    private let pointer: OpaquePointer
    private let faces: Int
    private let running = NSLock()

    /// `plan`: of `kiln train --detector FILE --bundle`, or else with a `detector`. `faces`: of an image, at most.
    /// `rate`: of strangers that get a name, at most; 0.01 is one in a hundred, 0 the default. A rate that the people
    /// cannot vouch for is refused.
    public init(
        _ plan: Plan, threads: Int = 1, faces: Int = 16, rate: Double = 0, detector: Plan? = nil
    ) throws {
        var options = kiln_namer_options()
        kiln_namer_options_init(&options)
        options.threads = try count(threads, "threads")
        options.faces = try count(faces, "faces")
        options.rate = rate
        options.detector = detector?.pointer
        var opened: OpaquePointer?
        try check { kiln_namer_open(plan.pointer, &options, &opened, $0) }
        pointer = opened!
        self.plan = plan
        self.detector = detector
        self.faces = faces > 0 ? faces : 16
    }

    deinit {
        kiln_namer_close(pointer)
    }

    /// Who is on the image, by the falling score of their faces.
    public func recognise(_ image: Image) throws -> [NamedFace] {
        try run { namer in
            var found = [kiln_named_face](repeating: kiln_named_face(), count: faces)
            var number = 0
            try image.withRaw { raw in
                try check { kiln_namer_run(namer, raw, &found, found.count, &number, $0) }
            }
            return found.prefix(number).map { NamedFace($0) }
        }
    }

    /// Makes a person known, or better known, by the largest face of each image. Fails where one shows no face:
    /// nobody is enrolled then.
    public func enrol(_ name: String, _ images: [Image]) throws {
        guard !images.isEmpty else { throw KilnError(.argument, "no image of \(name)") }
        try run { namer in
            try Image.withRaw(images) { raw in
                try check { kiln_namer_enrol(namer, name, raw, images.count, $0) }
            }
        }
    }

    /// Nothing of the person is kept.
    public func forget(_ name: String) throws {
        try change { people in try check { kiln_people_forget(people, name, $0) } }
    }

    public func rename(_ name: String, to newName: String) throws {
        try change { people in try check { kiln_people_rename(people, name, newName, $0) } }
    }

    /// Their names, sorted.
    public var people: [String] {
        running.lock()
        defer { running.unlock() }
        guard let people = kiln_namer_people(pointer) else { return [] }
        return (0..<kiln_people_count(people)).map { text(kiln_people_name(people, $0)) }
    }

    /// Writes the plan with these people to a file, which is complete or as it was before; it may be the plan's own.
    /// Open that one at the next start.
    public func save(to url: URL) throws {
        try run { namer in
            let people = try Namer.people(of: namer)
            try check { kiln_people_save(people, plan.pointer, url.path, $0) }
        }
    }

    private static func people(of namer: OpaquePointer) throws -> OpaquePointer {
        guard let people = kiln_namer_people(namer) else {
            throw KilnError(.argument, "the plan knows no people")
        }
        return people
    }

    private func change(_ body: (OpaquePointer) throws -> Void) throws {
        try run { namer in
            try body(try Namer.people(of: namer))
            try check { kiln_namer_decide(namer, $0) }
        }
    }

    private func run<R>(_ body: (OpaquePointer) throws -> R) throws -> R {
        running.lock()
        defer { running.unlock() }
        return try body(pointer)
    }
}
