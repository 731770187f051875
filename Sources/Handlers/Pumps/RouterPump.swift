package import Appointments
package import EventStore
package import Logging
package import Projections

/// Brings the events of the feed to the router, with a checkpoint of its own.
package struct RouterPump: Sendable {
    /// The router's name among the consumers of the feed.
    package static let projection = ConsumerName("router", number: 1)

    private let feed: (any EventFeed)?
    private let checkpoints: any ConsumerStore
    private let control: (any ConsumerControl)?
    private let performer: Performer
    private let logger: Logger

    /// - Parameter feed: what `step` follows; nil where a change stream brings the events to `route`.
    /// - Parameter control: says when an operator holds the router; without it nobody can.
    package init(
        feed: (any EventFeed)?, checkpoints: any ConsumerStore, control: (any ConsumerControl)? = nil,
        performer: Performer, logger: Logger
    ) {
        (self.feed, self.checkpoints, self.control) = (feed, checkpoints, control)
        (self.performer, self.logger) = (performer, logger)
    }

    /// Routes the next events of the feed and moves the checkpoint after them. What can't be routed is parked, so
    /// that the others move on.
    ///
    /// - Returns: how many events there were; 0 when the router is up to the feed, or held.
    /// - Throws: `unavailable`: the same events come again.
    package func step(limit: Int) async throws(EventStoreError) -> Int {
        guard let feed else { throw .noFeed }
        let checkpoint = try await checkpoints.checkpoint(of: Self.projection)
        let events = try await feed.events(after: checkpoint, limit: limit)
        guard let last = events.last?.position else { return 0 }
        if try await control?.pausedAt(Self.projection) != nil { return 0 }
        var commit = ProjectionCommit(checkpoint: last)
        commit.parked = try await route(events)
        _ = try await checkpoints.commit(commit, of: Self.projection, expecting: checkpoint)
        return events.count
    }

    /// Routes a parked appointment's events again, once what parked it was mended.
    ///
    /// - Returns: what parks it still; nil when all of them were routed.
    /// - Throws: `unavailable`, or `corrupt` when the store does not give its events out.
    package func retry(_ appointment: AppointmentID) async throws(EventStoreError) -> ParkedEvent? {
        let events = try await performer.store.read(appointment.stream)
        let parked = try await route(events)
        if parked.isEmpty, let last = events.last {
            try await checkpoints.unpark(appointment, upTo: last.version, from: Self.projection)
        }
        return parked.first
    }

    /// Routes some events concurrently.
    ///
    /// - Returns: those that could not be routed, with the reason.
    /// - Throws: `unavailable` when a store did not answer; all of them are to come again.
    package func route(_ events: [RecordedEvent]) async throws(EventStoreError) -> [ParkedEvent] {
        let outcomes = await withTaskGroup(of: Result<ParkedEvent?, EventStoreError>.self) { group in
            for event in events { group.addTask { await route(event) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var parked: [ParkedEvent] = []
        for outcome in outcomes {
            if let event = try outcome.get() { parked.append(event) }
        }
        return parked.sorted { ($0.appointment, $0.version) < ($1.appointment, $1.version) }
    }

    private func route(_ event: RecordedEvent) async -> Result<ParkedEvent?, EventStoreError> {
        do throws(EventStoreError) {
            guard let router = try Router(event: event) else { return .success(nil) }
            switch try await performer.run(router) {
            case .done, .accepted: return .success(nil)
            case .refused(let rejection): return .success(park(event, "refused: \(rejection)"))
            case .failed(let reason): return .success(park(event, reason))
            }
        } catch {
            return error.code == .unavailable ? .failure(error) : .success(park(event, error.message))
        }
    }

    private func park(_ event: RecordedEvent, _ reason: String) -> ParkedEvent {
        logger.error(
            "an event could not be routed",
            metadata: ["stream": "\(event.stream)", "version": "\(event.version)", "reason": "\(reason)"])
        return ParkedEvent(
            appointment: event.stream.appointment, version: event.version, reason: reason, at: performer.now())
    }

    /// Routes until it is told to stop.
    ///
    /// - Parameter appended: rings when events were appended; without it the feed is looked at four times a second.
    /// - Parameter callers: those of the API in the same process, who come first.
    package func run(
        until stop: Stop, batch: Int, appended: Doorbell, yieldingTo callers: Callers? = nil
    ) async {
        await Following("the router", logger: logger).run(until: stop) { () throws(EventStoreError) in
            await callers?.giveWay(stop)
            let rings = appended.rings
            if try await step(limit: batch) == 0 { await appended.wait(since: rings, atMostMilliseconds: 250) }
        }
    }
}
