//! How endpoints, clients and servers are set up: the engine's settings, with what drivers add.

use crate::identity::Identity;
use crate::net::SocketOptions;
use crate::provider::{default_provider, portable_provider};
use crate::signing::{SignWith, Signers};
use jsp_proto::connection::TransportConfig;
use jsp_proto::crypto::{Fingerprint, Provider, Secret, Suite};
use jsp_proto::endpoint::{self as engine, Limits};
use jsp_proto::handshake::{
    self, AlpnList, BadAlpn, ClientAuth, IdentitySet, KeyLog, Pinned, ServerName, Verifier,
};
use jsp_proto::rng::Seed;
use std::fmt;
use std::sync::Arc;

/// How an endpoint is set up.
#[derive(Clone, Debug)]
pub struct EndpointOptions {
    /// The cryptography of what precedes connections. Default: [`default_provider`].
    pub provider: Arc<dyn Provider>,
    /// The key of stateless reset tokens. With the same key, a server that starts again can tell its
    /// former peers that their connections are gone. Default: a random one.
    pub reset_key: Option<Secret>,
    /// What strangers may cost.
    pub limits: Limits,
    /// How many incoming connections may wait to be accepted. Those beyond are asked for proof of their
    /// address, and refused if they have given it. Default: 1024, of about 5 KiB each.
    pub backlog: usize,
    /// The socket that `Endpoint::bind` makes.
    pub socket: SocketOptions,
    /// From what everything random in the endpoint and its connections follows: `None`, the default,
    /// is the operating system's randomness.
    ///
    /// **For tests and simulations only: whoever knows the seed can compute every key.** Never use a
    /// seed for two endpoints that talk to each other. It makes a run reproducible together with what
    /// [`Self::reproducible`] lists.
    pub seed: Option<Seed>,
}

impl EndpointOptions {
    /// The options of an endpoint that does the same again for the same `seed`, **for tests and
    /// simulations only**: whoever knows the seed can compute every key.
    ///
    /// A whole run is the same again if, beyond that,
    /// - every client and server configuration has the [portable provider](crate::portable_provider),
    ///   too: the fast one draws from a generator of its own, which no seed reaches;
    /// - identities come from [`Identity::from_secret`], signers are [`SignWith::Inline`];
    /// - the socket is a simulated one, which the driver for tokio takes (`Endpoint::with_socket`);
    /// - the runtime has one thread and begins with its clock paused
    ///   (`#[tokio::test(start_paused = true)]`);
    /// - the application draws nothing from elsewhere: neither the system's clock, nor hash maps'
    ///   order, nor `tokio::select!` without `biased`, nor threads.
    pub fn reproducible(seed: Seed) -> Self {
        Self { provider: portable_provider(), seed: Some(seed), ..Self::default() }
    }
}

impl Default for EndpointOptions {
    fn default() -> Self {
        Self {
            provider: default_provider(),
            reset_key: None,
            limits: Limits::default(),
            backlog: 1024,
            socket: SocketOptions::default(),
            seed: None,
        }
    }
}

/// How a client connects: whom it trusts above all. Cheap to clone.
#[derive(Clone)]
pub struct ClientConfig {
    engine: engine::ClientConfig,
    signers: Signers,
}

impl ClientConfig {
    /// A client that trusts whom `verifier` trusts.
    pub fn new(verifier: Arc<dyn Verifier>) -> Self {
        Self::with_provider(default_provider(), verifier)
    }

    /// The same, with a provider of choice.
    pub fn with_provider(provider: Arc<dyn Provider>, verifier: Arc<dyn Verifier>) -> Self {
        Self {
            engine: engine::ClientConfig {
                handshake: Arc::new(handshake::ClientConfig::new(provider, verifier)),
                transport: Arc::default(),
            },
            signers: Signers::default(),
        }
    }

    /// A client that trusts the server of this fingerprint, and no other.
    pub fn pinned(server: Fingerprint) -> Self {
        Self::new(Arc::new(Pinned::new(server)))
    }

    /// Offers these application protocols, best first. Anybody on the way can read them.
    ///
    /// # Errors
    /// A name is empty or too long, or there are too many.
    pub fn with_alpn<N: AsRef<[u8]>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, BadAlpn> {
        self.handshake().alpn = alpn(names)?;
        Ok(self)
    }

    /// Asks for one of the server's identities by name. Anybody on the way can read it.
    #[must_use]
    pub fn with_server_name(mut self, name: ServerName) -> Self {
        self.handshake().server_name = name;
        self
    }

    /// Proves this identity to servers that ask for one.
    #[must_use]
    pub fn with_identity(self, identity: &Identity) -> Self {
        self.with_signer(identity.public().clone(), identity.inline())
    }

