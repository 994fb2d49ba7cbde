internal import CCurl
internal import Glibc

/// Posts over HTTP with libcurl, on one connection that is kept alive between requests.
///
/// It blocks: use it on a thread of its own. It is not `Sendable`, since an easy handle belongs to one
/// thread at a time (libcurl-thread(3)).
public struct HTTPClient: ~Copyable {
    /// The most bytes of an answer's body that are kept; the rest is not read.
    public static let bodyByteCountMax = 65_536

    private let handle: EasyHandle
    private let transfers: Transfers
    private let errorText: ErrorText

    /// Makes a client.
    ///
    /// - Parameters:
    ///   - userAgent: how it names itself to the server.
    ///   - authorityFile: a PEM file of the authorities that may vouch for an `https` server; nil: the system's.
    /// - Throws: `CurlError` where libcurl cannot be set up.
    public init(userAgent: String, authorityFile: String? = nil) throws(CurlError) {
        let handle = try EasyHandle()
        // Without it, libcurl's resolver may raise SIGALRM on whatever thread it meets.
        try handle.set(CURLOPT_NOSIGNAL, "CURLOPT_NOSIGNAL", 1)
        // A silent name server must not hold up whoever gives a request up, by as long as the resolver likes to wait.
        try handle.set(CURLOPT_QUICK_EXIT, "CURLOPT_QUICK_EXIT", 1)
        try handle.set(CURLOPT_USERAGENT, "CURLOPT_USERAGENT", userAgent)
        try handle.set(CURLOPT_PROTOCOLS_STR, "CURLOPT_PROTOCOLS_STR", "http,https")
        try handle.set(CURLOPT_FOLLOWLOCATION, "CURLOPT_FOLLOWLOCATION", 0)
        try handle.set(CURLOPT_TCP_KEEPALIVE, "CURLOPT_TCP_KEEPALIVE", 1)
        try handle.set(CURLOPT_NOPROXY, "CURLOPT_NOPROXY", Self.noProxy)
        if let authorityFile { try handle.set(CURLOPT_CAINFO, "CURLOPT_CAINFO", authorityFile) }
        transfers = try Transfers()
        self.handle = handle
        errorText = ErrorText()
    }

    /// The hosts that no proxy of the environment may come between: loopback always, since a tunnel ends
    /// there. The option replaces `no_proxy`, so that is carried over.
    private static var noProxy: String {
        var hosts = ["localhost", "127.0.0.0/8", "::1"]
        for name in ["no_proxy", "NO_PROXY"] {
            if let value = unsafe getenv(name) {
                hosts.append(unsafe String(cString: value))
                break
            }
        }
        return hosts.joined(separator: ",")
    }

    /// Posts a body and waits for the answer. Any status is an answer; redirects are not followed.
    ///
    /// - Parameters:
    ///   - url: where to, `http` or `https`.
    ///   - headers: lines like `Content-Type: application/json`.
    ///   - body: the bytes to post.
    ///   - timeoutMilliseconds: the most that the whole request may take, connecting included.
    ///   - connectTimeoutMilliseconds: the most that connecting may take.
    ///   - isStopped: asked every 50 ms; true gives the request up, as if its time were over.
    /// - Returns: the answer.
    /// - Throws: `CurlError` where no answer came.
    public mutating func post(
        url: String,
        headers: [String],
        body: [UInt8],
        timeoutMilliseconds: Int,
        connectTimeoutMilliseconds: Int,
        isStopped: () -> Bool = { false }
    ) throws(CurlError) -> HTTPResponse {
        try handle.set(CURLOPT_URL, "CURLOPT_URL", url)
        try handle.set(CURLOPT_POST, "CURLOPT_POST", 1)
        try handle.set(CURLOPT_TIMEOUT_MS, "CURLOPT_TIMEOUT_MS", max(1, timeoutMilliseconds))
        try handle.set(
            CURLOPT_CONNECTTIMEOUT_MS,
            "CURLOPT_CONNECTTIMEOUT_MS",
            max(1, connectTimeoutMilliseconds)
        )
        let list = HeaderList(headers)
        let answer = AnswerBody()
        let outcome: Result<CURLcode, CurlError> = unsafe body.withUnsafeBytes { bytes in
            unsafe perform(sending: bytes, headers: list, into: answer, isStopped: isStopped)
        }
        let code = try outcome.get()
        // CURLE_WRITE_ERROR after a full body is our own stop, not a failure: the status has been read.
        guard code == CURLE_OK || (code == CURLE_WRITE_ERROR && answer.isFull) else {
            var error = EasyHandle.error("curl_easy_perform", code)
            if let text = errorText.text { error.message = text }
            throw error
        }
        return try response(body: answer.bytes)
    }

