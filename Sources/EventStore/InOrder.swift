/// Does work on pieces concurrently, and takes in what each gave in the order of the pieces. What is not taken in yet
/// is kept.
///
/// - Parameters:
///   - width: at how many pieces it works at the same time.
///   - ahead: how many pieces are at work or kept, which bounds memory.
///   - next: the next piece; nil at the end. It is asked again only after something was taken in.
/// - Throws: the first failure; the rest is given up.
package func inOrder<Piece: Sendable, Product: Sendable>(
    width: Int = .max, ahead: Int, next: () async throws(EventStoreError) -> Piece?,
    work: @escaping @Sendable (Piece) async throws(EventStoreError) -> Product,
    take: (Product) async throws(EventStoreError) -> Void
) async throws(EventStoreError) {
    let failure = await withTaskGroup(of: (Int, Result<Product, EventStoreError>).self) { group in
        var early: [Int: Product] = [:]
        var (begun, done, taken, isOver) = (0, 0, 0, false)
        do throws(EventStoreError) {
            while true {
                while !isOver, begun - taken < ahead, begun - done < width {
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
                done += 1
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

/// Does work on pieces concurrently, on at most `width` at the same time; gives the products in the order of the
/// pieces.
///
/// - Throws: the first failure; the rest is given up.
package func inOrder<Piece: Sendable, Product: Sendable>(
    _ pieces: [Piece], width: Int = 8, _ work: @escaping @Sendable (Piece) async throws(EventStoreError) -> Product
) async throws(EventStoreError) -> [Product] {
    var (rest, products) = (pieces[...], [Product]())
    products.reserveCapacity(pieces.count)
    try await inOrder(width: width, ahead: .max) { () throws(EventStoreError) in
        rest.popFirst()
    } work: { piece throws(EventStoreError) in
        try await work(piece)
    } take: { product throws(EventStoreError) in
        products.append(product)
    }
    return products
}
