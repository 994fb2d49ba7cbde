import Foundation

/// A request of which only some digits change from one message to the next.
///
/// The bytes are made once; `fill` overwrites the digits in place. All messages of a form have the same length.
struct RequestForm {
    /// What kind of client sends it.
    enum Kind {
        /// `attempt` and `seq`, an entry for each disk.
        case new
        /// Neither, and no disks: the numbers belong to the job's current disk.
        case old
        /// As `new`, but with the lowest `seq` of all: something that was overtaken long ago.
        case late
    }

    private enum Field {
        case job, bytes, diskBytes, speed, eta, seq, second
    }

    let kind: Kind
    let jobs: JobSet
    private(set) var bytes: [UInt8]
    private let places: [(field: Field, start: Int, count: Int)]
    private var filledSecond: Int64 = -1

    init(_ kind: Kind, _ jobs: JobSet) {
        self.kind = kind
        self.jobs = jobs
        var places: [(field: Field, start: Int, count: Int)] = []
        var body = ""
        var head = ""
        func place(_ field: Field, _ sample: String, in text: inout String) {
            places.append((field, text.utf8.count, sample.utf8.count))
            text += sample
        }
        func number(_ name: String, _ field: Field, _ value: Int64) {
            body += #","\#(name)":"#
            place(field, "\(value)", in: &body)
        }
        let digits = String(repeating: "0", count: JobSet.digitCount)
        body += #"{"job_id":"\#(jobs.prefix)"#
        place(.job, digits, in: &body)
        body += #"\#(jobs.suffix)","job_type":"backup","status":"running","current_phase":"transferring""#
        number("bytes_transferred", .bytes, kind == .old ? jobs.diskBytes(0) : jobs.bytes(0))
        body += #","total_bytes":\#(kind == .old ? JobSet.diskTotal : jobs.total)"#
        number("transfer_speed_bps", .speed, jobs.speed(0))
        number("eta_seconds", .eta, jobs.etaSeconds(0))
        body += #","progress_percent":42.5,"disks":["#
        for disk in 0..<(kind == .old ? 0 : jobs.diskCount) {
            body += #"\#(disk > 0 ? "," : ""){"disk_index":\#(disk)"#
            number("bytes_transferred", .diskBytes, jobs.diskBytes(0))
            body += #","total_bytes":\#(JobSet.diskTotal),"status":"transferring","progress_percent":42.5}"#
        }
        body += #"],"timestamp":""#
        place(.second, "2025-10-10T14:23:45Z", in: &body)
        body += #"""#
        if kind != .old {
            body += #","attempt":1"#
            number("seq", .seq, jobs.seq(0))
        }
        body += "}"
        let bodyPlaces = places
        places = []
        head += "POST /api/v1/telemetry/backup/\(jobs.prefix)"
        place(.job, digits, in: &head)
        head += "\(jobs.suffix) HTTP/1.1\r\nHost: localhost:8082\r\nContent-Type: application/json\r\n"
        head += "Content-Length: \(body.utf8.count)\r\n\r\n"
        bytes = Array((head + body).utf8)
        self.places = places + bodyPlaces.map { ($0.field, $0.start + head.utf8.count, $0.count) }
    }

    /// Makes it message `number`, sent at that second since 1970 UTC.
    mutating func fill(_ number: Int, second: Int64) {
        for place in places {
            switch place.field {
            case .job: write(Int64(jobs.number(jobs.job(number))), place)
            case .bytes: write(kind == .old ? jobs.diskBytes(number) : jobs.bytes(number), place)
            case .diskBytes: write(jobs.diskBytes(number), place)
            case .speed: write(jobs.speed(number), place)
            case .eta: write(jobs.etaSeconds(number), place)
            case .seq: write(kind == .late ? JobSet.seqMin : jobs.seq(number), place)
            case .second where second != filledSecond: write(second: second, place.start)
            case .second: break
            }
        }
    }

    private mutating func write(_ value: Int64, _ place: (field: Field, start: Int, count: Int)) {
        var rest = value
        for index in (place.start..<place.start + place.count).reversed() {
            bytes[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        precondition(rest == 0, "message numbers have run out of digits")
    }

    private mutating func write(second: Int64, _ start: Int) {
        filledSecond = second
        let date = Date(timeIntervalSince1970: Double(second))
        bytes.replaceSubrange(start..<start + 20, with: ISO8601DateFormatter().string(from: date).utf8)
    }
}
