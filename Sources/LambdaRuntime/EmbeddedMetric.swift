package import EventStore
import Glibc

/// A number for CloudWatch, written as a line of the log in its embedded metric format.
///
/// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
package struct EmbeddedMetric: Sendable {
    /// The metrics of this program, by the names that alarms know.
    package enum Name: String, CaseIterable, Sendable {
        /// How old the last event was when the mirror had it.
        case mirrorLag = "MirrorLagMilliseconds"
        /// How many events the mirror set aside since they contradict it.
        case conflicts = "MirrorConflicts"
        /// How many stored events were seen to be changed or removed.
        case tampered = "TamperedEvents"
        /// How many appointments stand still though they were sent round again.
        case stuck = "StuckAppointments"

        var unit: String { self == .mirrorLag ? "Milliseconds" : "Count" }
    }

    /// The namespace of all metrics.
    package static let namespace = "MedicalAppointments"

    private let stage: String
    private let now: @Sendable () -> Timestamp
    private let write: @Sendable ([UInt8]) -> Void

    /// - Parameter stage: the value of the metrics' one dimension.
    /// - Parameter write: takes each line, its newline included; standard output unless given.
    package init(
        stage: String, now: @escaping @Sendable () -> Timestamp,
        write: @escaping @Sendable ([UInt8]) -> Void = EmbeddedMetric.writeToStandardOutput
    ) {
        (self.stage, self.now, self.write) = (stage, now, write)
    }

    /// Writes a number.
    package func put(_ name: Name, _ value: Int64) {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("_aws") { writer in
                writer.object { writer in
                    writer.member("Timestamp", now().milliseconds)
                    writer.member("CloudWatchMetrics") { $0.array { Self.describe(name, &$0) } }
                }
            }
            writer.member("Stage", stage)
            writer.member(name.rawValue, value)
        }
        write(writer.bytes + [UInt8(ascii: "\n")])
    }

    private static func describe(_ name: Name, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Namespace", namespace)
            writer.member("Dimensions") { $0.array { $0.array { $0.string("Stage") } } }
            writer.member("Metrics") { writer in
                writer.array { writer in
                    writer.object {
                        $0.member("Name", name.rawValue)
                        $0.member("Unit", name.unit)
                    }
                }
            }
        }
    }

    /// One write a line.
    package static let writeToStandardOutput: @Sendable ([UInt8]) -> Void = { line in
        line.withUnsafeBytes { _ = Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}
