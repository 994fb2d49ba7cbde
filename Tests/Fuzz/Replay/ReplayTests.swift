import Foundation
import Testing

/// The corpus of each target, and inputs that once were findings, through the same bodies as libFuzzer's.
@Suite struct ReplayTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .appending(path: "corpus")

    @Test(arguments: FuzzTarget.allCases)
    func `every input of the corpus keeps the promises`(target: FuzzTarget) throws {
        let folder = Self.corpus.appending(path: target.rawValue)
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        try #require(files.count >= 5, "\(folder.path()) is all but empty")
        for file in files {
            let input = try Array(Data(contentsOf: file))
            #expect(throws: Never.self, "\(target.rawValue)/\(file.lastPathComponent)") {
                try target.check(input)
            }
        }
    }
}
