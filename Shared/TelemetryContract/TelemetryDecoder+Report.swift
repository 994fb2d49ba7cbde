internal import JobModel

extension TelemetryDecoder {
    /// What telemetry messages may say: looked up once a message, since each look at a constant costs a call.
    final class ReportVocabulary: Sendable {
        let fields = JSONNames(required: ReportField.required)
        let diskFields = JSONNames(required: DiskReportField.required)
        let errorFields = JSONNames(required: ErrorField.required)
        let statuses = JSONNames<ReportedStatus>()
        let diskStatuses = JSONNames<ReportedDiskStatus>()
    }

    static let reportVocabulary = ReportVocabulary()
    static let percentHundredthsMax: Int64 = 10_000

    /// Reads a telemetry message. A refused member leaves its default behind: the problem that it noted keeps
    /// the message from being used.
    static func readReport(
        _ fields: inout FieldReader,
        _ vocabulary: ReportVocabulary,
        jobType: String,
        jobID: JobID
    ) throws(JSONFault) -> Report? {
        guard var object = try fields.object() else { return nil }
        var report = Report(jobID: jobID, status: .pending, phase: "", bytes: 0, total: nil)
        while let field = try fields.reader.nextField(&object, of: vocabulary.fields) {
            switch field {
            case .jobID:
                try fields.same(field, as: jobID.rawValue)
            case .jobType:
                try fields.same(field, as: jobType)
            case .status:
                report.status = try fields.word(field, of: vocabulary.statuses) ?? .pending
            case .phase:
                let scalarCount = 0...Report.phaseScalarCountMax
                report.phase = try fields.text(field, scalarCount: scalarCount, nullable: false) ?? ""
            case .bytes:
                report.bytes = try fields.integer(field, nullable: false) ?? 0
            case .total:
                report.total = try fields.integer(field, nullable: true)
            case .speed:
                report.speed = try fields.roundedDown(field, cap: nil)
            case .eta:
                report.etaSeconds = try fields.roundedDown(field, cap: Int64(Int32.max)).map(Int32.init)
            case .percent:
                let hundredths = try fields.roundedDown(field, timesTenTo: 2, cap: percentHundredthsMax)
                report.percentHundredths = hundredths.map(Int32.init)
            case .disks:
                report.disks = try disks(&fields, vocabulary, field)
            case .timestamp:
                report.timestampMilliseconds = try fields.timestamp(field)
            case .error:
                report.error = try errorText(&fields, vocabulary, field)
            case .attempt:
                report.attempt = try fields.integer(field, in: attempts, nullable: true)
            case .seq:
                report.seq = try fields.integer(field, in: 1...Int64.max, nullable: true)
            case .age:
                report.ageMilliseconds = try fields.roundedDown(field, cap: ageMaxMilliseconds) ?? 0
            }
        }
        fields.refuseMissing(of: vocabulary.fields, in: object)
        return report
    }
}

// MARK: - Disks

extension TelemetryDecoder {
    private static func disks(
        _ fields: inout FieldReader,
        _ vocabulary: ReportVocabulary,
        _ field: ReportField
    ) throws(JSONFault) -> [DiskReport] {
        var disks: [DiskReport] = []
        _ = try fields.array(field, limit: Registration.diskCountMax, nullable: true) {
            fields throws(JSONFault) in
            guard let disk = try disk(&fields, vocabulary) else { return }
            if disks.contains(where: { $0.index == disk.index }) {
                fields.refuse(DiskReportField.index, "is \(disk.index) as in an earlier entry")
            }
            // Most jobs have no more, so that the array is made once.
            if disks.isEmpty { disks.reserveCapacity(4) }
            disks.append(disk)
        }
        if !fits(disks, \.bytes) || !fits(disks, { $0.total ?? 0 }) { fields.refuse(field, tooLarge) }
        return disks
    }

    /// What is wrong with disks whose numbers fit one by one but not together.
    static let tooLarge = "adds up to 2^63 bytes or more"

