//! What systems tell of a TCP connection: the part that most of them share.

/// One thing that they tell.
pub struct Field {
    /// The name in TypeScript.
    pub name: &'static str,
    /// Whether it is one of [`STATES`] rather than a number.
    pub state: bool,
    /// The systems that do not tell; empty when all do.
    pub lacking: &'static str,
    /// What it means, with its unit.
    pub meaning: &'static str,
}

/// How far a connection is, in the words of RFC 9293.
pub const STATES: &[&str] = &[
    "closed",
    "listen",
    "syn-sent",
    "syn-received",
    "established",
    "fin-wait-1",
    "fin-wait-2",
    "close-wait",
    "closing",
    "last-ack",
    "time-wait",
];

/// The fields, in the order in which they cross.
pub const INFO: &[Field] = &[
    Field { name: "state", state: true, lacking: "", meaning: "How far the connection is (RFC 9293)." },
    Field {
        name: "rtt",
        state: false,
        lacking: "",
        meaning: "The time of a round trip to the peer, smoothed (RFC 6298), in milliseconds and their fractions.",
    },
    Field {
        name: "rttVariance",
        state: false,
        lacking: "Windows",
        meaning: "How much that time varies, in milliseconds and their fractions.",
    },
    Field {
        name: "maxSegment",
        state: false,
        lacking: "",
        meaning: "The most data in one packet to the peer, in bytes.",
    },
    Field {
        name: "congestionWindow",
        state: false,
        lacking: "",
        meaning: "How much may be on its way to the peer without acknowledgement, in bytes.",
    },
    Field {
        name: "sendWindow",
        state: false,
        lacking: "Linux before 5.4",
        meaning: "How much the peer has room for, in bytes.",
    },
    Field {
        name: "recvWindow",
        state: false,
        lacking: "Linux before 6.2",
        meaning: "How much the peer has been told that there is room for here, in bytes.",
    },
    Field {
        name: "retransmits",
        state: false,
        lacking: "Windows",
        meaning: "How many packets were sent once more since the connection began.",
    },
    Field {
        name: "bytesRetransmitted",
        state: false,
        lacking: "FreeBSD, Linux before 4.19",
        meaning: "How many bytes were sent once more since the connection began.",
    },
    Field {
        name: "bytesSent",
        state: false,
        lacking: "FreeBSD, Linux before 4.19",
        meaning: "How many bytes were sent, with those that were sent once more.",
    },
    Field {
        name: "bytesReceived",
        state: false,
        lacking: "FreeBSD, Linux before 4.1",
        meaning: "How many bytes came from the peer.",
    },
];

/// What one connection is like.
pub(crate) struct Info {
    /// The place in [`STATES`].
    pub(crate) state: usize,
    /// Milliseconds.
    pub(crate) rtt: f64,
    pub(crate) rtt_variance: Option<f64>,
    /// All others in bytes, but for the one that counts packets.
    pub(crate) max_segment: u64,
    pub(crate) congestion_window: u64,
    pub(crate) send_window: Option<u64>,
    pub(crate) recv_window: Option<u64>,
    pub(crate) retransmits: Option<u64>,
    pub(crate) bytes_retransmitted: Option<u64>,
    pub(crate) bytes_sent: Option<u64>,
    pub(crate) bytes_received: Option<u64>,
}

/// The doubles of [`Value::Info`](super::Value::Info).
pub(super) fn encode(info: &Info) -> Vec<u8> {
    let number = |value: Option<u64>| value.map_or(f64::NAN, |value| value as f64);
    let fields = [
        info.state as f64,
        info.rtt,
        info.rtt_variance.unwrap_or(f64::NAN),
        info.max_segment as f64,
        info.congestion_window as f64,
        number(info.send_window),
        number(info.recv_window),
        number(info.retransmits),
        number(info.bytes_retransmitted),
        number(info.bytes_sent),
        number(info.bytes_received),
    ];
    const { assert!(INFO.len() == 11) };
    fields.iter().flat_map(|field| field.to_le_bytes()).collect()
}
