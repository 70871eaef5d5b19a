// Drawn people through the Swift package of the example for iOS: what a session and a namer answer, errors, memory.
//   kiln-swift FOLDER     with backbone.plan, faces.plan, known/ and new/ (a folder of pictures for each person)
import Foundation
import Kiln

func holds(_ what: String, _ condition: Bool) {
    if !condition {
        print("FAILED: \(what)")
        exit(1)
    }
}

func fails(_ status: KilnError.Status, _ what: String, _ body: () throws -> Void) {
    do {
        try body()
    } catch let error as KilnError {
        return holds("\(what): \(error.status), \(error.message)", error.status == status && !error.message.isEmpty)
    } catch {
        holds("\(what): \(error)", false)
    }
    holds("\(what) is refused", false)
}

/// Binary PGM and PPM of 8 bits.
func read(_ file: URL) throws -> Image {
    let bytes = [UInt8](try Data(contentsOf: file))
    let header = bytes.split(maxSplits: 4, whereSeparator: { $0 == 10 || $0 == 32 })
    let numbers = header[1...2].map { Int(String(decoding: $0, as: UTF8.self))! }
    let format: Image.Format = header[0].last == UInt8(ascii: "6") ? .rgb : .gray
    let size = numbers[0] * numbers[1] * (format == .rgb ? 3 : 1)
    return try Image(format, width: numbers[0], height: numbers[1], pixels: bytes.suffix(size))
}

func pictures(_ folder: URL) throws -> [Image] {
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    return try files.sorted { $0.path < $1.path }.map(read)
}

func people(_ folder: URL) throws -> [URL] {
    try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).sorted { $0.path < $1.path }
}

func named(_ namer: Namer, _ images: [Image], _ name: String) throws -> Int {
    try images.filter { try namer.recognise($0).contains { $0.isKnown && $0.name == name } }.count
}

func residentKilobytes() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }!
    return Int(line.split(separator: " ").dropLast().last!.trimmingCharacters(in: .whitespaces))!
}

func checkSession(_ folder: URL, _ image: Image) throws {
    let plan = try Plan(contentsOf: folder.appendingPathComponent("backbone.plan"))
    holds("input \(plan.inputs)", plan.inputs.count == 1 && plan.inputs[0].shape.count == 4 && plan.inputs[0].isFloat)
    let session = try Session(plan, threads: 2)
    let features = try session.embed(image)
    let length = features.reduce(0) { $0 + $1 * $1 }
    holds("length \(length)", abs(length - 1) < 1e-4)
    holds("alike", abs(similarity(features, try session.embed(image)) - 1) < 1e-5)
    let elements = plan.inputs[0].bytes / 4
    let output = try session.run([[Float](repeating: 0.25, count: elements)])
    holds("output", output[0].count == features.count && output[0].contains { $0 != 0 })
    fails(.argument, "an input too short") { _ = try session.run([[1, 2]]) }
    fails(.argument, "no input") { _ = try session.run([]) }
    fails(.argument, "a batch of two") { _ = try session.run([[Float](repeating: 0, count: 2 * elements)], batch: 2) }
    session.cancel()
    fails(.cancelled, "a run that was cancelled") { _ = try session.embed(image) }
    holds("it runs on", try session.embed(image) == features)
    fails(.io, "a plan that is not there") { _ = try Plan(contentsOf: folder.appendingPathComponent("none.plan")) }
    let text = folder.appendingPathComponent("text.plan")
    try "no plan".write(to: text, atomically: true, encoding: .utf8)
    fails(.format, "a text") { _ = try Plan(contentsOf: text) }
}

