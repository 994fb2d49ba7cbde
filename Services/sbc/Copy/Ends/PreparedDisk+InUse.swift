internal import CLinux
internal import Glibc

/// Who else reads or writes a target that is a file or device. A server in particular may have the very file behind the
/// source: emptied for the copy, it would be what the copy reads.
extension PreparedDisk {
    /// Refuses a target that a loop device, another program's lock or another process has a claim on, and keeps QEMU
    /// out of it from now on.
    ///
    /// - Parameter disks: all disks of the run.
    /// - Throws: `CopyError` naming who it is, and the remedy.
    func checkUse(among disks: [PreparedDisk]) throws(CopyError) {
        guard case .file(let file) = target else { return }
        let beneath = BlockDevices.beneath(file)
        for other in disks {
            guard case .file(let source) = other.source,
                beneath.contains(source.identity)
                    || BlockDevices.beneath(source).contains(file.identity)
            else { continue }
            throw refusal(
                "is the same disk as the source \(source.path) of disk \(other.index); give another target"
            )
        }
        // A new file is nobody's.
        guard !isTargetNew else { return try lockAgainstQEMU(file, beneath) }
        if let loop = BlockDevices.loop(over: file.identity) {
            throw refusal(
                "is in use: it is the file behind \(loop); detach that (losetup -d), or give another target"
            )
        }
        try lockAgainstQEMU(file, beneath)
        let servesHere = disks.contains(where: \.isServedHere)
        for user in FileUser.all(of: beneath) where user.isWriting || (servesHere && user.hasSocket) {
            throw refusal(
                "is in use: \(user) has it open\(user.isWriting ? " for writing" : ""); end that, or give "
                    + "another target"
            )
        }
    }

    /// QEMU locks bytes of the images that it has open (OFD locks, which flock does not see), of each that it writes,
    /// and of those that it reads lest somebody write. An exclusive lock of the whole file is refused where there is
    /// any, and has QEMU refuse the target meanwhile.
    private func lockAgainstQEMU(_ file: OpenFile, _ beneath: Set<FileIdentity>) throws(CopyError) {
        guard sendense_lock_whole(file.descriptor.number) != 0, errno == EAGAIN || errno == EACCES else {
            return
        }
        let users = FileUser.all(of: beneath).map(\.description)
        throw refusal(
            "is in use: \(users.isEmpty ? "a process" : users.joined(separator: ", ")) has locked it, as QEMU "
                + "does with images; end that, or give another target"
        )
    }

    /// Gives that lock up: what is complete may be looked at.
    func unlockTarget() {
        if case .file(let file) = target { _ = sendense_unlock_whole(file.descriptor.number) }
    }

    private var isServedHere: Bool {
        switch source.identity {
        case .export(.socket, _), .export(.tcp(host: HostNames.here, port: _), _): true
        case .export, .file: false
        }
    }

    private func refusal(_ words: String) -> CopyError {
        CopyError(diskIndex: index, reason: "the target \(target.name) \(words)")
    }
}
