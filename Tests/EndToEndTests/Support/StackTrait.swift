import StackSupport
import Testing

/// Gives a suite a stack of its own: up before its first test, down after its last.
struct StackTrait: SuiteTrait, TestScoping {
    var settings: [String: String]
    var fieldHub: Stack.FieldHub?

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        // The suite's tests are child tasks, which inherit the preference.
        try await withTaskExecutorPreference(BlockingExecutor()) {
            let stack = try Stack(settings, folderName: fieldHub == nil ? "own" : "field")
            let outcome: Result<Void, any Error>
            do {
                if let fieldHub { try stack.adopt(fieldHub) }
                outcome = .success(try await Stack.$current.withValue(stack) { try await function() })
            } catch {
                outcome = .failure(error)
            }
            try stack.dev("down")
            try outcome.get()
        }
    }
}

extension Trait where Self == StackTrait {
    /// A stack with these settings, `SENDENSE_…` as for `./dev up`; its database is its own, or one that it
    /// takes over from a hub in the field.
    static func stack(_ settings: [String: String] = [:], adopting fieldHub: Stack.FieldHub? = nil) -> Self {
        StackTrait(settings: settings, fieldHub: fieldHub)
    }
}

extension Trait where Self == IssueHandlingTrait {
    /// Adds the ends of the services' logs to what a failing test says.
    static var showingLogs: Self {
        .compactMapIssues { issue in
            guard let stack = Stack.current else { return issue }
            var issue = issue
            issue.comments.append(Comment(rawValue: stack.logTails))
            return issue
        }
    }
}

/// All end-to-end tests: one after another, since they share a machine of two cores and measure times.
@Suite(.serialized, .showingLogs)
enum EndToEndTests {
    /// The stack of the running suite.
    static func stack() throws -> Stack { try #require(Stack.current) }
}
