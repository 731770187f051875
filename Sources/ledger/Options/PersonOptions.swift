import Appointments
import ArgumentParser

/// Whose eyes the result is for.
struct PersonOptions: ParsableArguments {
    @Flag(help: "Show insured ids whole instead of as ***23.") var showInsured = false

    var display: PersonDisplay { showInsured ? .whole : .masked }
}