    /// Whether the job's number, the sum over its disks, fits.
    static func fits<Disk>(_ disks: [Disk], _ number: (Disk) -> Int64) -> Bool {
        var sum: Int64 = 0
        for disk in disks {
            let (next, overflow) = sum.addingReportingOverflow(number(disk))
            if overflow { return false }
            sum = next
        }
        return true
    }

    /// Reads one entry. nil if its index is not known, whatever else is wrong with it.
    private static func disk(
        _ fields: inout FieldReader,
        _ vocabulary: ReportVocabulary
    ) throws(JSONFault) -> DiskReport? {
        guard var object = try fields.object() else { return nil }
        var index: Int64?
        var disk = DiskReport(index: 0, bytes: 0, total: nil, status: .pending)
        while let field = try fields.reader.nextField(&object, of: vocabulary.diskFields) {
            switch field {
            case .index:
                index = try fields.integer(field, in: diskIndexes, nullable: false)
            case .bytes:
                disk.bytes = try fields.integer(field, nullable: false) ?? 0
            case .total:
                disk.total = try fields.integer(field, nullable: true)
            case .status:
                disk.status = try fields.word(field, of: vocabulary.diskStatuses)?.status ?? .pending
            case .percent:
                _ = try fields.number(field, nullable: true)
            }
        }
        fields.refuseMissing(of: vocabulary.diskFields, in: object)
        guard let index else { return nil }
        disk.index = Int32(index)
        return disk
    }
}

// MARK: - Error

extension TelemetryDecoder {
    /// Stands for a message that is there but says nothing: that there was an error must not be lost.
    static let unspecifiedError = "unspecified error"

    private static func errorText(
        _ fields: inout FieldReader,
        _ vocabulary: ReportVocabulary,
        _ field: ReportField
    ) throws(JSONFault) -> String? {
        let value = try fields.reader.next()
        switch value {
        case .null:
            return nil
        case .string(let string):
            return string.isEmpty ? nil : cut(fields.reader.text(string))
        case .object:
            return try errorObject(&fields, vocabulary, field)
        case .bool, .number, .array:
            try fields.refuse(field, kindOf: value)
            return nil
        }
    }

    private static func errorObject(
        _ fields: inout FieldReader,
        _ vocabulary: ReportVocabulary,
        _ field: ReportField
    ) throws(JSONFault) -> String? {
        var object = try fields.reader.openObject()
        fields.parent = field.rawValue
        var message = ""
        var code = ""
        while let field = try fields.reader.nextField(&object, of: vocabulary.errorFields) {
            switch field {
            case .message:
                message = try fields.string(field, nullable: false).map { fields.reader.text($0) } ?? ""
            case .code:
                code = try errorCode(&fields, field)
            }
        }
        fields.refuseMissing(of: vocabulary.errorFields, in: object)
        fields.parent = ""
        let text = message.isEmpty ? unspecifiedError : message
        return cut(code.isEmpty ? text : "\(text) (code \(code))")
    }

    private static func errorCode(
        _ fields: inout FieldReader,
        _ field: ErrorField
    ) throws(JSONFault) -> String {
        let value = try fields.reader.next()
        switch value {
        case .null:
            return ""
        case .string(let string):
            return fields.reader.text(string)
        case .number(let number):
            return fields.reader.text(number)
        case .bool, .array, .object:
            try fields.refuse(field, kindOf: value)
            return ""
        }
    }

    /// The text up to the limit, cut between two characters.
    private static func cut(_ text: String) -> String {
        guard text.utf8.count > Report.errorByteCountMax else { return text }
        let bytes = Array(text.utf8.prefix(Report.errorByteCountMax + 1))
        var end = Report.errorByteCountMax
        while bytes[end] & 0xC0 == 0x80 { end -= 1 }
        return String(decoding: bytes[..<end], as: UTF8.self)
    }
}