func checkImages(_ session: Session) throws {
    let pixels = (0..<60 * 40 * 3).map { UInt8(truncatingIfNeeded: $0 &* 7919 >> 3) }
    let image = try Image(.rgb, width: 60, height: 40, pixels: pixels)
    let turned = try image.rotated(90).size()
    holds("turned", turned == (40, 60))
    var swapped: [UInt8] = []
    for pixel in stride(from: 0, to: pixels.count, by: 3) {
        swapped += [pixels[pixel + 2], pixels[pixel + 1], pixels[pixel], 9]
    }
    let bgra = try Image(.bgra, width: 60, height: 40, pixels: swapped)
    holds("BGRA is RGB", try session.embed(image) == session.embed(bgra))
    holds("mirrored is another", try session.embed(image) != session.embed(image.mirrored()))
    let part = try image.cropped(left: 5, top: 6, width: 7, height: 8).size()
    holds("a part", part == (7, 8))
    fails(.argument, "too few pixels") { _ = try Image(.rgb, width: 61, height: 40, pixels: pixels) }
    fails(.argument, "NV12 without all of its colours") {
        _ = try Image(.nv12, width: 60, height: 40, pixels: pixels.prefix(60 * 60 - 1))
    }
    fails(.argument, "rows too short") { _ = try Image(.rgb, width: 60, height: 40, stride: 179, pixels: pixels) }
    fails(.argument, "no width") { _ = try Image(.rgb, width: 0, height: 40, pixels: pixels) }
    fails(.argument, "a size past all numbers") { _ = try Image(.rgb, width: .max, height: .max, pixels: pixels) }
    fails(.argument, "a part that juts out") {
        _ = try image.cropped(left: 55, top: 0, width: 6, height: 1).size()
    }
    fails(.argument, "a part on the left") { _ = try image.cropped(left: -1, top: 0, width: 6, height: 1) }
    fails(.argument, "a slant") { _ = try session.embed(image.rotated(45)) }
}

func checkNamer(_ folder: URL) throws {
    let plan = try Plan(contentsOf: folder.appendingPathComponent("faces.plan"))
    let namer = try Namer(plan, threads: 2, faces: 4)
    let known = try people(folder.appendingPathComponent("known"))
    holds("people", namer.people == known.map { $0.lastPathComponent })
    let strangers = try pictures(people(folder.appendingPathComponent("new"))[0])
    let half = strangers.count / 2
    let others = Array(strangers.suffix(half))
    let name = "Zo\u{EB} \u{1F600}"
    holds("nobody is new", try named(namer, others, name) == 0)
    let blank = try Image(.gray, width: 64, height: 64, pixels: [UInt8](repeating: 90, count: 64 * 64))
    fails(.argument, "a picture without a face") { try namer.enrol(name, [strangers[0], blank]) }
    fails(.argument, "no picture") { try namer.enrol(name, []) }
    holds("nobody was enrolled", !namer.people.contains(name))
    try namer.enrol(name, Array(strangers.prefix(half)))
    let now = try named(namer, others, name)
    print("\(now) of \(others.count) are \(name)")
    holds("most are", now * 2 > others.count)
    let saved = folder.appendingPathComponent("saved.plan")
    try namer.save(to: saved)
    try namer.rename(name, to: "Ada")
    holds("renamed", try named(namer, others, "Ada") == now)
    try namer.forget("Ada")
    holds("forgotten", try named(namer, others, "Ada") == 0)
    fails(.argument, "nobody to forget") { try namer.forget("Ada") }
    fails(.io, "a folder that is not there") { try namer.save(to: folder.appendingPathComponent("no/x.plan")) }
    var right = 0, all = 0
    for person in known {
        let images = try pictures(person)
        all += images.count
        right += try named(namer, images, person.lastPathComponent)
    }
    print("\(right) of \(all) are who they are")
    holds("most are known", right * 4 > all * 3)
    holds("saved", try named(Namer(Plan(contentsOf: saved)), others, name) * 2 > others.count)
    let backbone = try Plan(contentsOf: folder.appendingPathComponent("backbone.plan"))
    fails(.argument, "a plan without a detector") { _ = try Namer(backbone) }
}

/// Plans, sessions and answers again and again; what the first hundreds leave is what the process needs.
func checkMemory(_ folder: URL, _ image: Image) throws {
    let file = folder.appendingPathComponent("backbone.plan")
    var before = 0
    for cycle in 0..<1200 {
        let session = try Session(Plan(contentsOf: file))
        _ = try session.embed(image)
        if cycle == 199 { before = try residentKilobytes() }
    }
    let after = try residentKilobytes()
    print("memory: \(before) kB, and \(after) kB 1000 cycles later")
    holds("memory grows", after - before < 2000)
}

let folder = URL(fileURLWithPath: CommandLine.arguments[1])
let picture = try pictures(people(folder.appendingPathComponent("known"))[0])[0]
try checkSession(folder, picture)
try checkImages(Session(Plan(contentsOf: folder.appendingPathComponent("backbone.plan"))))
try checkNamer(folder)
try checkMemory(folder, picture)
print("swift: all is well")
