/// The door over hostile bytes: it never stops, answers each request at most once and in order, in whole
/// HTTP with JSON bodies, refuses what is beyond its limits, and is done with a connection after a refusal.
enum DoorTarget {
    private static let statuses: Set<Int> = [200, 201, 400, 404, 405, 409, 422, 503]
    private static let refusals: Set<Int> = [400, 413, 414, 431]

    /// The longest input whose bytes are also sent one by one.
    private static let oneByOneCountMax = 512

    static func check(_ input: [UInt8]) throws {
        let script = DoorScript(input)
        let statuses = try play(script, script.steps)
        guard script.isPlain, script.steps.count > 1 else { return }
        let atOnce = try play(script, [.bytes(script.whole)])
        try Finding.unless(
            statuses == atOnce,
            "cut bytes are answered \(statuses), the same at once \(atOnce)"
        )
        // A step is dear: the longer ones have to do with pieces.
        guard script.whole.count <= oneByOneCountMax else { return }
        let oneByOne = try play(script, script.whole.map { .bytes([$0]) })
        try Finding.unless(
            statuses == oneByOne,
            "cut bytes are answered \(statuses), the same one by one \(oneByOne)"
        )
    }

    /// - Returns: the statuses of the answers.
    private static func play(_ script: DoorScript, _ steps: [DoorScript.Step]) throws -> [Int] {
        let connection = try DoorConnection(isHasty: script.isHasty)
        try connection.play(steps)
        return try judge(connection)
    }

    private static func judge(_ connection: DoorConnection) throws -> [Int] {
        var rest = connection.received[...]
        var statuses: [Int] = []
        var isOver = false
        while !rest.isEmpty {
            try Finding.unless(!isOver, "something follows a response that ends the connection")
            let number = statuses.count
            let request = connection.requests.indices.contains(number) ? connection.requests[number] : nil
            let hasBody = request?.method != "HEAD"
            guard let response = try WrittenResponse(&rest, hasBody: hasBody) else {
                try Finding.unless(connection.isVanished, "the last response is cut")
                break
            }
            guard response.status >= 200 else {
                try Finding.unless(response.status == 100, "an interim response of \(response.status)")
                continue
            }
            try response.checkBody(isPresent: hasBody)
            try check(response, of: request)
            statuses.append(response.status)
            isOver = response.closes
        }
        try checkEnd(connection, answeredCount: statuses.count, isOver: isOver)
        return statuses
    }

    private static func check(_ response: WrittenResponse, of request: SeenRequest?) throws {
        guard let request, request.servedCount > 0 else {
            // A refusal by the door itself, or of bytes that are no HTTP.
            try Finding.unless(refusals.contains(response.status), "refused with \(response.status)")
            try Finding.unless(response.closes, "a refusal with \(response.status) keeps the connection")
            if let excess = request?.excess {
                try Finding.unless(response.status == excess, "\(response.status) where \(excess) is due")
            }
            return
        }
        try Finding.unless(!request.isDistorted, "a request was handed on with other words than it has")
        try Finding.unless(request.servedCount == 1, "a request was handed on \(request.servedCount) times")
        try Finding.unless(request.excess == nil, "a request beyond the limits was handed on")
        try Finding.unless(request.isWhole, "a request that is not whole was handed on")
        try Finding.unless(request.isReplied, "an answer came before its reply")
        try Finding.unless(statuses.contains(response.status), "answered with \(response.status)")
    }

    /// What must not have been handed on was not, and what was answered behind the door was answered before
    /// it.
    private static func checkEnd(
        _ connection: DoorConnection,
        answeredCount: Int,
        isOver: Bool
    ) throws {
        let requests = connection.requests
        try Finding.unless(
            connection.servedCount <= requests.count,
            "\(connection.servedCount) requests were handed on, there are \(requests.count)"
        )
        if isOver {
            for (number, request) in requests.enumerated().dropFirst(answeredCount) {
                try Finding.unless(
                    request.servedCount == 0,
                    "request \(number) was handed on after the connection's last answer"
                )
            }
        }
        guard !connection.isDisturbed else { return }
        try Finding.unless(
            isOver == connection.isClosed,
            "closed: \(connection.isClosed), announced: \(isOver)"
        )
        guard !isOver else { return }
        for (number, request) in requests.enumerated() {
            let isDue = request.excess != nil || request.isReplied
            try Finding.unless(number < answeredCount || !isDue, "request \(number) was not answered")
            let isHandedOn = request.servedCount > 0 || !request.isWhole || request.excess != nil
            try Finding.unless(isHandedOn, "request \(number) was not handed on")
            // Those behind one that waits for its answer wait, too.
            guard request.isReplied else { break }
        }
    }
}
