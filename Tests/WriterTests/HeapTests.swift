import Foundation
import Testing
import Threading

@Suite struct HeapTests {
    private static let pageSize = 4096
    private static let pageCount = 65_536

    @Test func `memory that was in use once is given back, though something behind it still is`() throws {
        let pages = unsafe (0..<Self.pageCount).map { _ in
            let page = UnsafeMutableRawPointer.allocate(byteCount: Self.pageSize, alignment: 16)
            unsafe page.storeBytes(of: 1, as: UInt8.self)
            return unsafe page
        }
        unsafe pages.dropLast().forEach { unsafe $0.deallocate() }
        defer { unsafe pages.last?.deallocate() }
        let before = try Self.residentPages()
        Heap.giveBack()
        // Other tests run meanwhile.
        #expect(try before - Self.residentPages() > Self.pageCount / 2)
    }

    private static func residentPages() throws -> Int {
        let sizes = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return try #require(Int(sizes[1]))
    }
}
