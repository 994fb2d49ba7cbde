internal import JobModel

/// The rows of jobs that a transaction changes, column by column: a job has many parts, and copying each for each column
/// would cost more than all the rest of the writer does.
struct JobUpdates {
    /// Where the jobs that have rows are among the changes; ascending.
    let places: [Int]
    let changes: [JobChange]
    /// By place.
    let isPoint: [Bool]
    /// By the database's clock.
    let nowMilliseconds: Int64

    var count: Int { places.count }

    func ints(_ value: (borrowing JobChange) -> Int64?) -> BulkColumn {
        var column: [Int64?] = []
        column.reserveCapacity(places.count)
        for place in places { column.append(value(changes[place])) }
        return .ints(column)
    }

    func texts(_ value: (borrowing JobChange) -> String?) -> BulkColumn {
        var column: [String?] = []
        column.reserveCapacity(places.count)
        for place in places { column.append(value(changes[place])) }
        return .texts(column)
    }

    /// What `history_ms` comes to be.
    var historyTimes: BulkColumn {
        .ints(
            places.map { place in
                switch changes[place].historyStamp(isPoint: isPoint[place]) {
                case .keep: changes[place].history.lastMilliseconds
                case .now: nowMilliseconds
                case .clear: nil
                }
            }
        )
    }

    /// What becomes of `history_ms`.
    var historyStamps: BulkColumn {
        .ints(places.map { changes[$0].historyStamp(isPoint: isPoint[$0]).rawValue })
    }
}
