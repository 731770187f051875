import Appointments

/// How a parked event is named: `APPOINTMENT@VERSION`.
struct ParkedPlace {
    let appointment: AppointmentID
    let version: Int

    init?(_ text: String) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, let appointment = AppointmentID(parts[0]), let version = Int(parts[1]) else {
            return nil
        }
        (self.appointment, self.version) = (appointment, version)
    }
}
