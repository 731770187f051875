import Appointments
import EventStore
import Handlers
import MemoryEngine

extension Links: Topics, EventBus {
    func publish(_ message: OutgoingMessage, to topic: TopicName) async throws(EventStoreError) {
        try await call(.publish) { () throws(EventStoreError) in
            var body = message.body
            if world.plan.mutant == .personInMessage { body = body.dropLast() + Array(#","insuredId":"00017"}"#.utf8) }
            world.checks.published(body)
            world.deliver { [world] in
                world.messaging.publishNow(OutgoingMessage(body: body, attributes: message.attributes), to: topic)
                if let queue = topic.subscriber { world.bells[queue]?.ring() }
            }
        }
    }

    func put(_ event: BusEvent) async throws(EventStoreError) {
        try await call(.bus) { () throws(EventStoreError) in
            world.checks.announced(event.detail)
            world.deliver { [world] in
                world.messaging.putNow(event)
                for queue in EventRule.targets(of: event) { world.bells[queue]?.ring() }
            }
        }
    }
}

/// A queue as a server reaches it.
struct QueueLink: MessageQueue {
    let name: QueueName
    let links: Links

    private var world: World { links.world }

    func send(_ messages: [OutgoingMessage]) async throws(EventStoreError) {
        try await links.call(.publish) { () throws(EventStoreError) in world.messaging.sendNow(messages, to: name) }
    }

    func receive(
        limit: Int, waitMilliseconds: Int64, visibilityMilliseconds: Int64
    ) async throws(EventStoreError) -> [ReceivedMessage] {
        let bell = world.bells[name]
        let rings = bell?.rings ?? 0
        let first = try await receiveNow(limit: limit, visibilityMilliseconds: visibilityMilliseconds)
        if !first.isEmpty || waitMilliseconds == 0 { return first }
        await bell?.wait(since: rings, atMostMilliseconds: waitMilliseconds)
        return try await receiveNow(limit: limit, visibilityMilliseconds: visibilityMilliseconds)
    }

    private func receiveNow(
        limit: Int, visibilityMilliseconds: Int64
    ) async throws(EventStoreError) -> [ReceivedMessage] {
        try await links.call(.receive) { () throws(EventStoreError) in
            let dead = world.messaging.depthNow(of: name).dead
            let messages = world.messaging.receiveNow(
                from: name, limit: limit, visibilityMilliseconds: visibilityMilliseconds)
            if world.messaging.depthNow(of: name).dead > dead { world.sightings.see(.deadLetter) }
            if !messages.isEmpty { world.timeline.stir() }
            for message in messages {
                if message.receiveCount > 1 { world.sightings.see(.redelivery) }
                world.checks.received(message, at: world.timeline.now)
            }
            world.checks.waits(world.messaging.hiddenNow, at: world.timeline.now)
            world.plan.mutant?.received(messages, from: name, in: world)
            return messages
        }
    }

    func delete(_ receipts: [String]) async throws(EventStoreError) {
        // Some receipts of a batch are passed over, as a partial failure does; their messages come again.
        let some = receipts.filter { _ in !world.faults.strikes(.partialBatch) }
        try await links.call(.delete) { () throws(EventStoreError) in
            world.messaging.deleteNow(some, from: name)
        }
    }

    func hide(_ receipts: [String], forMilliseconds: Int64) async throws(EventStoreError) {
        try await links.call(.retry) { () throws(EventStoreError) in
            world.messaging.hideNow(receipts, in: name, forMilliseconds: forMilliseconds)
            world.checks.hid(receipts, at: world.timeline.now)
        }
    }

    func retry(_ receipt: String, afterMilliseconds: Int64, reason: String) async throws(EventStoreError) {
        try await links.call(.retry) { () throws(EventStoreError) in
            if world.plan.mutant == .receiveCountNotKept, let body = world.bodies.removeValue(forKey: receipt) {
                world.messaging.deleteNow([receipt], from: name)
                return world.messaging.sendNow([OutgoingMessage(body: body)], to: name)
            }
            world.messaging.retryNow(receipt, in: name, afterMilliseconds: afterMilliseconds, reason: reason)
            world.checks.hid([receipt], at: world.timeline.now)
        }
    }

    func depth() async throws(EventStoreError) -> QueueDepth {
        try await links.call(.depth) { () throws(EventStoreError) in world.messaging.depthNow(of: name) }
    }
}

/// A country's database as a server reaches it.
struct CountryLink: CountryDatabase {
    let country: Country
    let links: Links

    private var database: MemoryCountryDatabase? { links.world.countries[country] }

    func claim(_ claim: SlotClaim) async throws(EventStoreError) -> ClaimResult {
        try await links.call(.claim) { () throws(EventStoreError) in
            guard let database else { return .refused(.scheduleNotFound) }
            if links.world.plan.mutant == .claimWithoutCondition,
                let slot = database.schedulesNow().first(where: { $0.slot.schedule == claim.schedule })?.slot
            {
                return .held(slot)
            }
            let result = database.claimNow(claim)
            if result == .refused(.slotTaken) { links.world.sightings.see(.slotTaken) }
            return result
        }
    }

    func release(_ appointment: AppointmentID, at now: Timestamp) async throws(EventStoreError) {
        if links.world.plan.mutant == .slotNotReleased { return }
        try await links.call(.release) { () throws(EventStoreError) in
            links.world.checks.released(appointment)
            database?.releaseNow(appointment)
        }
    }

    func add(_ slots: [Slot]) async throws(EventStoreError) {
        try await links.call(.claim) { () throws(EventStoreError) in try database?.addNow(slots) }
    }

    func schedules(after schedule: ScheduleID?, limit: Int) async throws(EventStoreError) -> [ScheduleRow] {
        try await links.call(.claim) { () throws(EventStoreError) in
            database?.schedulesNow(after: schedule, limit: limit) ?? []
        }
    }

    func claims(after appointment: AppointmentID?, limit: Int) async throws(EventStoreError) -> [StandingClaim] {
        try await links.call(.claim) { () throws(EventStoreError) in
            database?.claimsNow(after: appointment, limit: limit) ?? []
        }
    }

    func putBack(_ claim: StandingClaim) async throws(EventStoreError) -> Bool {
        try await links.call(.claim) { () throws(EventStoreError) in database?.putBackNow(claim) ?? false }
    }
}
