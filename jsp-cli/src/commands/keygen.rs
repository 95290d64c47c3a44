//! `jsp keygen`

use crate::args::Keygen;
use crate::failure::Failure;
use crate::say;
use crate::setup::Setup;
use jsp_driver_tokio::{Identity, IdentityFileError};

/// Makes an identity file, readable by its owner only, and prints the fingerprint.
pub(crate) fn run(setup: &Setup, args: &Keygen) -> Result<(), Failure> {
    let path = args.output.display();
    let identity = Identity::generate(setup.provider())
        .map_err(|error| Failure::io("cannot make an identity", &error))?;
    identity.save(setup.provider(), &args.output).map_err(|error| match error {
        IdentityFileError::Exists => {
            Failure::local(format!("{path} exists already; it was left as it is")).with_hint(
                "Choose another name with `-o FILE`. An identity that is gone is gone for ever.",
            )
        }
        error => Failure::local(format!("cannot write {path}: {error}")),
    })?;
    say::note(format_args!("The identity is in {path}: keep it secret. Its fingerprint:"));
    anstream::println!("{}", identity.fingerprint());
    Ok(())
}
