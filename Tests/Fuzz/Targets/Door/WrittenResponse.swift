import Foundation

/// A response as a client reads it off the connection.
struct WrittenResponse: Equatable {
    /// The HTTP status.
    var status: Int
    /// The headers, names in lower case.
    var headers: [String: String]
    /// The body.
    var body: [UInt8]

    /// The connection ends with it.
    var closes: Bool { headers["connection"] == "close" }

    /// Takes the next response off the front of the bytes. nil if they end before it does.
    init?(_ bytes: inout ArraySlice<UInt8>, hasBody: Bool) throws {
        guard let end = Self.endOfHead(bytes) else { return nil }
        let head = String(decoding: bytes[..<end], as: UTF8.self)
        var lines = head.components(separatedBy: "\r\n")
        let statusLine = lines.removeFirst().split(separator: " ", maxSplits: 2)
        guard statusLine.count == 3, statusLine[0] == "HTTP/1.1", statusLine[1].utf8.count == 3,
            let status = Int(statusLine[1])
        else { throw Finding("no status line: \(head)") }
        self.status = status
        headers = [:]
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            try Finding.unless(parts.count == 2 && !parts[0].isEmpty, "no header: \(line)")
            let name = parts[0].lowercased()
            try Finding.unless(headers[name] == nil, "header \(name) is there twice")
            headers[name] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        let rest = bytes[(end + 4)...]
        guard status >= 200 else {
            body = []
            bytes = rest
            return
        }
        guard let count = headers["content-length"].flatMap({ Int($0) }), count >= 0 else {
            throw Finding("no content-length: \(head)")
        }
        guard hasBody else {
            body = []
            bytes = rest
            return
        }
        guard rest.count >= count else { return nil }
        body = Array(rest.prefix(count))
        bytes = rest.dropFirst(count)
    }

    private static func endOfHead(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 4 else { return nil }
        return (bytes.startIndex...bytes.endIndex - 4).first { start in
            bytes[start] == 13 && bytes[start + 1] == 10 && bytes[start + 2] == 13 && bytes[start + 3] == 10
        }
    }

    /// What every answer of the door promises about itself.
    func checkBody(isPresent: Bool) throws {
        let type = headers["content-type"] ?? "none"
        let isProblem = status >= 400
        try Finding.unless(
            type == (isProblem ? "application/problem+json" : "application/json"),
            "status \(status) has the content type \(type)"
        )
        guard isPresent else { return }
        guard let object = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] else {
            throw Finding("the body is no JSON object: \(String(decoding: body, as: UTF8.self))")
        }
        guard isProblem else { return }
        try Finding.unless(object["status"] as? Int == status, "the body tells another status than \(status)")
        try Finding.unless((object["title"] as? String)?.isEmpty == false, "a problem has no title")
        try Finding.unless((object["detail"] as? String)?.isEmpty == false, "a problem has no detail")
    }
}
