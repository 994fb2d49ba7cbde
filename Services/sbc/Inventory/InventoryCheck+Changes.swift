internal import Glibc
internal import NBD

/// What an incremental backup needs besides: a target to bring up to date, and changes that fit the disk.
extension InventoryCheck {
    func look(atChanges changes: ChangeSource, _ check: inout DiskCheck) {
        if let target = check.target {
            look(atOld: target, &check)
            let mark = stateDirectory.map { TargetMark(target, directory: $0) }
            if let refusal = mark?.refusal(of: target.description) { check.problems.append(refusal) }
        }
        switch changes {
        case .list(let list):
            guard let size = check.size else { return }
            do throws(ChangeList.Fault) {
                _ = try list.regions(size: size, blockSize: 1)
            } catch {
                check.problems.append("the changed-block list: \(error)")
            }
        case .bitmap(let name):
            guard case .uri(let uri) = check.source else {
                return check.problems.append("source: is no NBD export, so it has no dirty bitmap \(name)")
            }
            let context = NBDContext.dirtyBitmap(name)
            // Where it cannot be asked at all, that has been said.
            guard let export = try? export(uri, contexts: [context]), !export.contexts.contains(context)
            else { return }
            check.problems.append("source: exports no dirty bitmap called \(name)")
        }
    }

    private func look(atOld target: Endpoint, _ check: inout DiskCheck) {
        guard case .path(let path) = target, unsafe access(path, F_OK) != 0 else { return }
        check.problems.append("target: \(systemErrorText(errno)); make a full backup first")
    }
}
