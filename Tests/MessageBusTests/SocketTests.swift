import MessageBus
import Synchronization
import Testing
import Threading

@Suite struct SocketTests {
    @Test func `a message goes to the router and its answer comes back`() throws {
        let context = BusContext()
        let router = try RouterSocket(context, bind: "tcp://127.0.0.1:*")
        let dealer = try DealerSocket(context, connect: [router.endpoint])
        #expect(try eventually { try dealer.send([1, 2, 3]) })
        let frame = try #require(try received(router))
        #expect(frame.bytes == [1, 2, 3])
        #expect(try router.send([4], to: frame.sender))
        #expect(try received(dealer) == [4])
    }

    @Test func `without a peer nothing is sent, and it is said at once`() throws {
        let dealer = try DealerSocket(BusContext(), connect: ["tcp://127.0.0.1:9"])
        let start = MonotonicClock.nowMilliseconds
        #expect(try !dealer.send([1]))
        #expect(MonotonicClock.nowMilliseconds - start < 500)
    }

    @Test func `an answer for a sender that is gone is an error`() throws {
        let router = try RouterSocket(BusContext(), bind: "tcp://127.0.0.1:*")
        #expect(throws: BusError.self) { try router.send([1], to: [0, 1, 2, 3, 4]) }
    }

    @Test func `an endpoint in use is named`() throws {
        let context = BusContext()
        let first = try RouterSocket(context, bind: "tcp://127.0.0.1:*")
        do {
            _ = try RouterSocket(context, bind: first.endpoint)
            Issue.record("the second socket was bound")
        } catch {
            #expect(error.code == .addressInUse && error.description.contains(first.endpoint))
        }
    }

    @Test func `a wake-up ends the wait`() throws {
        let context = BusContext()
        let router = try RouterSocket(context, bind: "tcp://127.0.0.1:*")
        let wakeup = Wakeup()
        let thread = DedicatedThread(name: "waker") {
            Pause.milliseconds(50)
            wakeup.signal()
        }
        let start = MonotonicClock.nowMilliseconds
        router.wait(or: wakeup, milliseconds: 10_000)
        #expect(MonotonicClock.nowMilliseconds - start < 5_000)
        thread.join()
    }

    @Test func `what a closed socket did not send never arrives`() throws {
        let endpoint: String
        do {
            // A context of its own: when it goes, its sockets have let go of their ports.
            let context = BusContext()
            let router = try RouterSocket(context, bind: "tcp://127.0.0.1:*")
            endpoint = router.endpoint
            let dealer = try DealerSocket(context, connect: [endpoint])
            #expect(try eventually { try dealer.send([1]) })
            _ = try received(router)
        }
        do {
            let dealer = try DealerSocket(BusContext(), connect: [endpoint])
            #expect(try !dealer.send([9]))
        }
        let router = try RouterSocket(BusContext(), bind: endpoint)
        router.wait(or: Wakeup(), milliseconds: 300)
        #expect(try router.receive() == nil)
    }

    private func eventually(_ body: () throws -> Bool) rethrows -> Bool {
        for _ in 0..<200 {
            if try body() { return true }
            Pause.milliseconds(10)
        }
        return false
    }

    private func received(_ router: borrowing RouterSocket) throws -> (sender: [UInt8], bytes: [UInt8])? {
        let wakeup = Wakeup()
        for _ in 0..<200 {
            if let frame = try router.receive() { return frame }
            router.wait(or: wakeup, milliseconds: 10)
        }
        return nil
    }

    private func received(_ dealer: borrowing DealerSocket) throws -> [UInt8]? {
        let wakeup = Wakeup()
        for _ in 0..<200 {
            if let bytes = try dealer.receive() { return bytes }
            dealer.wait(or: wakeup, milliseconds: 10)
        }
        return nil
    }
}

@Suite struct ThreadingTests {
    @Test func `a full mailbox refuses, a closed one gives what is left`() {
        let mailbox = Mailbox<Int>(countMax: 2)
        #expect(mailbox.put(1) && mailbox.put(2) && !mailbox.put(3))
        mailbox.close()
        #expect(!mailbox.put(4))
        #expect(mailbox.takeAll(waitingMilliseconds: 1000) == [1, 2])
        #expect(mailbox.takeAll(waitingMilliseconds: 1000) == nil)
    }

