import JobModel

/// One message on its way through a lane.
struct LaneItem: Sendable {
    /// The ZeroMQ address of the ingest that waits for the verdict.
    let sender: [UInt8]
    /// The message's id at that ingest.
    let messageID: UInt64
    /// What the client told.
    let message: JobMessage
    /// When the door received it, by this machine's monotonic clock.
    let receivedMilliseconds: Int64
    /// Of the job that it speaks of: it tells the lane, and where the lane remembers the job.
    let jobHash: UInt64

    init(sender: [UInt8], messageID: UInt64, message: JobMessage, receivedMilliseconds: Int64) {
        self.sender = sender
        self.messageID = messageID
        self.message = message
        self.receivedMilliseconds = receivedMilliseconds
        jobHash = LaneSet.hash(message.jobID)
    }
}
