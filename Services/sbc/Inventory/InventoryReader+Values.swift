internal import Yams

extension InventoryReader {
    /// A mapping's members; a key that is not known is an error, since it is a typing mistake more often
    /// than not.
    func members(of node: Node, at path: String, keys: [String]) throws(Inventory.Fault) -> [String: Node] {
        let shown = path.isEmpty ? "the file" : path
        guard let mapping = node.mapping else {
            throw fault(node, "\(shown): must be a mapping with \(keys.joined(separator: ", "))")
        }
        var members: [String: Node] = [:]
        for (key, value) in mapping {
            guard let name = key.string, keys.contains(name) else {
                let name = key.string ?? "this key"
                let nearest = Spelling.nearest(to: name, in: keys).map { "; did you mean \($0)?" } ?? ";"
                throw fault(
                    key,
                    "\(path.isEmpty ? "" : path + ".")\(name): is not known here\(nearest) known are "
                        + keys.joined(separator: ", ")
                )
            }
            members[name] = value
        }
        return members
    }

    func elements(of node: Node?, in parent: Node, at path: String) throws(Inventory.Fault) -> [Node] {
        guard let node else { throw fault(parent, "\(path): is missing; give a list") }
        guard let sequence = node.sequence else {
            throw fault(node, "\(path): must be a list; begin each with '- '")
        }
        return Array(sequence)
    }

    func text(
        _ node: Node?,
        in parent: Node,
        at path: String,
        remedy: String
    ) throws(Inventory.Fault) -> String {
        guard let node else { throw fault(parent, "\(path): is missing; \(remedy)") }
        guard let text = node.scalar?.string, !text.isEmpty, !node.isNull else {
            throw fault(node, "\(path): must be a text\(node.isNull ? ", and is null" : ""); \(remedy)")
        }
        return text
    }

    /// A whole number within a range.
    func number(
        _ node: Node,
        at path: String,
        _ range: ClosedRange<Int>,
        _ unit: String
    ) throws(Inventory.Fault) -> Int {
        guard let value = node.scalar.flatMap({ Int($0.string) }), range.contains(value) else {
            throw fault(node, "\(path): must be \(range.lowerBound) to \(range.upperBound) \(unit)")
        }
        return value
    }

    /// A text for the shell, or a program with its arguments.
    func command(_ node: Node, at path: String) throws(Inventory.Fault) -> HookCommand {
        if let text = node.scalar?.string, !node.isNull, !text.allSatisfy(\.isWhitespace),
            !text.utf8.contains(0)
        {
            return .shell(text)
        }
        let arguments = node.sequence?.compactMap { $0.scalar?.string } ?? []
        guard let program = arguments.first, !program.isEmpty, arguments.count == node.sequence?.count,
            node.sequence?.contains(where: \.isNull) == false,
            !arguments.contains(where: { $0.utf8.contains(0) })
        else {
            throw fault(node, "\(path): must be a text for /bin/sh, or a list of a program and its arguments")
        }
        return .program(arguments)
    }

    func fault(_ node: Node, _ reason: String) -> Inventory.Fault {
        Inventory.Fault(file: file, line: node.mark?.line, column: node.mark?.column, reason: reason)
    }
}

extension Node {
    /// It is YAML's null, like `~` or nothing at all; `"~"` is a text.
    fileprivate var isNull: Bool { tag == Tag(.null) }
}
