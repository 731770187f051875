import EventStore
import Glibc

/// Who runs this program, as events and the record of accesses name them.
enum Operator {
    /// `operator:<user>`, of characters that are safe in an actor's name.
    static var name: String {
        let user = getenv("SUDO_USER") ?? getenv("USER")
        let name = user.map { String(cString: $0) } ?? String(getuid())
        let safe = name.unicodeScalars.filter {
            $0.isASCII && ($0.properties.isAlphabetic || "0123456789._-".unicodeScalars.contains($0))
        }
        let short = safe.isEmpty ? String(getuid()) : String(String.UnicodeScalarView(safe.prefix(64)))
        // Events keep it for ever: somebody's login may be a person's number.
        return "operator:\(PersonNumbers.isFound(in: short) ? PersonNumbers.masked(short) : short)"
    }
}
