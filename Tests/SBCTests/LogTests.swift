import Foundation
import Logging
import Logs
import Testing

struct LogTests {
    private let folder = TemporaryFolder()

    private func line(
        _ format: LogFormat,
        level: Logger.Level = .info,
        _ log: (inout Logger) -> Void
    ) throws -> String {
        let sink = try LogSink(path: folder("log"))
        var logger = Logger(label: "sbc") {
            LineLogHandler(label: $0, format: format, level: level, sink: sink)
        }
        log(&logger)
        return try String(contentsOfFile: folder("log"), encoding: .utf8)
    }

    @Test func `a text line has the time in UTC, the level, the label, the message and sorted metadata`()
        throws
    {
        let text = try line(.text) { logger in
            logger[metadataKey: "vm"] = "pg"
            logger.info(
                "SHA telemetry update sent",
                metadata: ["seq": "7", "note": "two words", "empty": ""]
            )
        }
        let wanted = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info  sbc: SHA telemetry update sent (.*)\n/
        let match = try #require(try wanted.wholeMatch(in: text))
        #expect(match.1 == #"empty="" note="two words" seq=7 vm=pg"#)
    }

    @Test func `nothing in an event makes a second line`() throws {
        let text = try line(.text) { $0.error("a\nb\u{1B}", metadata: ["k": "x\n2026 forged\r\"\\"]) }
        #expect(text.filter { $0 == "\n" }.count == 1)
        #expect(text.hasSuffix(#"error sbc: a\nb\u001b k="x\n2026 forged\r\"\\""# + "\n"))
    }

    @Test func `a JSON line is one object, whatever the metadata`() throws {
        let text = try line(.json) {
            $0.warning(
                "say \"hi\"\n",
                metadata: ["list": ["a", ["b": "c"]], "level": "mine", "ü": "\u{1F600}\u{1}"]
            )
        }
        #expect(text.filter { $0 == "\n" }.count == 1)
        let members = try object(Data(text.utf8))
        #expect(members["msg"] as? String == "say \"hi\"\n")
        #expect(members["level"] as? String == "warning")
        #expect(members["logger"] as? String == "sbc")
        #expect(members["_level"] as? String == "mine")
        #expect(members["ü"] as? String == "\u{1F600}\u{1}")
        #expect((members["list"] as? [Any])?.count == 2)
    }

    @Test func `levels below the handler's are not written`() throws {
        let text = try line(.text, level: .warning) {
            $0.info("no")
            $0.warning("yes")
        }
        #expect(text.contains("yes") && !text.contains("no"))
    }

    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000Z"), (951_827_696_789, "2000-02-29T12:34:56.789Z"),
        (1_795_461_630_123, "2026-11-23T19:20:30.123Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (4_107_542_399_999, "2100-02-28T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ])
    func `times are true in UTC`(milliseconds: Int64, text: String) {
        #expect(UTCTime.text(milliseconds: milliseconds) == text)
    }

    @Test func `a log that cannot be opened is told by its path and errno`() {
        let error = #expect(throws: LogFileError.self) { try LogSink(path: "/proc/none/log") }
        #expect(error?.description.contains("/proc/none/log") == true)
        #expect(error?.errorNumber == 2)
    }
}