    @Test func `of several elements a mailbox takes the first as far as there is room`() {
        let mailbox = Mailbox<Int>(countMax: 5)
        #expect(mailbox.put([1, 2], limit: 3) == 2)
        #expect(mailbox.put([3, 4, 5], limit: 3) == 1)
        #expect(mailbox.put([6], limit: 3) == 0)
        #expect(mailbox.put([7, 8, 9], isUrgent: true) == 2)
        #expect(mailbox.put([10]) == 0 && mailbox.put([]) == 0)
        #expect(mailbox.takeAll(waitingMilliseconds: 0) == [1, 2, 3, 7, 8])
        mailbox.close()
        #expect(mailbox.put([1, 2]) == 0)
    }

    @Test(arguments: [(3, false), (1, true)])
    func `several elements at once wake a taker once they are enough or urgent`(count: Int, isUrgent: Bool) {
        let mailbox = Mailbox<Int>(countMax: 10)
        let start = MonotonicClock.nowMilliseconds
        let putter = DedicatedThread(name: "putter") {
            Pause.milliseconds(30)
            _ = mailbox.put([1, 2])
            Pause.milliseconds(30)
            _ = mailbox.put(Array(3..<3 + count), isUrgent: isUrgent)
        }
        #expect(mailbox.takeAll(waitingMilliseconds: 10_000, for: 4) == Array(1..<3 + count))
        #expect((55..<5000).contains(MonotonicClock.nowMilliseconds - start))
        putter.join()
    }

    @Test func `an empty mailbox gives nothing when the time is up`() {
        #expect(Mailbox<Int>(countMax: 2).takeAll(waitingMilliseconds: 20) == [])
    }

    @Test func `an urgent element wakes a taker that waits for more, and the next one waits again`() {
        let mailbox = Mailbox<Int>(countMax: 10)
        let start = MonotonicClock.nowMilliseconds
        let putter = DedicatedThread(name: "putter") {
            Pause.milliseconds(30)
            _ = mailbox.put(1)
            Pause.milliseconds(30)
            _ = mailbox.put(2, isUrgent: true)
        }
        #expect(mailbox.takeAll(waitingMilliseconds: 10_000, for: 5) == [1, 2])
        let taken = MonotonicClock.nowMilliseconds
        #expect((55..<5000).contains(taken - start))
        putter.join()
        #expect(mailbox.put(3))
        #expect(mailbox.takeAll(waitingMilliseconds: 50, for: 2) == [3])
        #expect(MonotonicClock.nowMilliseconds - taken >= 45)
    }

    @Test func `a taker that waits for three sleeps on at two, and takes them when the time is up`() {
        let mailbox = Mailbox<Int>(countMax: 10)
        let start = MonotonicClock.nowMilliseconds
        let putter = DedicatedThread(name: "putter") {
            for value in 1...3 {
                Pause.milliseconds(30)
                _ = mailbox.put(value)
            }
        }
        #expect(mailbox.takeAll(waitingMilliseconds: 10_000, for: 3) == [1, 2, 3])
        putter.join()
        let taken = MonotonicClock.nowMilliseconds
        #expect(taken - start < 5000)
        #expect(mailbox.put(4))
        #expect(mailbox.takeAll(waitingMilliseconds: 50, for: 2) == [4])
        #expect(MonotonicClock.nowMilliseconds - taken >= 45)
        // Whoever waits for one again is woken by one.
        let late = DedicatedThread(name: "putter") {
            Pause.milliseconds(30)
            _ = mailbox.put(5)
        }
        #expect(mailbox.takeAll(waitingMilliseconds: 10_000) == [5])
        late.join()
    }

    @Test func `no element is lost between many threads and one taker`() {
        let mailbox = Mailbox<Int>(countMax: 1_000_000)
        let threads = (0..<4).map { thread in
            DedicatedThread(name: "putter") {
                for value in 0..<5000 { _ = mailbox.put(thread * 5000 + value) }
            }
        }
        var taken: [Int] = []
        while taken.count < 20_000, let more = mailbox.takeAll(waitingMilliseconds: 2000), !more.isEmpty {
            taken += more
        }
        for thread in threads { thread.join() }
        #expect(Set(taken) == Set(0..<20_000) && taken.count == 20_000)
    }

    @Test func `a latch lets threads and tasks through once it is open`() async {
        let latch = Latch()
        #expect(!latch.wait(milliseconds: 10))
        let passed = Atomic<Bool>(false)
        let thread = DedicatedThread(name: "waiter") {
            latch.wait()
            passed.store(true, ordering: .releasing)
        }
        latch.open()
        await latch.opened()
        await thread.ended()
        let hasPassed = passed.load(ordering: .acquiring)
        #expect(hasPassed)
    }
}