    /// Proves an identity whose signatures are made as `signer` says.
    #[must_use]
    pub fn with_signer(mut self, identity: handshake::Identity, signer: SignWith) -> Self {
        self.signers.add(identity.fingerprint(), signer);
        self.handshake().identity = Some(identity);
        self
    }

    /// Offers these suites, best first.
    #[must_use]
    pub fn with_suites(mut self, suites: &[Suite]) -> Self {
        self.handshake().suites = suites.to_vec();
        self
    }

    /// Writes secrets down. **Whoever reads the log reads the connections.**
    #[must_use]
    pub fn with_key_log(mut self, log: Arc<dyn KeyLog>) -> Self {
        self.handshake().key_log = Some(log);
        self
    }

    /// Sets the transport's limits, windows and timers.
    #[must_use]
    pub fn with_transport(mut self, transport: TransportConfig) -> Self {
        self.engine.transport = Arc::new(transport);
        self
    }

    /// All that a handshake can be told.
    pub fn handshake(&mut self) -> &mut handshake::ClientConfig {
        Arc::make_mut(&mut self.engine.handshake)
    }

    /// What the engine is told, for drivers.
    pub fn engine(&self) -> &engine::ClientConfig {
        &self.engine
    }

    /// Who signs, for drivers.
    pub fn signers(&self) -> &Signers {
        &self.signers
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig").field("signers", &self.signers).finish_non_exhaustive()
    }
}

/// How a server answers: who it is above all. Cheap to clone.
#[derive(Clone)]
pub struct ServerConfig {
    engine: Arc<engine::ServerConfig>,
    signers: Signers,
}

impl ServerConfig {
    /// A server with one identity, shown whatever name a client asks for.
    pub fn with_identity(identity: &Identity) -> Self {
        Self::with_provider(default_provider(), identity)
    }

    /// The same, with a provider of choice.
    pub fn with_provider(provider: Arc<dyn Provider>, identity: &Identity) -> Self {
        Self::with_signer(provider, identity.public().clone(), identity.inline())
    }

    /// A server with one identity, whose signatures are made as `signer` says.
    pub fn with_signer(
        provider: Arc<dyn Provider>,
        identity: handshake::Identity,
        signer: SignWith,
    ) -> Self {
        let mut signers = Signers::default();
        signers.add(identity.fingerprint(), signer);
        let identities = IdentitySet::single(identity);
        let handshake = Arc::new(handshake::ServerConfig::new(provider, identities));
        let engine = engine::ServerConfig { handshake, transport: Arc::default() };
        Self { engine: Arc::new(engine), signers }
    }

    /// Shows another identity to clients that ask for `name`.
    #[must_use]
    pub fn with_named_identity(mut self, name: ServerName, identity: &Identity) -> Self {
        self.signers.add(identity.fingerprint(), identity.inline());
        let handshake = self.handshake();
        let identities = std::mem::take(&mut handshake.identities);
        handshake.identities = identities.with(name, identity.public().clone());
        self
    }

    /// Asks clients for an identity.
    #[must_use]
    pub fn with_client_auth(mut self, auth: ClientAuth) -> Self {
        self.handshake().client_auth = auth;
        self
    }

    /// Speaks these application protocols, best first.
    ///
    /// # Errors
    /// A name is empty or too long, or there are too many.
    pub fn with_alpn<N: AsRef<[u8]>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, BadAlpn> {
        self.handshake().alpn = alpn(names)?;
        Ok(self)
    }

    /// Accepts these suites, best first.
    #[must_use]
    pub fn with_suites(mut self, suites: &[Suite]) -> Self {
        self.handshake().suites = suites.to_vec();
        self
    }

    /// Writes secrets down. **Whoever reads the log reads the connections.**
    #[must_use]
    pub fn with_key_log(mut self, log: Arc<dyn KeyLog>) -> Self {
        self.handshake().key_log = Some(log);
        self
    }

    /// Sets the transport's limits, windows and timers.
    #[must_use]
    pub fn with_transport(mut self, transport: TransportConfig) -> Self {
        Arc::make_mut(&mut self.engine).transport = Arc::new(transport);
        self
    }

    /// All that a handshake can be told.
    pub fn handshake(&mut self) -> &mut handshake::ServerConfig {
        Arc::make_mut(&mut Arc::make_mut(&mut self.engine).handshake)
    }

    /// What the engine is told, for drivers.
    pub fn engine(&self) -> &Arc<engine::ServerConfig> {
        &self.engine
    }

    /// Who signs, for drivers.
    pub fn signers(&self) -> &Signers {
        &self.signers
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig").field("signers", &self.signers).finish_non_exhaustive()
    }
}

fn alpn<N: AsRef<[u8]>>(names: impl IntoIterator<Item = N>) -> Result<AlpnList, BadAlpn> {
    AlpnList::new(names.into_iter().map(|name| name.as_ref().to_vec()).collect())
}
