internal import JobModel

extension TelemetryDecoder {
    private static let registrationNames = JSONNames<RegistrationField>()
    private static let registeredDiskNames = JSONNames<RegisteredDiskField>()
    private static let backupTypeWords = JSONNames<BackupType>()

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
        while let field = try fields.reader.nextField(&object, of: registrationNames) {
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
            }
        }
        fields.refuseMissing(RegistrationField.required, of: registrationNames, in: object)
        guard let jobID, let backupType else { return nil }
        return Registration(
            jobID: jobID,
            vmName: vmName,
            backupType: backupType,
            repositoryID: repositoryID,
            disks: disks.sorted { $0.index < $1.index },
            announcesTelemetry: announcesTelemetry,
            attempt: attempt
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
        if !fits(disks.map { $0.total ?? 0 }) { fields.refuse(field, tooLarge) }
        return disks
    }

    private static func registeredDisk(_ fields: inout FieldReader) throws(JSONFault) -> RegisteredDisk? {
        guard var object = try fields.object() else { return nil }
        var index: Int64?
        var total: Int64?
        while let field = try fields.reader.nextField(&object, of: registeredDiskNames) {
            switch field {
            case .index: index = try fields.integer(field, in: diskIndexes, nullable: false)
            case .total: total = try fields.integer(field, nullable: true)
            }
        }
        fields.refuseMissing(RegisteredDiskField.required, of: registeredDiskNames, in: object)
        return index.map { RegisteredDisk(index: Int32($0), total: total) }
    }
}
