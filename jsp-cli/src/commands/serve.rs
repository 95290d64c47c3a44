//! `jsp serve`

use crate::args::Serve;
use crate::failure::Failure;
use crate::files::Root;
use crate::say;
use crate::server::{self, Service, Stop};
use crate::setup::{Setup, is_loopback};
use crate::signals::interrupted;
use crate::url::Url;
use jsp_driver_tokio::{Identity, IdentityFileError};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

/// Serves until it is interrupted. Transfers under way are then completed, for some seconds.
pub(crate) async fn run(setup: &Setup, args: &Serve) -> Result<(), Failure> {
    let identity = identity(setup, args.identity.as_deref())?;
    let root = args.dir.as_deref().map(root).transpose()?;
    let near = setup.server(&identity, true)?;
    let far = setup.server(&identity, false)?;
    let endpoint = setup.bind(args.listen).map_err(|error| {
        let wanted = args.listen.map_or_else(|| "any address".into(), |at| at.to_string());
        Failure::io(format!("cannot listen at {wanted}"), &error)
            .with_hint("Is another server there? Port 0 is any free port: `--listen 127.0.0.1:0`.")
    })?;
    endpoint.set_server(Some(far.clone()));
    let url = Url::new(identity.fingerprint(), reachable(endpoint.local_addr()));
    print_line(&url).map_err(|error| Failure::io("cannot print the URL", &error))?;
    match &args.dir {
        Some(dir) => say::note(format_args!(
            "Whoever has this URL can get what is below {} and add to it. Ctrl-C ends it.",
            dir.display()
        )),
        None => say::note("No folder is shared (see --dir): measurements only. Ctrl-C ends it."),
    }

    let (stop, stopped) = Stop::new();
    let config = move |remote| if is_loopback(remote) { near.clone() } else { far.clone() };
    let serving =
        tokio::spawn(server::serve(endpoint, config, Arc::new(Service::new(root)), stopped));
    interrupted().await.map_err(|error| Failure::io("cannot listen to signals", &error))?;
    say::note("Completing what is under way. Ctrl-C again breaks it off.");
    let _ = stop.send(true);
    tokio::select! {
        _ = serving => Ok(()),
        _ = interrupted() => Err(Failure::interrupted()),
    }
}

/// The identity in a file, or one for this run.
fn identity(setup: &Setup, path: Option<&Path>) -> Result<Identity, Failure> {
    let Some(path) = path else {
        say::note(
            "This server's identity, and so its URL, is for this run only (see --identity and `jsp keygen`).",
        );
        return Identity::generate(setup.provider())
            .map_err(|error| Failure::io("cannot make an identity", &error));
    };
    Identity::load(setup.provider(), path).map_err(|error| {
        let failure =
            Failure::local(format!("cannot use the identity {}: {error}", path.display()));
        match error {
            IdentityFileError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                failure.with_hint(format!("Make one with `jsp keygen -o {}`.", path.display()))
            }
            _ => failure,
        }
    })
}

fn root(dir: &Path) -> Result<Arc<Root>, Failure> {
    let root = Root::open(dir)
        .map_err(|error| Failure::io(format!("cannot share {}", dir.display()), &error))?;
    Ok(Arc::new(root))
}

/// One line on standard output, at once, whoever reads it.
fn print_line(url: &Url) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{url}")?;
    out.flush()
}

/// Where others may reach what listens at `local`: there, if that is one address; else at the address
/// from which this machine would send to the rest of the world, or at its loopback if it has none.
fn reachable(local: SocketAddr) -> SocketAddr {
    if !local.ip().is_unspecified() {
        return local;
    }
    // Addresses for documentation (RFC 5737, RFC 3849): nothing is sent, only a route is looked up.
    let v4 = || source((Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv4Addr::new(192, 0, 2, 1), 9).into());
    let v6 = || {
        let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        source((Ipv6Addr::UNSPECIFIED, 0).into(), (documentation, 9).into())
    };
    // A socket of IPv6 hears IPv4, too, which more networks have.
    let found = v4().or_else(|| local.is_ipv6().then(v6).flatten());
    SocketAddr::new(found.unwrap_or(Ipv4Addr::LOCALHOST.into()), local.port())
}

/// The address from which this machine would send to `target`.
fn source(any: SocketAddr, target: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(target).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_an_address_that_can_be_reached() {
        let exact = "127.0.0.1:5".parse().unwrap();
        assert_eq!(reachable(exact), exact);
        let any = reachable("[::]:5".parse().unwrap());
        assert!(!any.ip().is_unspecified());
        assert_eq!(any.port(), 5);
    }
}
