import API
import Appointments
import EventStore
import MemoryEngine
import Projections

/// The clients: they ask for appointments in bursts, half of them for the same few slots, ask again when they get no
/// answer, and look at what became of it.
// Everything in it runs on the one thread of its world.
final class Crowd: @unchecked Sendable {
    /// A request for an appointment, as a client keeps it to send it again.
    private struct Wish {
        let insured: String
        let schedule: Int64
        let country: Country
        let key: String?

        var body: [UInt8] {
            Array(
                #"{"insuredId":"\#(insured)","scheduleId":\#(schedule),"countryISO":"\#(country.code)"}"#.utf8)
        }
    }

    static let hotSlots: Int64 = 50
    private static let coldSlots: Int64 = 100
    private static let persons: Int64 = 40
    /// How often a client with a key asks again before it gives up.
    private static let attempts = 40

    private let world: World
    private var isOpen = true
    /// Clients that wait for an answer.
    private(set) var waiting = 0
    private var keys: [Wish] = []
    private var known: [(insured: String, appointment: AppointmentID)] = []
    /// Keys that were sent with two requests: whichever came first is the one that it stands for.
    private var reused: Set<String> = []
    private var requestNumber = 0

    init(_ world: World) { self.world = world }

    /// Lists the slots of both countries: half an hour each in the mornings of the next three weeks.
    func listSlots() throws(EventStoreError) {
        var slots: [Country: [Slot]] = [:]
        let today = Int(World.start.milliseconds / 86_400_000)
        for number in 1...(Self.hotSlots + Self.coldSlots) {
            guard let schedule = ScheduleID(number) else { continue }
            let country = Self.country(of: number)
            let day = CivilDate(daysSinceEpoch: today + Int(number * 7 % 20))
            let date = country.moment(of: day, minute: 480 + 30 * Int(number % 10))
            slots[country, default: []].append(
                Slot(schedule: schedule, center: 1, specialty: 1, medic: number, date: date))
        }
        for (country, database) in world.countries { try database.addNow(slots[country] ?? []) }
    }

    private static func country(of slot: Int64) -> Country { slot % 2 == 0 ? .peru : .chile }

    /// Lets clients come, one after the other, until `close`.
    func open() {
        let milliseconds: Int64
        switch world.random.next() % 100 {
        case 0..<40: milliseconds = world.random.pick(0...5)
        case 40..<93: milliseconds = world.random.pick(0...4_000)
        default: milliseconds = world.random.pickShort(upTo: 10_800_000)
        }
        world.timeline.after(milliseconds) { [self] in
            guard isOpen else { return }
            world.timeline.stir()
            arrive()
            open()
        }
    }

    func close() { isOpen = false }

    private func arrive() {
        let draw = world.random.next() % 100
        if draw < 8, let known = pick(known) { return look(known.insured, known.appointment) }
        if draw < 14, let wish = pick(keys) { return ask(wish) }
        if draw < 16, let wish = pick(keys), let key = wish.key {
            reused.insert(key)
            return ask(
                Wish(insured: wish.insured, schedule: wish.schedule + 2, country: wish.country, key: wish.key))
        }
        let isHot = world.random.next() & 1 == 0
        // One slot in a hundred does not exist.
        let slot =
            isHot
            ? world.random.pick(1...Self.hotSlots)
            : world.random.pick((Self.hotSlots + 1)...(Self.hotSlots + Self.coldSlots + 1))
        let wish = Wish(
            insured: String(10_000 + world.random.pick(1...Self.persons)), schedule: slot,
            country: Self.country(of: slot),
            key: world.random.happens(inMillion: 700_000) ? "key-\(keys.count)" : nil)
        if wish.key != nil { keys.append(wish) }
        ask(wish)
    }

    private func pick<Element>(_ list: [Element]) -> Element? {
        list.isEmpty ? nil : list[Int(world.random.next() % UInt64(list.count))]
    }

    private func send(_ method: String, _ path: String, _ wish: Wish?) async -> APIResponse? {
        guard let server = world.anyServer() else { return nil }
        requestNumber += 1
        var request = APIRequest(
            method: method, path: path, body: wish?.body ?? [], remoteAddress: "127.0.0.1",
            requestID: "r-\(requestNumber)")
        if wish != nil { request.headers.append(("Content-Type", "application/json")) }
        if let key = wish?.key, world.plan.mutant != .idempotencyIgnored {
            request.headers.append(("Idempotency-Key", key))
        }
        let response = await server.table.respond(to: request)
        // A server that died meanwhile has told nobody.
        return server.isAlive ? response : nil
    }

    private func ask(_ wish: Wish) {
        waiting += 1
        world.timeline.start { [self] in
            for attempt in 1...Self.attempts {
                let response = await send("POST", "/appointments", wish)
                switch response?.status {
                case 201:
                    if let response { note(response, wish) }
                case 422:
                    if !reused.contains(wish.key ?? "") {
                        world.checks.violate("a request was refused as another one with its own key")
                    }
                case nil, 503:
                    // Without a key nobody knows what became of it; asking again would ask twice.
                    if wish.key == nil { break }
                    await world.timeline.pause(Int64(min(attempt, 20)) * 1_000)
                    continue
                case let status?: world.checks.violate("a request for an appointment was answered with \(status)")
                }
                break
            }
            waiting -= 1
        }
    }

    private func note(_ response: APIResponse, _ wish: Wish) {
        guard let body = try? JSONValue(response.body),
            let appointment = body["appointmentId"]?.text.flatMap({ AppointmentID($0) })
        else { return world.checks.violate("a 201 names no appointment") }
        let isReplay = response.header("Idempotent-Replayed") != nil
        if isReplay { world.sightings.see(.replayedRequest) }
        world.checks.answered(appointment, key: wish.key, isReplay: isReplay)
        known.append((wish.insured, appointment))
    }

    /// Looks an appointment up: what is shown is what its events made of it at that version.
    private func look(_ insured: String, _ appointment: AppointmentID) {
        world.timeline.start { [self] in
            guard let response = await send("GET", "/appointments/\(insured)/\(appointment)", nil) else { return }
            switch response.status {
            case 200:
                let body = try? JSONValue(response.body)
                let version = body?["version"]?.whole.map(Int.init) ?? 0
                let row = world.checks.row(appointment, version: version, insured: nil)
                if row == nil || body?["status"]?.text != row?.status.rawValue {
                    world.checks.violate("\(appointment) was shown as it never was")
                }
            case 404, 503: break
            default: world.checks.violate("a look at an appointment was answered with \(response.status)")
            }
        }
    }
}
