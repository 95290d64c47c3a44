//! Which implementation of the cryptography is used where nobody chose one.

use jsp_proto::crypto::Provider;
use std::sync::Arc;

/// The fast provider where this crate was built with it (feature `aws-lc`, on by default), the
/// portable one elsewhere.
pub fn default_provider() -> Arc<dyn Provider> {
    #[cfg(feature = "aws-lc")]
    return Arc::new(jsp_proto::crypto::aws_lc::AwsLc);
    #[cfg(not(feature = "aws-lc"))]
    return portable_provider();
}

/// The portable provider: pure Rust.
pub fn portable_provider() -> Arc<dyn Provider> {
    Arc::new(jsp_proto::crypto::rustcrypto::RustCrypto)
}

/// A provider by its name, of those that this crate was built with.
pub fn provider_by_name(name: &str) -> Option<Arc<dyn Provider>> {
    [default_provider(), portable_provider()].into_iter().find(|provider| provider.name() == name)
}
