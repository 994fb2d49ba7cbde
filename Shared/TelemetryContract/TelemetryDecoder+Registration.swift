internal import JobModel

extension TelemetryDecoder {
    private static let registrationNames = JSONNames(required: RegistrationField.required)
    private static let registeredDiskNames = JSONNames(required: RegisteredDiskField.required)
    private static let backupTypeWords = JSONNames<BackupType>()
    /// The longest column name of MariaDB.
    private static let columnNameByteCountMax = 64

    /// Reads a registration.
    static func readRegistration(_ fields: inout FieldReader) throws(JSONFault) -> Registration? {
        guard var object = try fields.object() else { return nil }
        var jobID: JobID?
        var vmName = ""
        var backupType: BackupType?
        var repositoryID: String?
        var disks: [RegisteredDisk] = []
        var announcesTelemetry = false
        var attempt: Int64?
        var age: Int64?
        var columns: [String: ColumnValue] = [:]
        while let member = try fields.reader.nextMember(&object, of: registrationNames) {
            guard case .known(let field) = member else {
                try readColumn(&fields, member, into: &columns)
                continue
            }
            switch field {
            case .jobID:
                guard let string = try fields.string(field, nullable: false) else { continue }
                jobID = JobID(fields.reader.text(string))
                if jobID == nil { fields.refuse(field, "is no job id") }
            case .vmName:
                let scalarCount = 1...Registration.vmNameScalarCountMax
                vmName = try fields.text(field, scalarCount: scalarCount, nullable: false) ?? ""
            case .backupType:
                backupType = try fields.word(field, of: backupTypeWords)
            case .repositoryID:
                let scalarCount = 1...Registration.repositoryIDScalarCountMax
                repositoryID = try fields.text(field, scalarCount: scalarCount, nullable: true)
            case .disks:
                disks = try registeredDisks(&fields, field)
            case .telemetry:
                announcesTelemetry = try fields.flag(field)
            case .attempt:
                attempt = try fields.integer(field, in: attempts, nullable: true)
            case .age:
                age = try fields.roundedDown(field, cap: ageMaxMilliseconds)
            }
        }
        fields.refuseMissing(of: registrationNames, in: object)
        guard let jobID, let backupType else { return nil }
        return Registration(
            jobID: jobID,
            vmName: vmName,
            backupType: backupType,
            repositoryID: repositoryID,
            disks: disks.sorted { $0.index < $1.index },
            announcesTelemetry: announcesTelemetry,
            attempt: attempt,
            columns: columns,
            ageMilliseconds: age ?? 0
        )
    }

    private static func registeredDisks(
        _ fields: inout FieldReader,
        _ field: RegistrationField
    ) throws(JSONFault) -> [RegisteredDisk] {
        var disks: [RegisteredDisk] = []
        let count = try fields.array(field, limit: Registration.diskCountMax, nullable: false) {
            fields throws(JSONFault) in
            guard let disk = try registeredDisk(&fields) else { return }
            if disks.contains(where: { $0.index == disk.index }) {
                fields.refuse(RegisteredDiskField.index, "is \(disk.index) as in an earlier entry")
            }
            disks.append(disk)
        }
        if count == 0 { fields.refuse(field, "is empty") }
        if !fits(disks, { $0.total ?? 0 }) { fields.refuse(field, tooLarge) }
        return disks
    }

    private static func registeredDisk(_ fields: inout FieldReader) throws(JSONFault) -> RegisteredDisk? {
        guard var object = try fields.object() else { return nil }
        var index: Int64?
        var total: Int64?
        var columns: [String: ColumnValue] = [:]
        while let member = try fields.reader.nextMember(&object, of: registeredDiskNames) {
            guard case .known(let field) = member else {
                try readColumn(&fields, member, into: &columns)
                continue
            }
            switch field {
            case .index: index = try fields.integer(field, in: diskIndexes, nullable: false)
            case .total: total = try fields.integer(field, nullable: true)
            }
        }
        fields.refuseMissing(of: registeredDiskNames, in: object)
        return index.map { RegisteredDisk(index: Int32($0), total: total, columns: columns) }
    }

    /// Reads a member that the contract does not know: an adopted table may have a column of its name. What no
    /// column could hold is passed, as unknown members are.
    private static func readColumn<Field>(
        _ fields: inout FieldReader,
        _ member: JSONMember<Field>,
        into columns: inout [String: ColumnValue]
    ) throws(JSONFault) {
        let value = try fields.reader.next()
        guard case .unknown(let name) = member, let column = columnName(fields.reader.text(name)) else {
            return try fields.reader.skipRest(of: value)
        }
        switch value {
        case .string(let string): columns[column] = .text(fields.reader.text(string))
        case .bool(let flag): columns[column] = .integer(flag ? 1 : 0)
        case .number(let number):
            if case .value(let whole, hasFraction: false) = number.whole() {
                columns[column] = .integer(whole)
            }
        case .null, .array, .object: try fields.reader.skipRest(of: value)
        }
    }

    /// The text, if a column may be called so. nil: it is no plain name.
    private static func columnName(_ text: String) -> String? {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return isPlain && (1...columnNameByteCountMax).contains(text.utf8.count) ? text : nil
    }
}
