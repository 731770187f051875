/// A verb could not do what it was asked, for a reason that the user can mend.
struct Refusal: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
