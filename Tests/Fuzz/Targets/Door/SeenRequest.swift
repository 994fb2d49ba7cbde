/// A request as the handler before the door's saw it, and what the door did about it.
struct SeenRequest: Sendable {
    var method: String
    /// The target or the headers, or the body as it was announced or came, are beyond the limits: the
    /// status for it.
    var excess: Int?
    var bodyByteCount = 0
    var isWhole = false
    /// How often it was handed on.
    var servedCount = 0
    /// Whether what is behind the door has answered it.
    var isReplied = false
}
