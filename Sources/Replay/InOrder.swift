import EventStore

/// Does work on pieces beside each other, at most `ahead` at once, and takes in what each gave in the order of the
/// pieces. What is not taken in yet is kept, so memory is bounded by `ahead`.
///
/// - Parameter next: the next piece; nil at the end. It is asked again only after something was taken in.
/// - Throws: the first failure; the rest is given up.
func inOrder<Piece: Sendable, Product: Sendable>(
    ahead: Int, next: () async throws(EventStoreError) -> Piece?,
    work: @escaping @Sendable (Piece) async throws(EventStoreError) -> Product,
    take: (Product) async throws(EventStoreError) -> Void
) async throws(EventStoreError) {
    let failure = await withTaskGroup(of: (Int, Result<Product, EventStoreError>).self) { group in
        var early: [Int: Product] = [:]
        var (begun, taken, isOver) = (0, 0, false)
        do throws(EventStoreError) {
            while true {
                while !isOver, begun - taken < ahead {
                    guard let piece = try await next() else {
                        isOver = true
                        break
                    }
                    let number = begun
                    begun += 1
                    group.addTask {
                        do throws(EventStoreError) {
                            return (number, .success(try await work(piece)))
                        } catch {
                            return (number, .failure(error))
                        }
                    }
                }
                guard let (number, result) = await group.next() else { return EventStoreError?.none }
                early[number] = try result.get()
                while let product = early.removeValue(forKey: taken) {
                    try await take(product)
                    taken += 1
                }
            }
        } catch {
            group.cancelAll()
            return error
        }
    }
    if let failure { throw failure }
}
