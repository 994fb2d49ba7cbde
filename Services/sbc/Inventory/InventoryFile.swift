internal import Glibc

/// The inventory of a command: which file, and what is in it.
struct InventoryFile: Sendable {
    var path: String
    var inventory: Inventory

    /// Reads the file of `--config`, `$SENDENSE_SBC_CONFIG` or the usual place.
    ///
    /// - Returns: nil where nobody named a file and there is none in the usual place.
    /// - Throws: `UsageError` where it cannot be read, or is wrong: with line and column.
    static func load(_ option: String?, _ set: [String: String]) throws(UsageError) -> InventoryFile? {
        let asked = option ?? set["SENDENSE_SBC_CONFIG"]
        let path = asked ?? BackupPlan.defaultInventory
        let yaml: String
        do throws(InputFile.Fault) {
            yaml = try InputFile.text(path)
        } catch {
            guard asked != nil || error.errorNumber != ENOENT else { return nil }
            throw UsageError(
                "cannot read the inventory \(path): \(error); give another file with --config, or SOURCE=TARGET "
                    + "with --disk"
            )
        }
        do throws(Inventory.Fault) {
            return InventoryFile(path: path, inventory: try Inventory(yaml: yaml, file: path))
        } catch {
            throw UsageError(error.description)
        }
    }
}
