import GRDB

/// Another connection to a ledger's file, as a person with the file has it: with none of the program's settings. It
/// waits while another one holds the file, as the program does when it closes its own.
func otherConnection(to path: String) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.busyMode = .timeout(60)
    return try DatabaseQueue(path: path, configuration: configuration)
}
