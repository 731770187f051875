import Appointments
import EventStore
import Foundation
import PostgresEngine
import TestAWS
import TestPostgres
import TestPrograms
import Testing

/// The program on AWS after a part of what belongs together was put back to an older copy.
@Suite(
    .serialized, .enabled(if: Emulator.isThere && TestCluster.isThere, "scripts/test.sh starts what this needs"),
    .dropsDatabases)
struct AWSRestoreTests {
    private static let slots =
        "scheduleId,countryISO,centerId,specialtyId,medicId,date\n"
        + (1...9).map { "\($0),PE,1,1,\($0),2046-11-26T15:00:00Z\n" }.joined()

    /// A ledger on AWS with its mirror and the database of Peru, copied twice: before and after some more appointments.
    private struct Copies {
        let variables: [String: String]
        var databases: [(mirror: TestDatabase, country: TestDatabase)] = []

        /// Makes tables with this ending, of copies with those.
        let copyTables: @Sendable (_ ending: String, _ events: String?, _ places: String?) async throws -> Void
        /// Puts the events with this ending back to the copy with that.
        let putBack: @Sendable (_ ending: String, _ events: String) async throws -> Void

        func make(_ ending: String, events: Int, places: Int) async throws {
            try await copyTables(ending, "\(events)", "\(places)")
        }
    }

    private func run(
        _ words: String..., input: String = "", on environment: [String: String]
    ) async throws -> LedgerBinary.Outcome {
        try await LedgerBinary.run(words + ["--engine", "aws"], input: input, environment: environment)
    }

