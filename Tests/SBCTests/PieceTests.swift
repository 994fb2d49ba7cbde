import Foundation
import Glibc
import NBD
import Testing

@testable import SBC

/// What the copy is cut into, held against the disk that it must cover.
@Suite struct PieceTests {
    /// Random extents that cover a range, alternating by chance.
    private func extents(_ range: Range<Int64>, _ random: inout SplitMix64) -> [Extent] {
        var made: [Extent] = []
        var offset = range.lowerBound
        while offset < range.upperBound {
            let length = min(range.upperBound - offset, Int64.random(in: 1...300_000, using: &random))
            made.append(Extent(offset: offset, length: length, isData: Bool.random(using: &random)))
            offset += length
        }
        return made
    }

    @Test(arguments: UInt64(0)..<64)
    func `pieces cover a stretch without gap or overlap, and all its data as data`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let block: Int64 = [1, 512, 4096, 65536][Int(seed % 4)]
        let cutter = PieceCutter(blockSize: block, dataLengthMax: 262_144, zeroLengthMax: 1 << 20)
        let start = Int64.random(in: 0..<100, using: &random) * block
        let range = start..<(start + Int64.random(in: 1..<9_000_000, using: &random))
        let extents = extents(range, &random)
        var cursor = range.lowerBound
        var isData: [Bool] = []
        for piece in cutter.cut(extents) {
            #expect(piece.offset == cursor && piece.length > 0)
            #expect(piece.length <= (piece.isData ? 262_144 : 1 << 20))
            #expect(piece.offset % block == 0)
            cursor += piece.length
            #expect(cursor % block == 0 || cursor == range.upperBound)
            isData += Array(repeating: piece.isData, count: Int((piece.length + block - 1) / block))
        }
        #expect(cursor == range.upperBound)
        for extent in extents where extent.isData {
            let first = Int((extent.offset - range.lowerBound) / block)
            let last = Int((extent.offset + extent.length - 1 - range.lowerBound) / block)
            #expect(isData[first...last].allSatisfy { $0 })
        }
    }

    @Test func `blocks that hold nothing stay zero, and nothing is cut into nothing`() {
        let cutter = PieceCutter(blockSize: 4096, dataLengthMax: 8192, zeroLengthMax: 1 << 30)
        let cut = cutter.cut([
            Extent(offset: 0, length: 5000, isData: false), Extent(offset: 5000, length: 1, isData: true),
            Extent(offset: 5001, length: 15_479, isData: false),
        ])
        #expect(
            cut == [
                Extent(offset: 0, length: 4096, isData: false),
                Extent(offset: 4096, length: 4096, isData: true),
                Extent(offset: 8192, length: 12_288, isData: false),
            ]
        )
        #expect(cutter.cut([]).isEmpty)
    }

    @Test(arguments: [1, 4], UInt64(0)..<16)
    func `stretches cover the regions in order, each byte once`(connections: Int, seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var regions: [Range<Int64>] = []
        var offset: Int64 = 0
        for _ in 0..<Int.random(in: 0..<20, using: &random) {
            offset += Int64.random(in: 1..<50_000_000, using: &random)
            let end = offset + Int64.random(in: 1..<300_000_000, using: &random)
            regions.append(offset..<end)
            offset = end + 1
        }
        var dealer = StretchDealer(regions, connectionCount: connections)
        var dealt: [Range<Int64>] = []
        while let range = dealer.next() {
            #expect(!range.isEmpty && range.count <= 64 << 20)
            if let last = dealt.last, last.upperBound == range.lowerBound {
                dealt[dealt.count - 1] = last.lowerBound..<range.upperBound
            } else {
                dealt.append(range)
            }
        }
        #expect(dealt == regions && dealer.isDry)
    }

    @Test func `a stretch that is copied again counts only what had not been counted`() {
        let first = Stretch(0..<100)
        first.openCount = 4
        #expect(first.add(30) == 30)
        #expect(first.add(20) == 20)
        let second = Stretch(again: first)
        #expect(first.isDropped && !second.isDropped)
        second.openCount = 3
        #expect(second.add(40) == 0)
        #expect(second.add(20) == 10)
        let third = Stretch(again: second)
        third.openCount = 1
        third.isKnown = true
        #expect(!third.isDone)
        #expect(third.add(100) == 40)
        #expect(third.isDone)
    }

    @Test func `hashes are those of XXH64`() {
        func hash(_ text: String) -> UInt64 {
            let buffer = RequestBuffer(byteCount: 200)
            _ = unsafe buffer.withBytes(0..<text.utf8.count) { unsafe $0.copyBytes(from: text.utf8) }
            return buffer.hash(byteCount: text.utf8.count)
        }
        #expect(hash("") == 0xEF46_DB37_51D8_E999)
        #expect(hash("a") == 0xD24E_C4F1_A98C_6E5B)
        #expect(hash("abc") == 0x44BC_2CF5_AD77_0999)
        #expect(
            hash("The quick brown fox jumps over the lazy dog") == 0x0B24_2D36_1FDA_71BC
        )
    }

    @Test func `a buffer knows zeroes by every byte`() {
        let buffer = RequestBuffer(byteCount: 4099)
        buffer.clear(0..<4099)
        #expect(buffer.isZero(0..<4099) && buffer.isZero(0..<0))
        for place in [0, 1, 63, 64, 4095, 4096, 4098] {
            unsafe buffer.withBytes(0..<4099) { unsafe $0[place] = 1 }
            #expect(!buffer.isZero(0..<4099))
            #expect(buffer.isZero(0..<place) && buffer.isZero(place + 1..<4099))
            unsafe buffer.withBytes(0..<4099) { unsafe $0[place] = 0 }
        }
    }

    @Test(arguments: UInt64(0)..<16)
    func `runs cover a piece by units of the disk, and only what is all zero is a zero run`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let offset = Int64.random(in: 0..<20, using: &random) * 4096
        let length = Int64.random(in: 1..<700_000, using: &random)
        let buffer = RequestBuffer(byteCount: Int(length))
        buffer.clear(0..<Int(length))
        let marks = (0..<Int.random(in: 0..<5, using: &random)).map { _ in
            Int.random(in: 0..<Int(length), using: &random)
        }
        for mark in marks { unsafe buffer.withBytes(0..<Int(length)) { unsafe $0[mark] = 1 } }
        let runs = Run.runs(of: Extent(offset: offset, length: length, isData: true), in: buffer)
        var cursor = 0
        for (place, run) in runs.enumerated() {
            #expect(run.bytes.lowerBound == cursor && !run.bytes.isEmpty)
            cursor = run.bytes.upperBound
            #expect(cursor == Int(length) || (offset + Int64(cursor)) % Run.unit == 0)
            #expect(run.isZero != marks.contains { run.bytes.contains($0) })
            #expect(place == 0 || runs[place - 1].isZero != run.isZero)
        }
        #expect(cursor == Int(length))
    }

    @Test func `a request is tried a few times, what is final only once, and waits grow to their bound`() {
        let rule = RetryRule()
        #expect(rule.shouldRetry(EIO, afterTries: 1) && !rule.shouldRetry(EIO, afterTries: 4))
        #expect(!rule.shouldRetry(ENOSPC, afterTries: 1) && !rule.shouldRetry(EROFS, afterTries: 1))
        #expect(
            (1...7).map { rule.waitMilliseconds(afterFailures: $0) } == [
                100, 200, 400, 800, 1600, 2000, 2000,
            ]
        )
        #expect(RetryRule.isLoss(ESHUTDOWN) && RetryRule.isLoss(ENOTCONN) && !RetryRule.isLoss(EIO))
    }
}