    /// Runs the request; the pointers that libcurl is given are good until it returns.
    private borrowing func perform(
        sending bytes: UnsafeRawBufferPointer,
        headers: HeaderList,
        into answer: AnswerBody,
        isStopped: () -> Bool
    ) -> Result<CURLcode, CurlError> {
        do throws(CurlError) {
            try unsafe handle.set(CURLOPT_POSTFIELDS, "CURLOPT_POSTFIELDS", pointer: bytes.baseAddress)
            try handle.set(CURLOPT_POSTFIELDSIZE, "CURLOPT_POSTFIELDSIZE", bytes.count)
            try unsafe handle.set(CURLOPT_HTTPHEADER, "CURLOPT_HTTPHEADER", pointer: headers.first)
            try unsafe handle.set(CURLOPT_ERRORBUFFER, "CURLOPT_ERRORBUFFER", pointer: errorText.start)
            let context = unsafe Unmanaged.passUnretained(answer).toOpaque()
            try unsafe handle.set(CURLOPT_WRITEDATA, "CURLOPT_WRITEDATA", pointer: context)
            _ = unsafe sendense_curl_set_write(handle.raw, CURLOPT_WRITEFUNCTION) {
                data,
                size,
                count,
                context in
                guard let data = unsafe data, let context = unsafe context else { return 0 }
                let answer = unsafe Unmanaged<AnswerBody>.fromOpaque(context).takeUnretainedValue()
                let all = unsafe UnsafeRawBufferPointer(start: data, count: size * count)
                return unsafe answer.append(all) ? size * count : 0
            }
            errorText.clear()
            let code = unsafe transfers.perform(handle.raw, isStopped: isStopped)
            // The next request sets its own; none of these pointers may outlive this one.
            try unsafe handle.set(CURLOPT_POSTFIELDS, "CURLOPT_POSTFIELDS", pointer: nil)
            try unsafe handle.set(CURLOPT_HTTPHEADER, "CURLOPT_HTTPHEADER", pointer: nil)
            try unsafe handle.set(CURLOPT_WRITEDATA, "CURLOPT_WRITEDATA", pointer: nil)
            try unsafe handle.set(CURLOPT_ERRORBUFFER, "CURLOPT_ERRORBUFFER", pointer: nil)
            return .success(code)
        } catch {
            return .failure(error)
        }
    }

    private borrowing func response(body: [UInt8]) throws(CurlError) -> HTTPResponse {
        var status = 0
        var retryAfter: curl_off_t = 0
        let code = unsafe sendense_curl_get_long(handle.raw, CURLINFO_RESPONSE_CODE, &status)
        guard code == CURLE_OK else { throw EasyHandle.error("CURLINFO_RESPONSE_CODE", code) }
        _ = unsafe sendense_curl_get_offset(handle.raw, CURLINFO_RETRY_AFTER, &retryAfter)
        return HTTPResponse(
            status: status,
            retryAfterSeconds: retryAfter > 0 ? Int(retryAfter) : nil,
            body: body
        )
    }
}

/// Collects an answer's body during one request, on the thread that performs it.
private final class AnswerBody {
    private(set) var bytes: [UInt8] = []
    private(set) var isFull = false

    /// Takes what there is room for.
    ///
    /// - Returns: false if that was not all.
    func append(_ data: UnsafeRawBufferPointer) -> Bool {
        let room = HTTPClient.bodyByteCountMax - bytes.count
        unsafe bytes.append(contentsOf: data.prefix(room))
        isFull = data.count > room
        return !isFull
    }
}

/// Owns the header lines of one request.
// Safe: the list is made in init, freed in deinit, and only lent for the request in between.
@safe private final class HeaderList {
    let first: UnsafeMutablePointer<curl_slist>?

    init(_ lines: [String]) {
        var list: UnsafeMutablePointer<curl_slist>?
        // An empty Expect stops libcurl from waiting a second for a "100 Continue" that few servers send.
        for line in lines + ["Expect:"] {
            let longer = unsafe curl_slist_append(list, line)
            guard unsafe longer != nil else { break }
            unsafe list = longer
        }
        unsafe first = list
    }

    deinit {
        unsafe curl_slist_free_all(first)
    }
}

/// Owns the buffer in which libcurl explains an error.
// Safe: the buffer lives as long as the object and has the size that libcurl demands.
@safe private final class ErrorText {
    let start: UnsafeMutablePointer<CChar>

    init() {
        unsafe start = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe start.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        unsafe start.deallocate()
    }

    func clear() {
        unsafe start[0] = 0
    }

    /// libcurl's words; nil if it has said nothing.
    var text: String? {
        let text = unsafe String(cString: start)
        return text.isEmpty ? nil : text
    }
}
