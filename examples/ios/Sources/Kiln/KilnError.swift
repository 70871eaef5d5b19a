import CKiln

/// Why a call of Kiln failed: a status, and one line that says what was found and what is supported.
public struct KilnError: Error, CustomStringConvertible {
    public enum Status: UInt32, Sendable {
        case argument = 1, io, format, unsupported, memory, mismatch, `internal`, cancelled
    }

    public let status: Status
    public let message: String
    public var description: String { message }

    init(_ status: Status, _ message: String) {
        self.status = status
        self.message = message
    }

    init(_ code: kiln_status, _ error: kiln_error) {
        status = Status(rawValue: UInt32(code.rawValue)) ?? .internal
        message = withUnsafeBytes(of: error.message) { text in
            String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

/// Calls C, and throws what it says went wrong.
func check(_ call: (UnsafeMutablePointer<kiln_error>) -> kiln_status) throws {
    var error = kiln_error()
    let code = call(&error)
    if code != KILN_OK {
        throw KilnError(code, error)
    }
}

func text(_ pointer: UnsafePointer<CChar>?) -> String {
    pointer.map { String(cString: $0) } ?? ""
}

/// A count or size for C; what does not fit is the caller's mistake.
func count(_ value: Int, _ what: String) throws -> UInt32 {
    guard let fits = UInt32(exactly: value) else {
        throw KilnError(.argument, "\(what): \(value)")
    }
    return fits
}
