internal import JobModel

extension TelemetryDecoder {
    /// Reads a telemetry message of the plain form, as `readReport` reads it. Most have it, and take a tenth of the time.
    ///
    /// - Throws: `PlainReader.Unusual` where the message is not of that form, whatever else it is.
    static func plainReport(
        _ body: Span<UInt8>,
        _ vocabulary: ReportVocabulary,
        jobType: String,
        jobID: JobID
    ) throws(PlainReader.Unusual) -> Report {
        var reader = try PlainReader(body)
        var object = PlainReader.Object()
        // One by one: a report that is filled member by member is copied on its way out.
        var (status, phase, disks) = (ReportedStatus.pending, "", [DiskReport]())
        var (bytes, age): (Int64, Int64) = (0, 0)
        var total, speed, etaSeconds, hundredths, timestamp, attempt, seq: Int64?
        try reader.take("{", body)
        repeat {
            switch try reader.field(&object, of: vocabulary.fields, body) {
            case .jobID: try reader.same(as: jobID.rawValue, body)
            case .jobType: try reader.same(as: jobType, body)
            case .status: status = try reader.word(of: vocabulary.statuses, body)
            case .phase: phase = try reader.text(countMax: Report.phaseScalarCountMax, body)
            case .bytes: bytes = try reader.integer(body)
            case .total: total = try reader.integerOrNull(body)
            case .speed: speed = try reader.integerOrNull(body)
            case .eta: etaSeconds = try reader.integerOrNull(body)
            case .percent: hundredths = try reader.hundredthsOrNull(body)
            case .disks: disks = try plainDisks(&reader, vocabulary, body)
            case .timestamp: timestamp = reader.null(body) ? nil : try reader.timestamp(body)
            // One that says something comes once in a job's life.
            case .error: guard reader.null(body) else { throw PlainReader.Unusual() }
            case .attempt: attempt = try reader.integerOrNull(body)
            case .seq: seq = try reader.integerOrNull(body)
            case .age: age = try reader.integerOrNull(body) ?? 0
            }
        } while reader.takes(",", body)
        try reader.take("}", body)
        try reader.finish(body)
        guard vocabulary.fields.areAllThere(object.seen), attempts.contains(attempt ?? 1), seq != 0 else {
            throw PlainReader.Unusual()
        }
        return Report(
            jobID: jobID,
            status: status,
            phase: phase,
            bytes: bytes,
            total: total,
            speed: speed,
            etaSeconds: etaSeconds.map { Int32(clamping: $0) },
            percentHundredths: hundredths.map { Int32(min($0, percentHundredthsMax)) },
            disks: disks,
            timestampMilliseconds: timestamp,
            attempt: attempt,
            seq: seq,
            ageMilliseconds: min(age, ageMaxMilliseconds)
        )
    }

    private static func plainDisks(
        _ reader: inout PlainReader,
        _ vocabulary: ReportVocabulary,
        _ body: Span<UInt8>
    ) throws(PlainReader.Unusual) -> [DiskReport] {
        try reader.take("[", body)
        guard !reader.takes("]", body) else { return [] }
        let first = try plainDisk(&reader, vocabulary, body)
        // Most jobs have one disk or two: an array that grows is one more allocation.
        guard reader.takes(",", body) else {
            try reader.take("]", body)
            return [first]
        }
        var disks = [first, try plainDisk(&reader, vocabulary, body)]
        while reader.takes(",", body), disks.count < Registration.diskCountMax {
            disks.append(try plainDisk(&reader, vocabulary, body))
        }
        try reader.take("]", body)
        for place in disks.indices.dropFirst() {
            let index = disks[place].index
            guard !disks[..<place].contains(where: { $0.index == index }) else { throw PlainReader.Unusual() }
        }
        guard fits(disks, { $0.bytes }), fits(disks, { $0.total ?? 0 }) else { throw PlainReader.Unusual() }
        return disks
    }

    private static func plainDisk(
        _ reader: inout PlainReader,
        _ vocabulary: ReportVocabulary,
        _ body: Span<UInt8>
    ) throws(PlainReader.Unusual) -> DiskReport {
        var object = PlainReader.Object()
        var disk = DiskReport(index: 0, bytes: 0, total: nil, status: .pending)
        try reader.take("{", body)
        repeat {
            switch try reader.field(&object, of: vocabulary.diskFields, body) {
            case .index:
                let index = try reader.integer(body)
                guard diskIndexes.contains(index) else { throw PlainReader.Unusual() }
                disk.index = Int32(index)
            case .bytes:
                disk.bytes = try reader.integer(body)
            case .total:
                disk.total = try reader.integerOrNull(body)
            case .status:
                disk.status = try reader.word(of: vocabulary.diskStatuses, body).status
            case .percent:
                _ = try reader.hundredthsOrNull(body)
            }
        } while reader.takes(",", body)
        try reader.take("}", body)
        guard vocabulary.diskFields.areAllThere(object.seen) else { throw PlainReader.Unusual() }
        return disk
    }
}
