// Pictures as Apple's frameworks have them.
import CKiln

#if canImport(CoreVideo)
import CoreVideo

/// A buffer that has been locked, so that its pixels stay where they are.
private final class LockedBuffer {
    private let buffer: CVPixelBuffer

    init(locked buffer: CVPixelBuffer) {
        self.buffer = buffer
    }

    deinit {
        CVPixelBufferUnlockBaseAddress(buffer, .readOnly)
    }
}

extension Image {
    /// A camera's frame, where it lies: 32BGRA, 32RGBA, or 420YpCbCr8 in two planes. The buffer is locked as long as
    /// the image is there.
    public init(_ buffer: CVPixelBuffer) throws {
        guard CVPixelBufferLockBaseAddress(buffer, .readOnly) == kCVReturnSuccess else {
            throw KilnError(.io, "the pixel buffer cannot be locked")
        }
        let locked = LockedBuffer(locked: buffer)
        var image = kiln_image()
        image.width = try count(CVPixelBufferGetWidth(buffer), "width")
        image.height = try count(CVPixelBufferGetHeight(buffer), "height")
        switch CVPixelBufferGetPixelFormatType(buffer) {
        case kCVPixelFormatType_32BGRA:
            image.format = KILN_IMAGE_BGRA
        case kCVPixelFormatType_32RGBA:
            image.format = KILN_IMAGE_RGBA
        case kCVPixelFormatType_420YpCbCr8BiPlanarFullRange:
            image.format = KILN_IMAGE_NV12
            image.colour = KILN_COLOUR_JPEG
        case kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange:
            image.format = KILN_IMAGE_NV12
            image.colour = Image.isBT601(buffer) ? KILN_COLOUR_BT601 : KILN_COLOUR_BT709
        case let other:
            throw KilnError(
                .unsupported,
                "pixels of the format \(other); supported: 32BGRA, 32RGBA, 420YpCbCr8BiPlanar")
        }
        if image.format == KILN_IMAGE_NV12 {
            image.pixels = Image.plane(buffer, 0)
            image.stride = CVPixelBufferGetBytesPerRowOfPlane(buffer, 0)
            image.chroma.0 = Image.plane(buffer, 1)
            image.chroma_stride = CVPixelBufferGetBytesPerRowOfPlane(buffer, 1)
        } else {
            image.pixels = CVPixelBufferGetBaseAddress(buffer).map {
                UnsafePointer($0.assumingMemoryBound(to: UInt8.self))
            }
            image.stride = CVPixelBufferGetBytesPerRow(buffer)
        }
        self.init(image, owner: locked)
    }

    private static func plane(_ buffer: CVPixelBuffer, _ index: Int) -> UnsafePointer<UInt8>? {
        CVPixelBufferGetBaseAddressOfPlane(buffer, index).map {
            UnsafePointer($0.assumingMemoryBound(to: UInt8.self))
        }
    }

    private static func isBT601(_ buffer: CVPixelBuffer) -> Bool {
        let matrix = CVBufferGetAttachment(buffer, kCVImageBufferYCbCrMatrixKey, nil)?
            .takeUnretainedValue()
        return matrix.map { CFEqual($0, kCVImageBufferYCbCrMatrix_ITU_R_601_4) } ?? false
    }
}
#endif

#if canImport(CoreGraphics)
import CoreGraphics

extension Image {
    /// A picture, of a UIImage for instance, drawn once into pixels of eight bits in sRGB.
    public init(_ picture: CGImage) throws {
        let width = picture.width
        let height = picture.height
        var pixels = [UInt8](repeating: 0, count: width * height * Format.rgba.bytes)
        let drawn = pixels.withUnsafeMutableBytes { memory -> Bool in
            guard
                let context = CGContext(
                    data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8,
                    bytesPerRow: width * Format.rgba.bytes,
                    space: CGColorSpace(name: CGColorSpace.sRGB)!,
                    bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
            else { return false }
            context.draw(picture, in: CGRect(x: 0, y: 0, width: width, height: height))
            return true
        }
        guard drawn else {
            throw KilnError(.memory, "no memory to draw a picture of \(width)x\(height)")
        }
        try self.init(.rgba, width: width, height: height, pixels: pixels)
    }
}
#endif
