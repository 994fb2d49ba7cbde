/// Finds the word that was meant.
enum Spelling {
    /// The word with the fewest edits between. nil where more than half of the letters would change.
    static func nearest(to word: String, in words: [String]) -> String? {
        let best = words.map { (word: $0, distance: distance(word, $0)) }.min { $0.distance < $1.distance }
        guard let best, best.distance * 2 <= max(word.count, best.word.count) else { return nil }
        return best.word
    }

    /// Levenshtein's distance: letters to put in, take out or replace.
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (index, letter) in left.enumerated() {
            var before = row[0]
            row[0] = index + 1
            for place in right.indices {
                let kept = before + (letter == right[place] ? 0 : 1)
                before = row[place + 1]
                row[place + 1] = min(kept, row[place] + 1, row[place + 1] + 1)
            }
        }
        return row[right.count]
    }
}
