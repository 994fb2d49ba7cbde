import JobModel
import Logs

/// An event's evidence in plain words.
enum EvidenceWords {
    /// The words for evidence of a form that we know; any other as it is stored, in quotes.
    static func text(_ evidence: String) -> String {
        message(evidence) ?? silence(evidence) ?? completion(evidence) ?? registration(evidence)
            ?? cancel(evidence) ?? presumedBytes(evidence) ?? "\"\(evidence)\""
    }

    /// `silent for 61234 ms; last seq=5; thresholds 60 s and 300 s`
    private static func silence(_ evidence: String) -> String? {
        let parts = evidence.components(after: ["silent for ", " ms; last seq=", "; thresholds ", " s and "])
        guard let parts, let silence = Int64(parts[0]), let seq = Int64(parts[1]) else { return nil }
        let last = seq > 0 ? "its last message was number \(seq)" : "its messages have no numbers"
        let words = DurationWords.text(milliseconds: silence)
        return "\(words) without a sign of life (thresholds \(parts[2]) s and \(parts[3])); \(last)"
    }

    /// `telemetry status=running phase=transferring attempt=1 seq=5`, or with `timestamp_ms=…`, or `no timestamp`
    private static func message(_ evidence: String) -> String? {
        let isOlder = evidence.hasPrefix("older message; ")
        let text = isOlder ? String(evidence.dropFirst("older message; ".count)) : evidence
        guard text.hasPrefix("telemetry status=") else { return nil }
        let kind = isOlder ? "an older report" : "a report"
        func told(_ parts: [String]) -> String { "with status \(parts[0]) in phase \"\(parts[1])\"" }
        if let parts = text.components(after: ["telemetry status=", " phase=", " attempt=", " seq="]) {
            return "\(kind) \(told(parts)), number \(parts[3]) of attempt \(parts[2])"
        }
        if let parts = text.components(after: ["telemetry status=", " phase=", " timestamp_ms="]),
            let time = Int64(parts[2])
        {
            return "\(kind) \(told(parts)), dated \(UTCTime.text(milliseconds: time)) by its client's clock"
        }
        guard text.hasSuffix(" no timestamp"),
            let parts = String(text.dropLast(" no timestamp".count))
                .components(after: ["telemetry status=", " phase="])
        else { return nil }
        return "\(kind) \(told(parts)), without number or date"
    }

    /// `complete disk=0 bytes=0 change_id=52 66/5440`
    private static func completion(_ evidence: String) -> String? {
        guard let parts = evidence.components(after: ["complete disk=", " bytes=", " change_id="]) else {
            return nil
        }
        let bytes = parts[1] == "0" ? "no bytes told" : "\(parts[1]) bytes told"
        return "disk \(parts[0]) was told to be complete, change id \(parts[2]), \(bytes)"
    }

    /// `registration vm=web1 type=full disks=0:1073741824,1:unknown telemetry=true`
    private static func registration(_ evidence: String) -> String? {
        let names = ["registration vm=", " type=", " disks=", " telemetry="]
        guard let parts = evidence.components(after: names) else { return nil }
        let disks = parts[2].split(separator: ",").map { disk in
            let (index, size) = (disk.prefix { $0 != ":" }, disk.drop { $0 != ":" }.dropFirst())
            return "disk \(index) of \(Int64(size).map(SizeWords.text) ?? "unknown size")"
        }
        let reports = parts[3] == "true" ? "reports announced" : "no reports announced"
        return "\(parts[1]) backup of VM \(parts[0]), \(disks.joined(separator: ", ")), \(reports)"
    }

    private static func cancel(_ evidence: String) -> String? {
        if evidence == "cancel request" { return "no reason was given" }
        guard let parts = evidence.components(after: ["cancel request: "]) else { return nil }
        return "the reason given: \(parts[0])"
    }

    /// `disk=0 bytes=1000 presumed from its size; complete disk=0 …`
    private static func presumedBytes(_ evidence: String) -> String? {
        let names = ["disk=", " bytes=", " presumed from its size; "]
        guard let parts = evidence.components(after: names) else { return nil }
        return "disk \(parts[0]) counts with its size, \(parts[1]) bytes; \(text(parts[2]))"
    }
}

extension String {
    /// What stands behind each of these markers, up to the next one. nil unless the text begins with the first
    /// marker and has all of them in this order. Text before a later marker is taken as far as it goes, since
    /// a name may hold a marker's words.
    fileprivate func components(after markers: [String]) -> [String]? {
        guard let first = markers.first, hasPrefix(first) else { return nil }
        var rest = dropFirst(first.count)
        var parts: [String] = []
        for marker in markers.dropFirst().reversed() {
            guard let place = rest.lastRange(of: marker) else { return nil }
            parts.append(String(rest[place.upperBound...]))
            rest = rest[..<place.lowerBound]
        }
        parts.append(String(rest))
        return parts.reversed()
    }
}

extension Substring {
    fileprivate func lastRange(of marker: String) -> Range<Index>? {
        var found: Range<Index>?
        for range in ranges(of: marker) { found = range }
        return found
    }
}
