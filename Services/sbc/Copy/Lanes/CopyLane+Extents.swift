internal import Glibc
internal import NBD
internal import Threading

/// A stretch of which the source is being asked what it holds.
struct AskedStretch {
    let stretch: Stretch
    /// Told so far, from the stretch's beginning.
    var extents: [Extent] = []
    /// A command is in flight; else it is to be issued.
    var isInFlight = false
    var issuedAtMilliseconds: Int64 = 0

    /// Where the next question begins.
    var offset: Int64 { extents.last.map { $0.offset + $0.length } ?? stretch.range.lowerBound }
}

extension CopyLane {
    /// Takes the next stretch, and asks what it holds. Files answer at once; a server's answer comes later.
    func askForMore() {
        if let asked = asking {
            if !asked.isInFlight { ask() }
            return
        }
        guard let stretch = nextStretch() else { return }
        active.append(stretch)
        switch source {
        case .file(let file): lookThrough(file, stretch)
        case .nbd(let end, _):
            if canAskStatus, end.export.contexts.contains(NBDContext.allocation) {
                asking = AskedStretch(stretch: stretch)
                ask()
            } else {
                know(stretch, [stretch.whole])
            }
        }
    }

    private func nextStretch() -> Stretch? {
        if let stretch = redo.popLast() { return stretch }
        guard let range = job.nextRange() else {
            isDry = true
            return nil
        }
        return Stretch(range)
    }

    private func lookThrough(_ file: OpenFile, _ stretch: Stretch) {
        var walk = ExtentWalk(file.descriptor, stretch.range)
        var extents: [Extent] = []
        do throws(SystemError) {
            while let extent = try walk.next() { extents.append(extent) }
            know(stretch, extents)
        } catch {
            failure = job.fault("cannot list the data of the source \(file.path)", error.number)
        }
    }

    /// Issues the question. Never from within a listener: the source's own lock may be held.
    private func ask() {
        guard let offset = asking?.offset, let end = asking?.stretch.range.upperBound,
            case .nbd(let nbdEnd, let connection) = source
        else { return }
        asking?.isInFlight = true
        asking?.issuedAtMilliseconds = MonotonicClock.nowMilliseconds
        // Its end need not be a multiple of what the server asks for, the server's own end is.
        let unit = nbdEnd.export.blockSizeMin
        let length = min(nbdEnd.export.size, (end + unit - 1) / unit * unit) - offset
        do throws(NBDError) {
            try connection.blockStatus(
                offset: offset,
                byteCount: length,
                token: Token.status.number,
                self
            )
        } catch {
            statusEnded(lossOrCode(error, connection))
        }
    }

    func told(token: Int, context: String, extents: [NBDExtent]) {
        guard context == NBDContext.allocation, let asked = asking else { return }
        var offset = asked.offset
        let end = asked.stretch.range.upperBound
        for extent in extents where extent.length > 0 && offset < end {
            // The last one may reach beyond what was asked for.
            let length = min(extent.length, end - offset)
            asking?.extents.append(
                Extent(offset: offset, length: length, isData: !extent.readsAsZeroes)
            )
            offset += length
        }
    }

    func statusEnded(_ number: Int32) {
        guard let asked = asking else { return }
        asking?.isInFlight = false
        if RetryRule.isLoss(number) { return noteLoss(isSource: true) }
        let end = asked.stretch.range.upperBound
        if number == 0, asked.offset > asked.stretch.range.lowerBound {
            // The rest, if any, is asked for next.
            guard asked.offset == end else { return }
            asking = nil
            return know(asked.stretch, asked.extents)
        }
        // No answer: reading all of it is right in any case. A server that does not know is not asked again.
        if RetryRule.isFinal(number) { canAskStatus = false }
        asking = nil
        let rest = Extent(offset: asked.offset, length: end - asked.offset, isData: true)
        know(asked.stretch, asked.extents + (rest.length > 0 ? [rest] : []))
    }

    /// Cuts a stretch into pieces, which are then to be copied.
    private func know(_ stretch: Stretch, _ extents: [Extent]) {
        guard !stretch.isDropped else { return }
        let cut = cutter.cut(extents)
        if !stretch.isLooked {
            stretch.isLooked = true
            job.noteLooked(
                bytes: Int64(stretch.range.count),
                data: cut.reduce(0) { $0 + ($1.isData ? $1.length : 0) }
            )
        }
        stretch.openCount = cut.count
        stretch.isKnown = true
        for piece in cut { pieces.append((piece, stretch)) }
        if stretch.isDone { retire(stretch) }
    }
}

extension Stretch {
    /// All of it, as data.
    var whole: Extent {
        Extent(offset: range.lowerBound, length: Int64(range.count), isData: true)
    }
}
