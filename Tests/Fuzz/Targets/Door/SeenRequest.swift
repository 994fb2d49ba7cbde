/// A request as NIO's decoder saw it, and what the door did about it.
struct SeenRequest: Sendable {
    var method: String
    /// The path, and the query if there is one.
    var target: String
    var body: [UInt8] = []
    /// The target or the headers, or the body as it was announced or came, are beyond the limits: the
    /// status for it.
    var excess: Int?
    var isWhole = false
    /// How often it was handed on.
    var servedCount = 0
    /// It was handed on with other words than the decoder's.
    var isDistorted = false
    /// Whether what is behind the door has answered it.
    var isReplied = false
}
