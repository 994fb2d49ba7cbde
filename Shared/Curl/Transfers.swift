internal import CCurl

/// Owns a multi handle of libcurl, over which a request can be given up at any time; curl_easy_perform looks up from
/// a silent server once a second at best. It keeps the connections alive between requests.
// Safe: the pointer is set once, freed only in deinit, and a noncopyable value has one owner.
@safe struct Transfers: ~Copyable {
    private static let lookMilliseconds: Int32 = 50

    private let raw: UnsafeMutableRawPointer

    init() throws(CurlError) {
        guard let multi = unsafe curl_multi_init() else {
            throw CurlError(operation: "curl_multi_init", code: 27, message: "no handle, memory is short")
        }
        unsafe raw = multi
    }

    deinit {
        _ = unsafe curl_multi_cleanup(raw)
    }

    /// Runs one request to its end.
    ///
    /// - Returns: libcurl's code; CURLE_OPERATION_TIMEDOUT where it was given up.
    @unsafe borrowing func perform(_ easy: UnsafeMutableRawPointer, isStopped: () -> Bool) -> CURLcode {
        guard unsafe curl_multi_add_handle(raw, easy) == CURLM_OK else { return CURLE_FAILED_INIT }
        defer { _ = unsafe curl_multi_remove_handle(raw, easy) }
        var runningCount: Int32 = 1
        while true {
            guard unsafe curl_multi_perform(raw, &runningCount) == CURLM_OK else { return CURLE_FAILED_INIT }
            if runningCount == 0 { break }
            if isStopped() { return CURLE_OPERATION_TIMEDOUT }
            guard unsafe curl_multi_poll(raw, nil, 0, Self.lookMilliseconds, nil) == CURLM_OK else {
                return CURLE_FAILED_INIT
            }
        }
        var leftCount: Int32 = 0
        while let message = unsafe curl_multi_info_read(raw, &leftCount) {
            if unsafe message.pointee.msg == CURLMSG_DONE { return unsafe message.pointee.data.result }
        }
        return CURLE_FAILED_INIT
    }
}
