import Glibc
import HTTPClient

/// The profile files of the AWS tools: `~/.aws/config` and `~/.aws/credentials`.
struct Profiles: Sendable {
    private var profiles: [String: [String: String]] = [:]
    /// The name of the profile that is asked for.
    let name: String
    /// Whether somebody asked for a profile by its name.
    let isNamed: Bool

    init(environment: [String: String]) {
        let named = environment.filled("AWS_PROFILE") ?? environment.filled("AWS_DEFAULT_PROFILE")
        (name, isNamed) = (named ?? "default", named != nil)
        let home = environment.filled("HOME") ?? ""
        let config = environment.filled("AWS_CONFIG_FILE") ?? "\(home)/.aws/config"
        let credentials = environment.filled("AWS_SHARED_CREDENTIALS_FILE") ?? "\(home)/.aws/credentials"
        // What both files say, the credentials file says last.
        merge(TextFile.read(config), namesProfiles: true)
        merge(TextFile.read(credentials), namesProfiles: false)
    }

    /// The settings of the profile that is asked for.
    var chosen: [String: String] { profiles[name] ?? [:] }

    /// The settings of a profile; nil where there is none.
    subscript(name: String) -> [String: String]? { profiles[name] }

    private mutating func merge(_ text: String?, namesProfiles: Bool) {
        var section: String?
        for line in (text ?? "").split(whereSeparator: \.isNewline) {
            // Settings that are indented belong to a setting above them; none of those is read here.
            if line.first == " " || line.first == "\t" { continue }
            let line = line.trimmed
            if line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("["), let end = line.firstIndex(of: "]") {
                let title = line[line.index(after: line.startIndex)..<end].trimmed
                if namesProfiles, title != "default" {
                    section = title.hasPrefix("profile ") ? title.dropFirst(8).trimmed : nil
                } else {
                    section = title
                }
            } else if let section, let equals = line.firstIndex(of: "=") {
                let key = line[..<equals].trimmed.lowercased()
                profiles[section, default: [:]][key] = line[line.index(after: equals)...].trimmed
            }
        }
    }
}

/// Small files of text: profiles and tokens.
enum TextFile {
    /// The text of a file of at most 1 MiB; nil where there is none that can be read.
    static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count <= 1 << 20 {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return ferror(file) == 0 ? String(decoding: bytes, as: UTF8.self) : nil }
            bytes += buffer[..<count]
        }
        return nil
    }
}
