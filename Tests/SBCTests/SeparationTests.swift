import Foundation
import Testing

/// The copy does not know that there is a hub, so its threads cannot wait for one.
struct SeparationTests {
    private static let copy = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Services/sbc/Copy")

    @Test func `no source of the copy names the reporter, its parts or HTTP`() throws {
        let found = FileManager.default.enumerator(at: Self.copy, includingPropertiesForKeys: nil)
        let files = try #require(found).compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
        #expect(files.count > 20)
        let names = /Curl|HTTP|HubClient|HubAccess|Reporter|ReportEvent|Delivery|Outgoing|Spool/
        for file in files {
            let text = try String(contentsOf: file, encoding: .utf8)
            for line in text.split(separator: "\n") where !line.contains("//") {
                #expect(!line.contains(names), "\(file.lastPathComponent): \(line)")
            }
        }
    }
}
