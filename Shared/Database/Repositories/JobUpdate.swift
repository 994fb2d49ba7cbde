internal import JobModel

/// One job's row as it is to be changed.
struct JobUpdate {
    let change: JobChange
    let job: Job
    let historyStamp: JobChange.Stamp

    init(_ change: JobChange, isPoint: Bool) {
        self.change = change
        job = change.after
        historyStamp = change.historyStamp(isPoint: isPoint)
    }

    /// The type or the error text is another one: those are rare, and texts without a bound.
    var isDescribedAnew: Bool {
        change.before?.errorMessage != job.errorMessage || change.before?.backupType != job.backupType
    }
}
