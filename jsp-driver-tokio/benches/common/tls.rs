//! TLS as every peer of the benches has it: version 1.3, AES-256-GCM, X25519MLKEM768, and an Ed25519
//! certificate that the client trusts. quinn runs over it, and so does TCP.

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// The name in the certificate.
pub const NAME: &str = "localhost";

/// An Ed25519 certificate and its key.
pub fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let cert = rcgen::CertificateParams::new(vec![NAME.into()]).unwrap();
    let cert = cert.self_signed(&key).unwrap();
    (cert.into(), PrivatePkcs8KeyDer::from(key.serialize_der()).into())
}

/// AES-256-GCM and X25519MLKEM768, nothing else.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384],
        kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768],
        ..aws_lc_rs::default_provider()
    })
}

/// A client and the server that it trusts; `mutual` if the server asks for a certificate, too.
/// Without resumption, which is not what is measured.
pub fn configs(mutual: bool) -> (ClientConfig, ServerConfig) {
    let (cert, key) = certificate();
    let mut roots = RootCertStore::empty();
    roots.add(cert.clone()).unwrap();
    let roots = Arc::new(roots);
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap();
    let builder = if mutual {
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::clone(&roots),
            provider(),
        );
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let mut server = builder.with_single_cert(vec![cert.clone()], key.clone_key()).unwrap();
    server.send_tls13_tickets = 0;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut client = if mutual {
        builder.with_client_auth_cert(vec![cert], key).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    client.resumption = rustls::client::Resumption::disabled();
    (client, server)
}

/// The client's end of TLS over a TCP connection, which waits for nothing to fill its segments.
pub async fn connect(config: ClientConfig, tcp: TcpStream) -> TlsStream<TcpStream> {
    tcp.set_nodelay(true).unwrap();
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap().into()
}

/// The server's end of it.
pub async fn accept(config: ServerConfig, tcp: TcpStream) -> TlsStream<TcpStream> {
    tcp.set_nodelay(true).unwrap();
    TlsAcceptor::from(Arc::new(config)).accept(tcp).await.unwrap().into()
}
