import Foundation

/// Runs tests that block, for many seconds, on threads outside the cooperative pool: that has only as many
/// threads as the machine has cores, and the tests of other targets need them.
final class BlockingExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "end-to-end", attributes: .concurrent)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { [self] in unsafe job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
