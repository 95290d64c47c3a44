//! Secrets written down on request, so that captures can be decrypted.

/// Receives every secret of the key schedule.
///
/// **Whoever reads the log reads the connection.** A line of the usual file (NSS key log format) is
/// the label, the client's random in hexadecimal and the secret in hexadecimal, with a space between.
pub trait KeyLog: Send + Sync {
    /// Takes a secret under one of the labels in [`label`].
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]);
}

/// What each secret is called. Those that TLS 1.3 has too keep its name there.
pub mod label {
    /// The early secret: what the key schedule starts from.
    pub const EARLY: &str = "JSP_EARLY_SECRET";
    /// The handshake secret: with the key exchange mixed in.
    pub const HANDSHAKE: &str = "JSP_HANDSHAKE_SECRET";
    /// Protects the client's Handshake packets.
    pub const CLIENT_HANDSHAKE: &str = "CLIENT_HANDSHAKE_TRAFFIC_SECRET";
    /// Protects the server's Handshake packets.
    pub const SERVER_HANDSHAKE: &str = "SERVER_HANDSHAKE_TRAFFIC_SECRET";
    /// The master secret.
    pub const MASTER: &str = "JSP_MASTER_SECRET";
    /// Protects the client's first generation of 1-RTT packets.
    pub const CLIENT_TRAFFIC: &str = "CLIENT_TRAFFIC_SECRET_0";
    /// Protects the server's first generation of 1-RTT packets.
    pub const SERVER_TRAFFIC: &str = "SERVER_TRAFFIC_SECRET_0";
    /// Keys of applications come from it.
    pub const EXPORTER: &str = "EXPORTER_SECRET";
    /// Later connections resume with it.
    pub const RESUMPTION: &str = "JSP_RESUMPTION_SECRET";
}
