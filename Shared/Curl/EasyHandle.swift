internal import CCurl

/// Owns one easy handle of libcurl, and with it the connections that it keeps alive.
// Safe: the pointer is set once, freed only in deinit, and a noncopyable value has one owner.
@safe struct EasyHandle: ~Copyable {
    let raw: UnsafeMutableRawPointer

    init() throws(CurlError) {
        guard case .success = Self.globalInit else {
            throw CurlError(operation: "curl_global_init", code: 2, message: "libcurl could not be set up")
        }
        guard let handle = unsafe curl_easy_init() else {
            throw CurlError(operation: "curl_easy_init", code: 2, message: "no handle, memory is short")
        }
        unsafe raw = handle
    }

    deinit {
        unsafe curl_easy_cleanup(raw)
    }

    /// curl_global_init must run once in a process, before other threads use libcurl; a static is made once.
    private static let globalInit: Result<Void, CurlError> = {
        let code = sendense_curl_global_init()
        guard code == CURLE_OK else {
            return .failure(Self.error("curl_global_init", code))
        }
        return .success(())
    }()

    /// Sets a number.
    borrowing func set(_ option: CURLoption, _ name: String, _ value: Int) throws(CurlError) {
        let code = unsafe sendense_curl_set_long(raw, option, value)
        guard code == CURLE_OK else { throw Self.error(name, code) }
    }

    /// Sets a text; libcurl copies it.
    borrowing func set(_ option: CURLoption, _ name: String, _ value: String) throws(CurlError) {
        let code = unsafe value.withCString { unsafe sendense_curl_set_pointer(raw, option, $0) }
        guard code == CURLE_OK else { throw Self.error(name, code) }
    }

    /// Sets a pointer; what it points to must outlive its use.
    @unsafe borrowing func set(
        _ option: CURLoption,
        _ name: String,
        pointer: UnsafeRawPointer?
    ) throws(CurlError) {
        let code = unsafe sendense_curl_set_pointer(raw, option, pointer)
        guard code == CURLE_OK else { throw Self.error(name, code) }
    }

    /// The error of a code, in libcurl's words.
    static func error(_ operation: String, _ code: CURLcode) -> CurlError {
        let message = unsafe String(cString: curl_easy_strerror(code))
        return CurlError(operation: operation, code: Int32(bitPattern: code.rawValue), message: message)
    }
}
