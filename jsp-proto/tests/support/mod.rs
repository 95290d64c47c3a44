//! What the tests of the crypto room share.

use jsp_proto::crypto::{Provider, rustcrypto::RustCrypto};

/// Every provider of this build.
#[cfg(feature = "aws-lc")]
pub(crate) const PROVIDERS: &[&dyn Provider] = &[&RustCrypto, &jsp_proto::crypto::aws_lc::AwsLc];
/// Every provider of this build.
#[cfg(not(feature = "aws-lc"))]
pub(crate) const PROVIDERS: &[&dyn Provider] = &[&RustCrypto];
