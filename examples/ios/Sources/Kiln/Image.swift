import CKiln

/// Pixels, and how they are to be seen: a crop, turned upright, then mirrored. A value; copies share the pixels.
public struct Image {
    public enum Format: UInt32, Sendable {
        case rgb = 1, bgr, rgba, bgra, gray, nv12, nv21, i420

        var bytes: Int {  // of a pixel in the first plane
            switch self {
            case .rgb, .bgr: return 3
            case .rgba, .bgra: return 4
            case .gray, .nv12, .nv21, .i420: return 1
            }
        }
        var hasChroma: Bool { rawValue >= Format.nv12.rawValue }
    }

    private(set) var raw: kiln_image
    private let owner: AnyObject  // of the pixels

    init(_ raw: kiln_image, owner: AnyObject) {
        self.raw = raw
        self.owner = owner
    }

    /// Copies pixels: rows from the top, `stride` bytes from one to the next (without it, they follow each other
    /// closely). In NV12, NV21 and I420 chroma follows luma closely.
    public init<Bytes: Sequence>(
        _ format: Format, width: Int, height: Int, stride: Int? = nil, pixels: Bytes
    ) throws where Bytes.Element == UInt8 {
        let row = width.multipliedReportingOverflow(by: format.bytes)
        let stride = stride ?? row.partialValue
        guard width > 0, height > 0, !row.overflow, stride >= row.partialValue,
            let needed = Image.bytes(format, height: height, stride: stride)
        else {
            throw KilnError(.argument, "an image of \(width)x\(height) with rows of \(stride) bytes")
        }
        let copy = Pixels(pixels)
        guard copy.bytes.count >= needed else {
            throw KilnError(
                .argument,
                "an image of \(width)x\(height) takes \(needed) bytes, and there are \(copy.bytes.count)")
        }
        var image = kiln_image()
        image.format = kiln_image_format(rawValue: .init(format.rawValue))
        image.width = try count(width, "width")
        image.height = try count(height, "height")
        image.pixels = UnsafePointer(copy.bytes.baseAddress!)
        image.stride = stride
        self.init(image, owner: copy)
    }

    /// What the C library reads, which does not know where the pixels end; nil: too much to count. Rows are
    /// taken to be whole, chroma as wide as luma's stride says.
    private static func bytes(_ format: Format, height: Int, stride: Int) -> Int? {
        let luma = stride.multipliedReportingOverflow(by: height)
        guard format.hasChroma else { return luma.overflow ? nil : luma.partialValue }
        let half = (stride / 2 + stride % 2) * 2
        let chroma = half.multipliedReportingOverflow(by: height / 2 + height % 2)
        let all = luma.partialValue.addingReportingOverflow(chroma.partialValue)
        return luma.overflow || chroma.overflow || all.overflow ? nil : all.partialValue
    }

    /// Clockwise, in degrees, until it is upright: 0, 90, 180 or 270.
    public func rotated(_ degrees: Int) throws -> Image {
        var image = self
        image.raw.rotation = try count(degrees, "rotation")
        return image
    }

    /// Left and right change places, as front cameras show it.
    public func mirrored() -> Image {
        var image = self
        image.raw.mirror.toggle()
        return image
    }

    /// The part that is seen, in pixels as they are stored.
    public func cropped(left: Int, top: Int, width: Int, height: Int) throws -> Image {
        var image = self
        image.raw.crop.left = try count(left, "left")
        image.raw.crop.top = try count(top, "top")
        image.raw.crop.width = try count(width, "width")
        image.raw.crop.height = try count(height, "height")
        return image
    }

    /// Width and height of what is seen.
    public func size() throws -> (width: Int, height: Int) {
        var width: UInt32 = 0
        var height: UInt32 = 0
        try withRaw { image in try check { kiln_image_size(image, &width, &height, $0) } }
        return (Int(width), Int(height))
    }

    func withRaw<R>(_ body: (UnsafePointer<kiln_image>) throws -> R) rethrows -> R {
        try withExtendedLifetime(owner) { try withUnsafePointer(to: raw, body) }
    }

    static func withRaw<R>(_ images: [Image], _ body: (UnsafePointer<kiln_image>?) throws -> R) rethrows -> R {
        try withExtendedLifetime(images) {
            try images.map { $0.raw }.withUnsafeBufferPointer { try body($0.baseAddress) }
        }
    }
}

/// A copy of pixels that does not move.
private final class Pixels {
    let bytes: UnsafeMutableBufferPointer<UInt8>

    init<Bytes: Sequence>(_ content: Bytes) where Bytes.Element == UInt8 {
        let array = ContiguousArray(content)
        bytes = UnsafeMutableBufferPointer.allocate(capacity: array.count)
        _ = bytes.initialize(from: array)
    }

    deinit {
        bytes.deallocate()
    }
}
