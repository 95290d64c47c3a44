//! Mistakes planted in the engine, in builds that can (`--features planted`): to see what a search finds, and how.

#[cfg(feature = "planted")]
use jsp_proto::planted::{self, Bug};

/// Which mistake, if any.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Plant {
    /// Plant a mistake in the engine; a wrong name shows what there is
    #[cfg(feature = "planted")]
    #[arg(long, value_name = "BUG", value_parser = parse)]
    plant: Option<Bug>,
}

#[cfg(feature = "planted")]
fn parse(name: &str) -> Result<Bug, String> {
    name.parse().map_err(|_| {
        let all = Bug::ALL.iter().fold(String::new(), |all, bug| {
            all + &format!("\n  {:<22} {}", bug.name(), bug.what())
        });
        format!("it is none of{all}\n")
    })
}

#[cfg(feature = "planted")]
impl Plant {
    /// Plants it in the whole process.
    pub(super) fn plant(&self) {
        planted::plant(self.plant);
    }

    /// How it is asked for on a command line.
    pub(super) fn words(&self) -> String {
        self.plant.map_or_else(String::new, |bug| format!(" --plant {bug}"))
    }
}

#[cfg(not(feature = "planted"))]
#[allow(clippy::unused_self)] // Nothing can be planted; callers need not know.
impl Plant {
    pub(super) const fn plant(&self) {}

    pub(super) const fn words(&self) -> String {
        String::new()
    }
}
