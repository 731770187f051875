import EventStore
import LogService
import TransparencyLog

/// A log with its key: what signs it, and what answers who asks.
struct SignedLog: Sendable {
    let signer: any NoteSigner
    let checkpointer: Checkpointer
    let served: ServedLog

    init(
        tree: any LogTree, feed: any EventFeed, streams: any StreamReader, checkpoints: any CheckpointStore,
        signer: any NoteSigner
    ) {
        self.signer = signer
        checkpointer = Checkpointer(tree: tree, store: checkpoints, signer: signer)
        served = ServedLog(tree: tree, feed: feed, streams: streams, checkpoints: checkpoints, signer: signer)
    }
}
