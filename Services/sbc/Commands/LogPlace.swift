internal import ArgumentParser
internal import Logs

/// Where log lines go.
struct LogPlace {
    /// nil: standard error.
    var path: String?
    /// Whether the path was asked for, and not just the usual one.
    var isAsked: Bool

    init(_ plan: BackupPlan) {
        path = plan.logFile
        isAsked = plan.isLogFileAsked
    }

    /// What an option and the environment come to.
    init(_ option: String?, _ set: [String: String]) {
        let asked = option ?? set["SENDENSE_SBC_LOG"]
        path = asked ?? BackupPlan.defaultLogFile
        isAsked = asked != nil
    }

    /// Opens it; where the usual file cannot be written, standard error serves.
    ///
    /// - Throws: `ExitCode` where the file that was asked for cannot be written; people have been told.
    func open() throws(ExitCode) -> LogSink {
        guard let path else { return .standardError }
        do throws(LogFileError) {
            return try LogSink(path: path)
        } catch {
            guard isAsked else { return .standardError }
            Output.complain("error: --log-file: \(error); give a file that can be written")
            throw ExitCode(ExitStatus.usage)
        }
    }
}
