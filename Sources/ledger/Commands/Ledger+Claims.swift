import Appointments
import Handlers
import HostSystem
import Replay

extension Ledger {
    /// A comparison of the countries' claims with this ledger.
    func claimCheck(_ options: ClaimOptions, progress: Progress) -> ClaimCheck {
        ClaimCheck(
            scan: store, store: store, countries: performer.countries, patienceMilliseconds: options.patience * 1000,
            now: System.now, progress: { progress.show($0, of: $0, "appointments compared") })
    }

    /// Compares the countries' claims with this ledger, and says what is not known.
    ///
    /// - Parameter isAsked: whether this is what was asked for, so that a country without a database is refused.
    func compareClaims(
        _ options: ClaimOptions, isAsked: Bool, _ shell: Shell
    ) async throws -> ClaimCheck.Report {
        if isAsked, performer.countries.isEmpty {
            throw Refusal("no country's database is configured: set RDS_URL, or RDS_HOST and its companions")
        }
        let progress = shell.progress()
        let compared = try await claimCheck(options, progress: progress).run()
        progress.clear()
        if compared.underWay > 0 {
            shell.tell("\(compared.underWay) slots of failed appointments are being given back")
        }
        for country in Country.allCases where performer.countries[country] == nil {
            shell.tell("no database of \(country.code) is configured: its claims were not compared")
        }
        for country in compared.away {
            shell.tell("the database of \(country.code) does not answer: its claims were not compared")
        }
        return compared
    }
}
