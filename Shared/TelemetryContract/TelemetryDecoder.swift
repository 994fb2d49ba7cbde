public import JobModel

/// Decodes the bodies of the HTTP contract: strictly, in one pass, naming everything that is wrong at once.
public enum TelemetryDecoder {
    static let diskIndexes = 0...FieldReader.diskIndexMax
    static let attempts = 1...Int64(Int32.max)
    /// The highest age that counts, in milliseconds: thirty days. More is taken for so much, since a refusal would cost
    /// the report.
    static let ageMaxMilliseconds: Int64 = 30 * 24 * 3_600_000

    /// Decodes a telemetry message.
    ///
    /// Members that the contract does not know are ignored; null stands for an absent one where it may be
    /// absent. `total_bytes` has to be there, but may be null while it is unknown.
    ///
    /// - Parameters:
    ///   - body: the request's body, whole.
    ///   - jobType: the path's job type, which the body has to repeat. Which types exist is for the caller
    ///     to know.
    ///   - jobID: the path's job id, which the body has to repeat.
    /// - Returns: the message, valid in itself.
    /// - Throws: `ContractError` with every problem that was found.
    public static func report(
        body: Span<UInt8>,
        jobType: String,
        jobID: JobID
    ) throws(ContractError) -> Report {
        let vocabulary = reportVocabulary
        if let report = try? plainReport(body, vocabulary, jobType: jobType, jobID: jobID) { return report }
        return try decode(body) { fields throws(JSONFault) in
            try readReport(&fields, vocabulary, jobType: jobType, jobID: jobID)
        }
    }

    /// Decodes a disk's completion.
    ///
    /// - Parameters:
    ///   - body: the request's body, whole.
    ///   - jobID: the path's job id.
    /// - Returns: the completion, valid in itself.
    /// - Throws: `ContractError` with every problem that was found.
    public static func completion(body: Span<UInt8>, jobID: JobID) throws(ContractError) -> DiskCompletion {
        try decode(body) { fields throws(JSONFault) in try readCompletion(&fields, jobID: jobID) }
    }

    /// Decodes a registration; its disks come out by ascending index.
    ///
    /// - Parameter body: the request's body, whole.
    /// - Returns: the registration, valid in itself.
    /// - Throws: `ContractError` with every problem that was found.
    public static func registration(body: Span<UInt8>) throws(ContractError) -> Registration {
        try decode(body) { fields throws(JSONFault) in try readRegistration(&fields) }
    }

    /// Decodes a request to cancel. An empty body is one without a reason.
    ///
    /// - Parameters:
    ///   - body: the request's body, whole.
    ///   - jobID: the path's job id.
    /// - Returns: the request, valid in itself.
    /// - Throws: `ContractError` with every problem that was found.
    public static func cancelRequest(body: Span<UInt8>, jobID: JobID) throws(ContractError) -> CancelRequest {
        guard !body.isEmpty else { return CancelRequest(jobID: jobID) }
        return try decode(body) { fields throws(JSONFault) in try readCancelRequest(&fields, jobID: jobID) }
    }

    /// Runs a reader over a whole body. It returns nil only after it has noted a problem.
    private static func decode<Message>(
        _ body: Span<UInt8>,
        _ read: (inout FieldReader) throws(JSONFault) -> Message?
    ) throws(ContractError) -> Message {
        var fields = FieldReader(body)
        let message: Message?
        do {
            message = try read(&fields)
            try fields.reader.finish()
        } catch {
            throw ContractError(error)
        }
        guard let message, fields.problems.isEmpty else {
            throw ContractError(.invalid, problems: fields.allProblems)
        }
        return message
    }
}

// MARK: - Completion

extension TelemetryDecoder {
    private static let completionNames = JSONNames(required: CompletionField.required)

    private static func readCompletion(
        _ fields: inout FieldReader,
        jobID: JobID
    ) throws(JSONFault) -> DiskCompletion? {
        guard var object = try fields.object() else { return nil }
        var completion = DiskCompletion(jobID: jobID, diskIndex: 0, changeID: "", bytes: 0)
        while let field = try fields.reader.nextField(&object, of: completionNames) {
            switch field {
            case .changeID:
                let scalarCount = 1...DiskCompletion.changeIDScalarCountMax
                completion.changeID = try fields.text(field, scalarCount: scalarCount, nullable: false) ?? ""
            case .diskIndex:
                completion.diskIndex = Int32(try fields.integer(field, in: diskIndexes, nullable: true) ?? 0)
            case .bytes:
                completion.bytes = try fields.integer(field, nullable: true) ?? 0
            case .attempt:
                completion.attempt = try fields.integer(field, in: attempts, nullable: true)
            case .age:
                completion.ageMilliseconds = try fields.roundedDown(field, cap: ageMaxMilliseconds) ?? 0
            }
        }
        fields.refuseMissing(of: completionNames, in: object)
        return completion
    }
}

// MARK: - Cancel

extension TelemetryDecoder {
    private static let cancelNames = JSONNames<CancelField>()

    private static func readCancelRequest(
        _ fields: inout FieldReader,
        jobID: JobID
    ) throws(JSONFault) -> CancelRequest? {
        guard var object = try fields.object() else { return nil }
        var request = CancelRequest(jobID: jobID)
        while let field = try fields.reader.nextField(&object, of: cancelNames) {
            switch field {
            case .reason:
                let scalarCount = 1...CancelRequest.reasonScalarCountMax
                request.reason = try fields.text(field, scalarCount: scalarCount, nullable: true)
            }
        }
        return request
    }
}
