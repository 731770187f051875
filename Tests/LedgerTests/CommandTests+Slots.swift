import EventStore
import Foundation
import TestPrograms
import Testing

/// Files of slots as people export them.
extension CommandTests {
    private static let mark = "\u{FEFF}"

    @Test(
        "a file of slots is read as people export it",
        arguments: [
            "\(mark)\(header)\r\n5,PE,1,2,3,2046-01-08T15:00:00Z\r\n6,CL,1,2,3,2046-01-08T15:00:00Z\r\n",
            "\(header)\r5,PE,1,2,3,2046-01-08T15:00:00Z\r6,CL,1,2,3,2046-01-08T15:00:00Z",
            "\(header)\n5,PE,1,2,3,2046-01-08T15:00:00Z\n6,CL,1,2,3,2046-01-08T15:00:00Z\n,,,,,\n,,,,,\n\n",
            "\(header),,\n5,PE,1,2,3,2046-01-08T15:00:00Z,,\n6,CL,1,2,3,2046-01-08T15:00:00Z,,\n,,,,,,,\n",
            "sep=;\r\n\(header)\r\n5,PE,1,2,3,2046-01-08T15:00:00Z\r\n6,CL,1,2,3,2046-01-08T15:00:00Z\r\n"
                .replacingOccurrences(of: ",", with: ";"),
            "\(header)\r\n5,PE,1,2,3,2046-01-08T15:00:00Z\r\n6,CL,1,2,3,2046-01-08T15:00:00Z\r\n"
                .replacingOccurrences(of: ",", with: ";"),
            "\(header)\n5,PE,1,2,3,2046-01-08T15:00:00Z\n6,CL,1,2,3,2046-01-08T15:00:00Z\n"
                .replacingOccurrences(of: ",", with: "\t"),
            "\(header)\n\"5\",\"PE\",1,2,3,2046-01-08T15:00:00Z\n6,\"CL\",1,2,3,\"2046-01-08T15:00:00Z\"\n",
            "date,medicId,specialtyId,centerId,countryISO,scheduleId\n2046-01-08T15:00:00Z,3,2,1,PE,5\n"
                + "2046-01-08T15:00:00Z,3,2,1,CL,6\n",
        ])
    func exported(csv: String) async throws {
        let outcome = try await run("schedules", "import", "-", input: csv)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let list = try await run("schedules", "export")
        #expect(
            list.output.split(separator: "\r\n").dropFirst() == [
                "5,PE,1,2,3,2046-01-08T15:00:00.000Z,true,", "6,CL,1,2,3,2046-01-08T15:00:00.000Z,true,",
            ])
    }

    @Test("an export is edited and imported again, and what somebody holds stays as it is")
    func edited() async throws {
        let header = Self.header
        let csv = "\(header)\n51,PE,1,1,1,2046-01-08T15:00:00Z\n52,PE,1,1,1,2046-01-08T15:30:00Z\n"
        #expect(try await run("schedules", "import", "-", input: csv).status == 0)
        let export = try await run("schedules", "export").output
        // A shift by half an hour, in an order in which each takes the place of the next.
        let shifted = export.replacingOccurrences(of: "15:30:00", with: "16:00:00")
            .replacingOccurrences(of: "15:00:00", with: "15:30:00")
        let moved = try await run("schedules", "import", "-", input: shifted)
        #expect(moved.status == 0, "\(moved.errors)")
        #expect(try await run("schedules", "export").output == shifted)
        let swapped = shifted.replacingOccurrences(of: "51,PE", with: "0,PE")
            .replacingOccurrences(of: "52,PE", with: "51,PE").replacingOccurrences(of: "0,PE", with: "52,PE")
        #expect(try await run("schedules", "import", "-", input: swapped).status == 0)
        #expect(
            try rows(try await run("schedules", "list")).map { $0["date"]?.text } == [
                "2046-01-08T16:00:00.000Z", "2046-01-08T15:30:00.000Z",
            ])
    }

    @Test("all that is wrong with a file is reported by its line, twenty of it and then a count")
    func allErrors() async throws {
        let lines = (1...25).map { "\($0),XX,1,1,\($0),2046-01-08T15:00:00Z" }.joined(separator: "\n")
        let many = try await run("schedules", "import", "-", input: "\(Self.header)\n\(lines)\n")
        #expect(many.status == 1)
        #expect(many.errors.components(separatedBy: "countryISO is not PE or CL").count - 1 == 20)
        #expect(many.errors.contains("ledger: line 21: ") && !many.errors.contains("line 22:"))
        #expect(many.errors.contains("5 more; 25 errors in all, and nothing was imported"))
        let mixed = try await run(
            "schedules", "import", "-",
            input: """
                \(Self.header)
                1,PE,1,1,1,2046-01-08T15:00:00Z
                2,PE,1,1,1,2046-01-08T15:10:00Z
                3,ZZ,1,x,1,2046-01-08T16:00:00Z
                4,PE,1,1,1,2020-01-08T15:00:00Z

                """)
        #expect(mixed.status == 1)
        for text in [
            "line 2: schedule 1 overlaps", "line 3: schedule 2 overlaps", "line 4: specialtyId", "line 4: countryISO",
            "line 5: schedule 4 begins in the past", "1 in the past", "5 errors in all",
        ] {
            #expect(mixed.errors.contains(text), "\(text): \(mixed.errors)")
        }
        #expect(try await run("schedules", "list").lines.isEmpty)
    }

    @Test("slots that nobody can book are taken where that is asked for, and counted")
    func unbookable() async throws {
        let csv = """
            \(Self.header)
            1,PE,1,1,1,2020-01-08T15:00:00Z
            2,PE,1,1,1,2046-01-07T15:00:00Z
            3,PE,1,1,1,2046-01-08T16:17:23.456Z
            4,PE,1,1,1,2046-01-08T17:17:00Z

            """
        let refused = try await run("schedules", "import", "-", input: csv)
        #expect(refused.status == 1)
        let counts = "1 in the past, 1 outside the opening hours, 1 not on a whole minute"
        #expect(refused.errors.contains(counts))
        let taken = try await run("schedules", "import", "-", "--allow-unbookable", input: csv)
        #expect(taken.status == 0 && taken.errors.contains(counts), "\(taken.errors)")
        // What is there and stays as it is was judged when it came.
        let export = try await run("schedules", "export").output
        #expect(try await run("schedules", "import", "-", input: export).status == 0)
    }
}
