import Foundation

/// A picture of figures as SVG: categories along the foot, and for each series a value per category.
struct Chart {
    struct Series {
        var name: String
        /// One for each category; nil where there is none.
        var values: [Double?]
    }

    enum Style {
        case lines
        /// Values upon one another.
        case stacks
    }

    var title: String
    var categoryTitle: String
    var valueTitle: String
    var categories: [String]
    var series: [Series]
    var style: Style
    var isLogarithmic = false

    private static let (width, height) = (720.0, 400.0)
    private static let (left, right, top, bottom) = (70.0, 170.0, 44.0, 58.0)
    // Told apart also by those who do not see all colours (Okabe and Ito).
    private static let colours = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"]

    /// The picture.
    var svg: String {
        let scale = Scale(values: sums, isLogarithmic: isLogarithmic)
        var parts = [
            """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" \
            font-family="sans-serif" font-size="13">
            <rect width="100%" height="100%" fill="#ffffff"/>
            """
        ]
        parts.append(text(title, Self.left, 24, size: 16))
        for tick in scale.ticks {
            let y = self.y(tick, scale)
            let line =
                #"x1="\#(Self.left)" x2="\#(Self.width - Self.right)" y1="\#(round(y))" y2="\#(round(y))""#
            parts.append(#"<line \#(line) stroke="gainsboro"/>"#)
            parts.append(text(Self.label(tick), Self.left - 8, y + 4, anchor: "end"))
        }
        for (place, category) in categories.enumerated() {
            parts.append(text(category, x(place), Self.height - Self.bottom + 20, anchor: "middle"))
        }
        let middle = (Self.left + Self.width - Self.right) / 2
        parts.append(text(categoryTitle, middle, Self.height - 14, anchor: "middle"))
        let turned = #"transform="rotate(-90 16 \#(Self.height / 2))""#
        parts.append(text(valueTitle, 16, Self.height / 2, anchor: "middle", more: turned))
        parts += style == .lines ? lines(scale) : stacks(scale)
        for (place, one) in series.enumerated() {
            let y = Self.top + Double(place) * 22
            let box = #"x="\#(Self.width - Self.right + 18)" y="\#(y)" width="12" height="12""#
            parts.append(#"<rect \#(box) fill="\#(colour(place))"/>"#)
            parts.append(text(one.name, Self.width - Self.right + 36, y + 11))
        }
        parts.append("</svg>\n")
        return parts.joined(separator: "\n")
    }

    /// What has to find room: single values, or the heights of the stacks.
    private var sums: [Double] {
        switch style {
        case .lines: series.flatMap(\.values).compactMap { $0 }
        case .stacks: categories.indices.map { place in series.reduce(0) { $0 + ($1.values[place] ?? 0) } }
        }
    }

    private func lines(_ scale: Scale) -> [String] {
        series.enumerated().flatMap { place, one -> [String] in
            let points = one.values.enumerated().compactMap { category, value in
                value.map { (x: round(x(category)), y: round(y($0, scale))) }
            }
            let path = points.map { "\($0.x),\($0.y)" }.joined(separator: " ")
            let line =
                #"<polyline points="\#(path)" fill="none" stroke="\#(colour(place))" stroke-width="2"/>"#
            return [line]
                + points.map { #"<circle cx="\#($0.x)" cy="\#($0.y)" r="3.5" fill="\#(colour(place))"/>"# }
        }
    }

    private func stacks(_ scale: Scale) -> [String] {
        let width = min(64, (Self.width - Self.left - Self.right) / Double(categories.count) * 0.6)
        return categories.indices.flatMap { category in
            var floor = 0.0
            return series.enumerated().compactMap { place, one -> String? in
                guard let value = one.values[category], value > 0 else { return nil }
                let (low, high) = (y(floor, scale), y(floor + value, scale))
                floor += value
                let box = """
                    x="\(round(x(category) - width / 2))" y="\(round(high))" width="\(round(width))" \
                    height="\(round(low - high))"
                    """
                return #"<rect \#(box) fill="\#(colour(place))"/>"#
            }
        }
    }

    private func x(_ place: Int) -> Double {
        let step = (Self.width - Self.left - Self.right) / Double(max(1, categories.count))
        return Self.left + step * (Double(place) + 0.5)
    }

    private func y(_ value: Double, _ scale: Scale) -> Double {
        Self.height - Self.bottom - scale.share(value) * (Self.height - Self.top - Self.bottom)
    }

    /// To a tenth: what is finer is not seen and makes files longer.
    private func round(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    private func colour(_ place: Int) -> String { Self.colours[place % Self.colours.count] }

    private func text(
        _ content: String,
        _ x: Double,
        _ y: Double,
        anchor: String = "start",
        size: Int = 13,
        more: String = ""
    ) -> String {
        let escaped = content.replacingOccurrences(of: "&", with: "&amp;")
            .replacingOccurrences(of: "<", with: "&lt;")
        let place = #"x="\#(round(x))" y="\#(round(y))" text-anchor="\#(anchor)" font-size="\#(size)""#
        return "<text \(place)\(more.isEmpty ? "" : " " + more)>\(escaped)</text>"
    }

    private static func label(_ value: Double) -> String {
        value == value.rounded() ? String(format: "%.0f", value) : String(format: "%g", value)
    }
}

/// Where values stand on the axis.
private struct Scale {
    let ticks: [Double]
    private let isLogarithmic: Bool

    init(values: [Double], isLogarithmic: Bool) {
        self.isLogarithmic = isLogarithmic
        let most = max(values.max() ?? 1, 1e-3)
        guard isLogarithmic else {
            let magnitude = pow(10, log10(most).rounded(.down))
            let step = [0.2, 0.5, 1, 2].map { $0 * magnitude }.first { most / $0 <= 6 } ?? 2 * magnitude
            ticks = (0...Int((most / step).rounded(.up))).map { Double($0) * step }
            return
        }
        let least = max(values.filter { $0 > 0 }.min() ?? 1, 1e-3)
        let powers =
            Int(
                log10(least).rounded(.down)
            )...max(
                Int(log10(least).rounded(.down)) + 1,
                Int(log10(most).rounded(.up))
            )
        ticks = powers.map { pow(10, Double($0)) }
    }

    /// From 0 at the foot to 1 at the top.
    func share(_ value: Double) -> Double {
        guard let first = ticks.first, let last = ticks.last, last > first else { return 0 }
        guard isLogarithmic else { return (value - first) / (last - first) }
        return (log10(max(value, first)) - log10(first)) / (log10(last) - log10(first))
    }
}
