/// The command line as the system gives it: bytes, where Swift has text.
enum ArgumentText {
    /// What is wrong with it: an argument that is not UTF-8 would have its bytes replaced, and name another file. nil if
    /// nothing is.
    static func fault() -> String? {
        for index in 0..<Int(CommandLine.argc) {
            guard let bytes = unsafe CommandLine.unsafeArgv[index],
                unsafe String(validatingCString: bytes) == nil
            else { continue }
            let text = unsafe String(cString: bytes)
            return "argument \(index), '\(text)', is not UTF-8; rename the file that it means, or link to it"
        }
        return nil
    }
}
