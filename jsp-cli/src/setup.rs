//! What the shared options mean: configurations for both ends.

use crate::args::Shared;
use crate::failure::Failure;
use crate::keylog::KeyLogFile;
use crate::protocol::{ALPN, MAX_REQUESTS};
use crate::say;
use jsp_driver_tokio::jsp_proto::crypto::{Provider, Suite};
use jsp_driver_tokio::jsp_proto::handshake::{KeyLog, Pinned};
use jsp_driver_tokio::jsp_proto::ids::Dir;
use jsp_driver_tokio::jsp_proto::path::MtuConfig;
use jsp_driver_tokio::jsp_proto::stream::StreamConfig;
use jsp_driver_tokio::{
    ClientConfig, Endpoint, EndpointOptions, Fingerprint, Identity, ServerConfig, TransportConfig,
    default_provider, portable_provider, provider_by_name,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The longest that a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The shared options, checked.
#[derive(Clone)]
pub(crate) struct Setup {
    provider: Arc<dyn Provider>,
    suite: Option<Suite>,
    mtu: Option<u16>,
    idle_timeout: Duration,
    key_log: Option<Arc<dyn KeyLog>>,
}

impl Setup {
    /// Checks the options, and opens the file of `--keylog`.
    pub(crate) fn new(shared: &Shared) -> Result<Self, Failure> {
        let provider = match &shared.provider {
            None => default_provider(),
            Some(name) => provider_by_name(name).ok_or_else(|| unknown_provider(name))?,
        };
        let mut key_log: Option<Arc<dyn KeyLog>> = None;
        if let Some(path) = &shared.keylog {
            let file = KeyLogFile::open(path)
                .map_err(|error| Failure::io(format!("cannot write {}", path.display()), &error))?;
            say::warning(format_args!(
                "secrets go to {}; whoever reads it can read these connections",
                path.display()
            ));
            key_log = Some(Arc::new(file));
        }
        Ok(Self {
            provider,
            suite: shared.suite.map(Into::into),
            mtu: shared.mtu,
            idle_timeout: shared.idle_timeout,
            key_log,
        })
    }

    pub(crate) fn provider(&self) -> &dyn Provider {
        &*self.provider
    }

    /// The same, with datagrams of the smallest size and no search for larger ones.
    pub(crate) fn with_smallest_datagrams(&self) -> Self {
        Self { mtu: Some(MtuConfig::BASE), ..self.clone() }
    }

    /// An endpoint at `address`, or at any free port of whatever the machine has.
    pub(crate) fn bind(&self, address: Option<SocketAddr>) -> io::Result<Endpoint> {
        let bind = |address| {
            let provider = Arc::clone(&self.provider);
            Endpoint::bind(address, EndpointOptions { provider, ..EndpointOptions::default() })
        };
        match address {
            Some(address) => bind(address),
            None => bind((Ipv6Addr::UNSPECIFIED, 0).into())
                .or_else(|_| bind((Ipv4Addr::UNSPECIFIED, 0).into())),
        }
    }

    /// A client that trusts `server`, which is on this machine or somewhere else.
    pub(crate) fn client(
        &self,
        server: Fingerprint,
        loopback: bool,
    ) -> Result<ClientConfig, Failure> {
        let transport = TransportConfig {
            // A transfer may wait for a slow disk.
            keep_alive: Some(self.idle_timeout / 3),
            ..self.transport(loopback)
        };
        let verifier = Arc::new(Pinned::new(server));
        let mut config = ClientConfig::with_provider(Arc::clone(&self.provider), verifier)
            .with_transport(transport)
            .with_alpn([ALPN])
            .map_err(|error| Failure::local(error.to_string()))?;
        if let Some(suite) = self.suite {
            config = config.with_suites(&[suite]);
        }
        if let Some(log) = &self.key_log {
            config = config.with_key_log(Arc::clone(log));
        }
        Ok(config)
    }

    /// A server, for clients on this machine or elsewhere.
    pub(crate) fn server(
        &self,
        identity: &Identity,
        loopback: bool,
    ) -> Result<ServerConfig, Failure> {
        let mut config = ServerConfig::with_provider(Arc::clone(&self.provider), identity)
            .with_transport(self.transport(loopback))
            .with_alpn([ALPN])
            .map_err(|error| Failure::local(error.to_string()))?;
        if let Some(suite) = self.suite {
            config = config.with_suites(&[suite]);
        }
        if let Some(log) = &self.key_log {
            config = config.with_key_log(Arc::clone(log));
        }
        Ok(config)
    }

    fn transport(&self, loopback: bool) -> TransportConfig {
        let mtu = match (self.mtu, loopback) {
            (Some(max), _) => MtuConfig { max, eager: true, ..MtuConfig::default() },
            (None, true) => MtuConfig::LOOPBACK,
            (None, false) => MtuConfig::default(),
        };
        let mut streams = StreamConfig::default();
        streams.max_streams[Dir::Bi.index()] = MAX_REQUESTS;
        streams.max_streams[Dir::Uni.index()] = 0;
        TransportConfig {
            streams,
            idle_timeout: Some(self.idle_timeout),
            handshake_timeout: self.idle_timeout.min(HANDSHAKE_TIMEOUT),
            mtu,
            ..TransportConfig::default()
        }
    }
}

/// Whether an address is this machine's own, by which nothing leaves it.
pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn unknown_provider(name: &str) -> Failure {
    let [default, portable] = [default_provider(), portable_provider()].map(|known| known.name());
    let known =
        if default == portable { portable.to_owned() } else { format!("{default} or {portable}") };
    Failure::usage(format!("there is no provider {name:?} here")).with_hint(format!("Try {known}."))
}
