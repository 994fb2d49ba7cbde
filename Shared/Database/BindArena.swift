import CMariaDB

/// The memory of one call's bindings: what the library reads or writes while a statement runs.
///
/// `@safe`: blocks stay where they are until `free()`, which the call that made the arena runs when the
/// library is done with them; the next call binds anew.
@safe
final class BindArena {
    private var blocks: [UnsafeMutableRawPointer] = unsafe []

    /// Memory for `count` values, all bits zero. Never empty, so that a pointer to no bytes is valid too.
    func allocate<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
        let byteCount = max(count, 1) * MemoryLayout<Element>.stride
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: byteCount,
            alignment: max(MemoryLayout<Element>.alignment, 16)
        )
        unsafe block.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        unsafe blocks.append(block)
        return unsafe block.bindMemory(to: type, capacity: max(count, 1))
    }

    /// A copy of the bytes, which stays until `free()`.
    func copy(_ bytes: UnsafeRawBufferPointer) -> UnsafeMutablePointer<UInt8> {
        let block = unsafe allocate(UInt8.self, count: bytes.count)
        if let source = bytes.baseAddress {
            unsafe UnsafeMutableRawPointer(block).copyMemory(from: source, byteCount: bytes.count)
        }
        return unsafe block
    }

    /// Frees all blocks; every pointer into the arena dangles from here on.
    func free() {
        unsafe blocks.forEach { block in unsafe block.deallocate() }
        unsafe blocks = []
    }

    deinit { free() }
}
