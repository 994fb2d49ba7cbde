import Logging
import ServiceKit

/// The HTTP door: takes telemetry, registrations and completions, and answers once a writer has committed them.
@main
enum Ingest {
    static func main() async {
        await ServiceRunner.main(
            name: "sendense-ingest",
            summary: "Takes backup telemetry over HTTP and answers once it is committed.",
            settings: IngestSettings.declared
        ) { runner, _ in
            let settings = try IngestSettings(runner.settings)
            try await runner.run(try build(settings, runner))
        }
    }
}
