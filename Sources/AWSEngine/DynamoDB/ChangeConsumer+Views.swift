import Appointments
package import EventStore
package import Handlers
package import Projections

extension ChangeConsumer {
    static let routerAndViews = "appointment"

    /// The consumer that routes events and brings the view up to them, and raises the alarm over changed ones.
    ///
    /// - Parameter seen: notes how far the events have come, before anything is done with them.
    package static func routerAndViews(
        _ handler: ChangeHandler, views: any ConsumerStore, alarm: TamperAlarm,
        seen: SeenNote? = nil, now: @escaping @Sendable () -> Timestamp
    ) -> ChangeConsumer {
        ChangeConsumer(routerAndViews) { events, tamperings throws(EventStoreError) in
            try await alarm.raise(tamperings, at: now())
            if events.isEmpty { return }
            try await seen?.saw(events)
            try await handler.handle(events, now: now())
        } lagging: { versions throws(EventStoreError) in
            let rows = try await views.rows(of: Array(versions.keys))
            return Set(versions.filter { rows[$0.key]?.version ?? 0 < $0.value }.keys)
        }
    }

    /// The consumer that copies events into a mirror. Changed ones are the business of the one that routes.
    package static func mirror(
        _ runner: MirrorRunner, _ mirror: any MirrorStore, alarm: MirrorAlarm,
        now: @escaping @Sendable () -> Timestamp
    ) -> ChangeConsumer {
        ChangeConsumer("mirror") { events, _ throws(EventStoreError) in
            if !events.isEmpty { alarm.raise(try await runner.take(in: events, now: now())) }
        } lagging: { versions throws(EventStoreError) in
            let held = try await mirror.streams(versions.keys.map(\.stream).sorted())
            return Set(versions.filter { held[$0.key.stream]?.head.version ?? 0 < $0.value }.keys)
        }
    }
}
