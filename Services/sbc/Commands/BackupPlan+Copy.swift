internal import FoundationEssentials
internal import NBD

extension BackupPlan {
    /// The most connections and requests that options may ask for.
    static let connectionCountMax = 16
    static let requestCountMax = 128

    /// `full` or `incremental`, by `--type` and `--incremental`.
    static func type(_ options: BackupOptions) throws(UsageError) -> String {
        let type = options.type ?? (options.isIncremental ? "incremental" : "full")
        guard type == "full" || type == "incremental" else {
            throw UsageError("--type: '\(type)' is not supported; write full or incremental")
        }
        guard !options.isIncremental || type == "incremental" else {
            throw UsageError("--type: says full, and --incremental is given too; leave one out")
        }
        let isTold = options.bitmap != nil || !options.changedBlocks.isEmpty
        guard type == "incremental" || !isTold else {
            throw UsageError("--bitmap and --changed-blocks are for an incremental backup; add --incremental")
        }
        return type
    }

    /// What each disk's incremental copy goes by.
    static func changes(_ options: BackupOptions, diskCount: Int) throws(UsageError) -> [ChangeSource] {
        if let bitmap = options.bitmap {
            // Its metadata context, as nbdinfo lists it, names the same.
            let prefix = NBDContext.dirtyBitmap("")
            let name = bitmap.hasPrefix(prefix) ? String(bitmap.dropFirst(prefix.count)) : bitmap
            guard options.changedBlocks.isEmpty, !name.isEmpty else {
                throw UsageError("--bitmap: give the bitmap's name, and no --changed-blocks beside it")
            }
            return Array(repeating: .bitmap(name), count: diskCount)
        }
        guard options.changedBlocks.count == diskCount else {
            throw UsageError(
                "--changed-blocks: \(options.changedBlocks.count) list(s) for \(diskCount) disk(s); an "
                    + "incremental backup needs one for each, or --bitmap"
            )
        }
        var changes: [ChangeSource] = []
        for file in options.changedBlocks {
            let json: [UInt8]
            do throws(InputFile.Fault) {
                json = try InputFile.bytes(file)
            } catch {
                throw UsageError("--changed-blocks: cannot read \(file): \(error)")
            }
            do throws(ChangeList.Fault) {
                changes.append(.list(try ChangeList(json: Data(json))))
            } catch {
                throw UsageError("--changed-blocks: \(file): \(error)")
            }
        }
        return changes
    }

    /// How the copy goes about it.
    static func settings(
        _ options: BackupOptions,
        _ limits: Inventory.Limits?,
        _ disks: [DiskArgument]
    ) throws(UsageError) -> CopySettings {
        var settings = CopySettings()
        let connections = options.connections ?? limits?.connections ?? settings.connectionsPerDisk
        let requests = options.requests ?? limits?.requests ?? settings.requestsPerConnection
        guard (1...connectionCountMax).contains(connections) else {
            throw UsageError("--connections: must be 1 to \(connectionCountMax)")
        }
        guard (1...requestCountMax).contains(requests) else {
            throw UsageError("--requests: must be 1 to \(requestCountMax)")
        }
        guard (0...86_400).contains(options.reconnectTimeoutSeconds) else {
            throw UsageError("--reconnect-timeout: must be 0 to 86400 seconds")
        }
        if let text = options.requestSize {
            guard let size = ByteRate(text)?.bytesPerSecond, (64 << 10...32 << 20).contains(size),
                size % 4096 == 0
            else {
                throw UsageError("--request-size: '\(text)' must be 64K to 32M, in steps of 4K")
            }
            settings.requestLengthMax = size
        }
        if let text = options.flushEvery {
            guard let length = ByteRate(text)?.bytesPerSecond, length >= 16 << 20 else {
                throw UsageError("--flush-every: '\(text)' must be 16M or more")
            }
            settings.unflushedLengthMax = length
        }
        guard !options.isDirect || disks.contains(where: \.hasFile) else {
            throw UsageError(
                "--direct: is for files and block devices, and every disk goes from server to server; leave it out"
            )
        }
        settings.connectionsPerDisk = connections
        settings.requestsPerConnection = requests
        let memory = settings.bufferByteCountMax(diskCount: disks.count)
        guard memory <= CopySettings.memoryByteCountMax else {
            throw UsageError(
                "--requests: \(requests) of \(Units.size(settings.requestLengthMax)) on each of \(connections) "
                    + "connection(s) of \(min(settings.disksAtOnce, disks.count)) disk(s) at once may take "
                    + "\(Units.size(memory)) of memory, more than the \(Units.size(CopySettings.memoryByteCountMax)) "
                    + "that are allowed; lower --requests, --request-size or --connections"
            )
        }
        settings.retry.reconnectMillisecondsMax = Int64(options.reconnectTimeoutSeconds) * 1000
        settings.isDirect = options.isDirect
        settings.isForcing = options.isForcing
        settings.isVerifying = options.isVerifying
        return settings
    }
}

extension DiskArgument {
    /// At least one end is a file or a block device.
    fileprivate var hasFile: Bool {
        [source, target].contains { if case .path = $0 { true } else { false } }
    }
}
