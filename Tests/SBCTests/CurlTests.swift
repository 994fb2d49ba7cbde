import Curl
import Foundation
import Glibc
import Testing
import Threading

struct CurlTests {
    private func post(
        _ client: inout HTTPClient,
        _ url: String,
        timeoutMilliseconds: Int = 5000
    ) throws(CurlError) -> HTTPResponse {
        try client.post(
            url: url,
            headers: ["Content-Type: application/json", "X-Test: 1"],
            body: Array(#"{"a":1}"#.utf8),
            timeoutMilliseconds: timeoutMilliseconds,
            connectTimeoutMilliseconds: 1000
        )
    }

    @Test func `an answer has its status, its body and the seconds to wait`() throws {
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(503, "later", headers: ["Retry-After: 17"]) }
        defer { hub.stop() }
        var client = try HTTPClient(userAgent: "test")
        let response = try post(&client, hub.url + "/x")
        #expect(response == HTTPResponse(status: 503, retryAfterSeconds: 17, body: Array("later".utf8)))
        #expect(hub.requests.first?.body == #"{"a":1}"#)
        #expect(try post(&client, hub.url + "/y").status == 503)
        #expect(Set(hub.requests.map(\.connection)).count == 1)
    }

    @Test func `authorities that cannot be read are named, and nothing is sent`() throws {
        let hub = ScriptedHub()
        defer { hub.stop() }
        var client = try HTTPClient(userAgent: "test", authorityFile: "/none/ca.pem")
        let url = hub.url.replacing("http:", with: "https:")
        let error = #expect(throws: CurlError.self) { try post(&client, url) }
        // CURLE_SSL_CACERT_BADFILE
        #expect(
            error?.code == 77 && error?.message.contains("/none/ca.pem") == true,
            "\(String(describing: error))"
        )
        #expect(hub.requests.isEmpty)
    }

    @Test func `a body beyond the limit is cut, and the client goes on`() throws {
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(400, String(repeating: "x", count: 200_000)) }
        defer { hub.stop() }
        var client = try HTTPClient(userAgent: "test")
        for _ in 0..<2 {
            let response = try post(&client, hub.url)
            #expect(response.status == 400)
            #expect(response.body.count == HTTPClient.bodyByteCountMax)
        }
    }

    @Test func `a redirect is an answer, not a journey`() throws {
        let hub = ScriptedHub { _, _ in ScriptedHub.Reply(302, "", headers: ["Location: /elsewhere"]) }
        defer { hub.stop() }
        var client = try HTTPClient(userAgent: "test")
        #expect(try post(&client, hub.url).status == 302)
        #expect(hub.requests.count == 1)
    }

    @Test func `a refused connection, a timeout and a wrong address carry curl's number and words`() throws {
        var client = try HTTPClient(userAgent: "test")
        let gone = ScriptedHub()
        gone.stop()
        usleep(50_000)
        let url = gone.url
        let refused = #expect(throws: CurlError.self) { try post(&client, url) }
        #expect(refused?.code == 7 && refused?.operation == "curl_easy_perform")
        #expect(refused?.description.contains("curl code 7") == true)
        let slow = ScriptedHub { _, _ in ScriptedHub.Reply(delayMilliseconds: 3000) }
        defer { slow.stop() }
        let start = MonotonicClock.nowMilliseconds
        let timeout = #expect(throws: CurlError.self) {
            try post(&client, slow.url, timeoutMilliseconds: 200)
        }
        #expect(timeout?.code == 28)
        #expect(MonotonicClock.nowMilliseconds - start < 2500)
        let file = #expect(throws: CurlError.self) { try post(&client, "file:///etc/passwd") }
        #expect(file?.code == 1)
    }

    @Test func `a proxy of the environment does not come between us and loopback`() async {
        // In a process of its own: the environment is shared by all threads.
        await #expect(processExitsWith: .success) {
            let hub = ScriptedHub()
            unsafe setenv("http_proxy", "http://127.0.0.1:1", 1)
            var client = try HTTPClient(userAgent: "test")
            for host in ["127.0.0.1", "localhost"] {
                let response = try? client.post(
                    url: "http://\(host):\(hub.port)/",
                    headers: [],
                    body: [],
                    timeoutMilliseconds: 5000,
                    connectTimeoutMilliseconds: 1000
                )
                guard response?.status == 200 else { exit(1) }
            }
            // A host that is not loopback goes through the proxy, so the test would see one.
            do throws(CurlError) {
                _ = try client.post(
                    url: "http://192.0.2.1/",
                    headers: [],
                    body: [],
                    timeoutMilliseconds: 5000,
                    connectTimeoutMilliseconds: 1000
                )
                exit(2)
            } catch {
                exit(error.code == 7 ? 0 : 3)
            }
        }
    }
}
