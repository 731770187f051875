import ArgumentParser
import EventStore
import Replay

/// The point in an appointment's life that is asked for.
struct MomentOptions: ParsableArguments {
    @Option(help: "As it was at this time (RFC 3339).", transform: Reading.moment) var asOf: Timestamp?
    @Option(help: "As it was after the event with this version.") var version: Int?
    @Option(help: "As it was when the log had this position.") var atPosition: Int?

    func validate() throws {
        guard [asOf != nil, version != nil, atPosition != nil].count(where: { $0 }) < 2 else {
            throw ValidationError("take one of --as-of, --version and --at-position")
        }
        if let version, version < 1 { throw ValidationError("--version is 1 or more") }
        if let atPosition, atPosition < 0 { throw ValidationError("--at-position is 0 or more") }
    }

    var moment: Moment {
        asOf.map(Moment.time) ?? version.map(Moment.version) ?? atPosition.map(Moment.position) ?? .latest
    }
}
