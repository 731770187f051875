import EventStore

/// A shard of a change stream.
struct ChangeShard: Sendable {
    let id: String
    let parent: String?

    /// All shards of a stream, parents before their children.
    static func all(of arn: String, _ client: AWSClient) async throws(AWSError) -> [ChangeShard] {
        var shards: [ChangeShard] = []
        var start: String?
        repeat {
            let answer = try await client.call(.streams, "DescribeStream") { writer in
                writer.member("StreamArn", arn)
                if let start { writer.member("ExclusiveStartShardId", start) }
            }["StreamDescription"]
            for shard in answer?["Shards"]?.elements ?? [] {
                guard let id = shard["ShardId"]?.text else { continue }
                shards.append(ChangeShard(id: id, parent: shard["ParentShardId"]?.text))
            }
            start = answer?["LastEvaluatedShardId"]?.text
        } while start != nil
        return ordered(shards)
    }

    private static func ordered(_ shards: [ChangeShard]) -> [ChangeShard] {
        var (rest, ordered, placed) = (shards, [ChangeShard](), Set<String>())
        let ids = Set(shards.map(\.id))
        while !rest.isEmpty {
            let ready = rest.filter { shard in shard.parent.map { placed.contains($0) || !ids.contains($0) } ?? true }
            // A circle can't be; were there one, its shards would still be read.
            let next = ready.isEmpty ? rest : ready
            ordered += next
            placed.formUnion(next.map(\.id))
            rest.removeAll { placed.contains($0.id) }
        }
        return ordered
    }

    /// An iterator after a record, or at the oldest record that there is.
    func iterator(
        of arn: String, behind sequence: String?, _ client: AWSClient
    ) async throws(AWSError) -> String {
        let answer = try await client.answer(.streams, "GetShardIterator") { writer in
            writer.member("StreamArn", arn)
            writer.member("ShardId", id)
            writer.member("ShardIteratorType", sequence == nil ? "TRIM_HORIZON" : "AFTER_SEQUENCE_NUMBER")
            if let sequence { writer.member("SequenceNumber", sequence) }
        }
        guard let iterator = answer.value["ShardIterator"]?.text else {
            throw AWSError(.streams, "GetShardIterator", unreadable: answer, message: "the answer has no iterator")
        }
        return iterator
    }
}

/// How far a consumer has come in each shard, kept next to the checkpoints of projections.
struct ChangePlaces: Sendable {
    let table: DynamoDBTable
    let consumer: String

    /// How far a shard was read.
    struct Place: Sendable, Equatable {
        /// The last record that was taken in; nil before the first.
        let sequence: String?
        /// Whether the shard has ended and was read to its end.
        let isDone: Bool
    }

    private static let seen = "seen"
    private static let end = "end"
    private static let prefix = "shard#"
    /// Records are kept for 24 hours; a consumer that was away for longer than this may have missed some.
    static let patienceMilliseconds: Int64 = 20 * 3_600_000
    /// By how much the clocks of two machines differ at most, unless one is wrong.
    static let slackMilliseconds: Int64 = 300_000

    private func key(_ item: String, _ writer: inout JSONWriter) {
        writer.attribute("projectionId", text: "stream/\(consumer)")
        writer.attribute("itemId", text: item)
    }

    /// The places of all shards that were read.
    func all() async throws(EventStoreError) -> [String: Place] {
        var places: [String: Place] = [:]
        try await table.pages("Query") { writer in
            writer.member("ConsistentRead") { $0.boolean(true) }
            writer.member("KeyConditionExpression", "projectionId = :name AND begins_with(itemId, :prefix)")
            writer.member("ExpressionAttributeValues") { writer in
                writer.object {
                    $0.attribute(":name", text: "stream/\(consumer)")
                    $0.attribute(":prefix", text: Self.prefix)
                }
            }
        } until: { (items, _) throws(EventStoreError) in
            do throws(Item.Damage) {
                for item in items {
                    let shard = String(try item.text("itemId").dropFirst(Self.prefix.count))
                    places[shard] = Place(
                        sequence: try item.ifPresent("lastSequence") { name throws(Item.Damage) in try item.text(name)
                        },
                        isDone: try item.number("done") == 1)
                }
            } catch {
                throw .damaged(table.name, error)
            }
            return false
        }
        return places
    }

    /// Moves a shard's place if it still is where it was.
    ///
    /// - Returns: nil when another worker moved it.
    func move(
        _ shard: String, from old: Place?, to sequence: String?, isDone: Bool
    ) async throws(EventStoreError) -> Place? {
        let place = Place(sequence: sequence, isDone: isDone)
        if place == old { return place }
        let condition =
            if old == nil { "attribute_not_exists(projectionId)" } else if old?.sequence == nil {
                "attribute_not_exists(lastSequence)"
            } else {
                "lastSequence = :old"
            }
        do throws(AWSError) {
            _ = try await table.call("PutItem") { writer in
                writer.member("Item") { writer in
                    writer.object { writer in
                        key(Self.prefix + shard, &writer)
                        if let sequence { writer.attribute("lastSequence", text: sequence) }
                        writer.attribute("done", number: isDone ? 1 : 0)
                    }
                }
                writer.member("ConditionExpression", condition)
                if let sequence = old?.sequence {
                    writer.member("ExpressionAttributeValues") { writer in
                        writer.object { $0.attribute(":old", text: sequence) }
                    }
                }
            }
            return place
        } catch {
            if error.isRefused("ConditionalCheckFailedException") { return nil }
            throw error.asStoreError
        }
    }

    /// Forgets a shard that the stream has no more.
    func remove(_ shard: String) async throws(EventStoreError) {
        _ = try await table.delete { key(Self.prefix + shard, &$0) }
    }

    /// Whether the consumer is new, or was away for so long that records may have been dropped unread.
    func isForgotten(at now: Timestamp) async throws(EventStoreError) -> Bool {
        guard let last = try await moment(Self.seen) else { return true }
        let passed = now.milliseconds - last.milliseconds
        // A clock that was ahead wrote it: nobody knows how long ago that was.
        return passed > Self.patienceMilliseconds || passed < -Self.slackMilliseconds
    }

    /// Notes that all shards were read just now, and whether to their ends.
    func sawRound(at now: Timestamp, isAtEnd: Bool) async throws(EventStoreError) {
        for name in isAtEnd ? [Self.seen, Self.end] : [Self.seen] {
            do throws(AWSError) {
                _ = try await table.call("PutItem") { writer in
                    writer.member("Item") { writer in
                        writer.object {
                            key(name, &$0)
                            $0.attribute("at", text: now.description)
                        }
                    }
                }
            } catch {
                throw error.asStoreError
            }
        }
    }

    /// When all shards were last read to their ends; nil when they never were.
    func lastEnd() async throws(EventStoreError) -> Timestamp? { try await moment(Self.end) }

    private func moment(_ name: String) async throws(EventStoreError) -> Timestamp? {
        guard let item = try await table.item({ key(name, &$0) }) else { return nil }
        return try? item.value("at") { Timestamp($0) }
    }
}
