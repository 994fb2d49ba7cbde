import CLibFuzzer
import Foundation

/// libFuzzer over one of the targets, whose name is in `SENDENSE_FUZZ_TARGET`.
@main
enum FuzzRunner {
    static let target = ProcessInfo.processInfo.environment["SENDENSE_FUZZ_TARGET"].flatMap(FuzzTarget.init)

    static func main() {
        guard target != nil else {
            let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
            fatalError("SENDENSE_FUZZ_TARGET names no target; there are \(names)")
        }
        var count = CommandLine.argc
        var arguments = unsafe Optional(CommandLine.unsafeArgv)
        _ = unsafe LLVMFuzzerRunDriver(&count, &arguments, testOneInput)
    }
}

/// What libFuzzer calls with each input. Its archive holds a `main` that wants this name, whether it runs
/// or not.
@c(LLVMFuzzerTestOneInput)
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    do {
        try FuzzRunner.target?.check(input)
    } catch {
        // libFuzzer takes a trap for a finding, and writes the input to a file.
        fatalError("finding: \(error)")
    }
    return 0
}