    /// Has some appointments asked for and brought to their end by a worker, and into the mirror.
    private func book(_ numbers: ClosedRange<Int>, _ environment: [String: String]) async throws {
        let worker = try RunningProgram(["worker"], environment: environment)
        try await worker.waitForErrors(#""message":"working""#)
        for number in numbers {
            let asked = try await run(
                "request", "--insured", "0000\(number)", "--schedule", "\(number)", "--country", "PE", on: environment)
            #expect(asked.status == 0, "\(asked)")
        }
        let end = ContinuousClock.now + .seconds(120)
        while try await !run("mirror", "status", on: environment).output.contains(
            #""position":\#(4 * numbers.upperBound)"#)
        {
            try #require(ContinuousClock.now < end, "they never ended: \(worker.errors)")
            try await Task.sleep(for: .milliseconds(100))
        }
        worker.signal(SIGTERM)
        #expect(try await worker.waitForExit() == 0, "\(worker.errors)")
    }

    private func makeCopies() async throws -> Copies {
        let (mirror, country) = (
            try await TestCluster.database(.ledger), try await TestCluster.database(.country(.peru))
        )
        let (client, variables) = try await Emulator.makeLedger()
        var copies = Copies(variables: variables) { ending, events, places in
            try await Emulator.copyTables(client, ending: ending, events: events, places: places)
        } putBack: { ending, events in
            try await Emulator.putBack(client, ending: ending, to: events)
        }
        let environment = variables.merging(["RDS_URL_LEDGER": mirror.url, "RDS_URL_PE": country.url]) { $1 }
        let imported = try await run("schedules", "import", "-", input: Self.slots, on: environment)
        #expect(imported.status == 0, "\(imported)")
        for (number, booked) in [1...2, 3...5].enumerated() {
            try await book(booked, environment)
            try await copies.copyTables("\(number)", nil, nil)
            copies.databases.append((try await TestCluster.copy(of: mirror), try await TestCluster.copy(of: country)))
        }
        return copies
    }

    /// What is put back, and what the program says of it.
    private struct Case {
        let events: Int
        let places: Int
        let mirror: Int
        let country: Int
        let isPutBack: Bool
        let mirrorState: String
        let countryState: String

        /// - Parameter parts: events with their views, places, mirror and country: 0 is the older copy, 1 the newer.
        init(_ parts: String, isPutBack: Bool = false, mirror: String = "following", country: String = "following") {
            let copies = parts.compactMap(\.wholeNumberValue)
            (events, places, self.mirror, self.country) = (copies[0], copies[1], copies[2], copies[3])
            (self.isPutBack, mirrorState, countryState) = (isPutBack, mirror, country)
        }
    }

    private static let cases = [
        Case("1111"),
        Case("0111", isPutBack: true, mirror: "ahead", country: "other-epoch"),
        Case("0101", isPutBack: true, mirror: "other-epoch", country: "other-epoch"),
        Case("0110", isPutBack: true, mirror: "ahead", country: "other-epoch"),
        Case("0100", isPutBack: true, mirror: "other-epoch", country: "other-epoch"),
        Case("0000"),
        Case("0011", mirror: "ahead", country: "ahead"),
        Case("1011"),
        Case("1101"),
        Case("1110"),
    ]

    @Test("on AWS each part that is put back alone or with others is named, and there is a way out of each")
    func combinations() async throws {
        let copies = try await makeCopies()
        for (number, wanted) in Self.cases.enumerated() {
            let mirror = try await TestCluster.copy(of: copies.databases[wanted.mirror].mirror)
            let country = try await TestCluster.copy(of: copies.databases[wanted.country].country)
            let ending = "case-\(number)"
            try await copies.make(ending, events: wanted.events, places: wanted.places)
            let environment = copies.variables.merging(Emulator.variables(ending: ending)) { $1 }
                .merging(["RDS_URL_LEDGER": mirror.url, "RDS_URL_PE": country.url]) { $1 }
            let opened = try await run("countries", "status", on: environment)
            #expect(opened.errors.contains("was put back") == wanted.isPutBack, "\(number): \(opened)")
            #expect(opened.output.contains(#""state":"\#(wanted.countryState)""#), "\(number): \(opened)")
            #expect(opened.status == (wanted.countryState == "following" ? 0 : 3), "\(number): \(opened)")
            let status = try await run("mirror", "status", on: environment)
            #expect(status.output.contains(#""state":"\#(wanted.mirrorState)""#), "\(number): \(status)")
            if wanted.mirrorState != "following" {
                let refused = try await run("mirror", "backfill", on: environment)
                #expect(refused.status == 1, "\(number): \(refused)")
                let verb = wanted.mirrorState == "ahead" ? "rewind" : "adopt"
                let planned = try await run("mirror", verb, "--dry-run", on: environment)
                #expect(planned.status == 0 && planned.errors.contains("the mirror will be"), "\(number): \(planned)")
                #expect(try await run("mirror", "status", on: environment).status == 3)
                let mended = try await run("mirror", verb, "--yes", on: environment)
                #expect(mended.status == 0, "\(number): \(mended)")
            }
            if wanted.countryState != "following" {
                #expect(try await run("countries", "adopt", "--dry-run", on: environment).status == 0)
                #expect(try await run("countries", "status", on: environment).status == 3)
                let adopted = try await run("countries", "adopt", "--yes", on: environment)
                #expect(adopted.status == 0, "\(number): \(adopted)")
            }
            for words in [
                ["mirror", "backfill"], ["mirror", "status"], ["countries", "status"], ["verify", "--mirror"],
            ] {
                let outcome = try await LedgerBinary.run(words + ["--engine", "aws"], environment: environment)
                #expect(outcome.status == 0, "\(number) \(words): \(outcome)")
            }
        }
    }

    @Test("a worker and a server on AWS write nothing to what is of another past, and another ledger's is refused")
    func refused() async throws {
        let copies = try await makeCopies()
        try await copies.make("back", events: 0, places: 1)
        let (mirror, country) = copies.databases[1]
        let databases = ["RDS_URL_LEDGER": mirror.url, "RDS_URL_PE": country.url]
        let environment = copies.variables.merging(Emulator.variables(ending: "back")) { $1 }
            .merging(databases) { $1 }
        let worker = try RunningProgram(["worker"], environment: environment)
        try await worker.waitForErrors(#""message":"working""#)
        #expect(worker.errors.contains("the ledger was put back to an older copy"))
        #expect(worker.errors.contains("the mirror stands still"))
        #expect(worker.errors.contains("a country's database is of another past"))
        let asked = try await run(
            "request", "--insured", "00008", "--schedule", "8", "--country", "PE", on: environment)
        #expect(asked.status == 0, "\(asked)")
        let id = try #require(try JSONValue(Array(asked.output.utf8))["appointmentId"]?.text)
        try await worker.waitForErrors("the change stream stands still")
        #expect(try await run("mirror", "status", on: environment).output.contains(#""position":20"#))
        #expect(try await run("state", id, on: environment).output.contains(#""status":"pending""#))
        #expect(try await run("countries", "adopt", "--yes", on: environment).status == 0)
        #expect(try await run("mirror", "rewind", "--yes", on: environment).status == 0)
        let end = ContinuousClock.now + .seconds(120)
        while try await !run("state", id, on: environment).output.contains(#""status":"completed""#) {
            try #require(ContinuousClock.now < end, "it never ended: \(worker.errors)")
            try await Task.sleep(for: .milliseconds(200))
        }
        worker.signal(SIGTERM)
        #expect(try await worker.waitForExit() == 0, "\(worker.errors)")

        let strange = try await Emulator.makeLedger().environment.merging(databases) { $1 }
        for words in [
            ["worker"], ["serve", "--port", "0", "--engine", "aws"], ["audit", "events", "--engine", "aws"],
            ["mirror", "backfill", "--engine", "aws"], ["mirror", "adopt", "--yes", "--engine", "aws"],
            ["mirror", "rewind", "--yes", "--engine", "aws"],
        ] {
            let outcome = try await LedgerBinary.run(words, environment: strange)
            #expect(outcome.status == 1 && outcome.errors.contains("another ledger's"), "\(words): \(outcome)")
            #expect(outcome.output.isEmpty, "\(words): \(outcome)")
        }
    }
    @Test("a worker and a server that were left running end when the tables were put back under them")
    func underneath() async throws {
        let copies = try await makeCopies()
        try await copies.make("under", events: 1, places: 1)
        let (mirror, country) = copies.databases[1]
        let environment = copies.variables.merging(Emulator.variables(ending: "under")) { $1 }
            .merging(["RDS_URL_LEDGER": mirror.url, "RDS_URL_PE": country.url]) { $1 }
        let programs = [
            try RunningProgram(["worker"], environment: environment),
            try RunningProgram(["serve", "--port", "0", "--engine", "aws"], environment: environment),
        ]
        try await programs[0].waitForErrors(#""message":"working""#)
        try await programs[1].waitForErrors("listening on 127.0.0.1:")
        try await copies.putBack("under", "0")
        for program in programs {
            #expect(try await program.waitForExit() == 1, "\(program.errors)")
            #expect(program.errors.contains("start it again"), "\(program.errors)")
        }
        #expect(try await run("mirror", "status", on: environment).output.contains(#""state":"ahead""#))
    }
}
