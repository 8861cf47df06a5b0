//! Encryption with verified certificates, or none at all.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Encryption, PostgresError, Roots};

#[derive(Clone)]
pub enum Tls {
    None,
    Verified(MakeRustlsConnect),
}

impl Tls {
    pub fn of(encryption: &Encryption) -> Result<Self, PostgresError> {
        let roots = match encryption {
            Encryption::None => return Ok(Self::None),
            Encryption::Verified(Roots::Public) => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
            Encryption::Verified(Roots::File(path)) => roots_of(path)?,
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring supports TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Demanded by `sslnegotiation=direct`, ignored otherwise.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Self::Verified(MakeRustlsConnect::new(config)))
    }
}

fn roots_of(path: &str) -> Result<RootCertStore, PostgresError> {
    let failed = |source: io::Error| PostgresError::RootCertificates { path: path.to_owned(), source };
    let mut store = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|it| failed(io::Error::other(it)))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|it| failed(io::Error::other(it)))?;
        store.add(certificate).map_err(|it| failed(io::Error::other(it)))?;
    }
    if store.is_empty() {
        return Err(failed(io::Error::other("there is no certificate in it")));
    }
    Ok(store)
}
