//! What the addresses of servers that keep tokens have in common: the authority behind a certificate,
//! and words for a certificate that is not accepted.

use std::error::Error;
use std::path::PathBuf;

use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The parameter of an address that names the file of an authority, as MySQL's own clients call it.
const AUTHORITY: &str = "ssl-ca";

/// Why the authority that an address names cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The file cannot be read.
    #[error("its ssl-ca, the file {}, cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file holds no certificates in PEM.
    #[error("its ssl-ca, the file {}, holds no certificate in PEM", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
}

/// The certificates in PEM of the file that the address names as `?ssl-ca=FILE`, if it names one.
pub(super) fn authority(url: &Url) -> Result<Option<Vec<u8>>, AuthorityError> {
    let Some((_, path)) = url.query_pairs().find(|(name, _)| name == AUTHORITY) else {
        return Ok(None);
    };
    let path = PathBuf::from(path.as_ref());
    match std::fs::read(&path) {
        Err(source) => Err(AuthorityError::Unreadable { path, source }),
        Ok(pem) if has_certificates(&pem) => Ok(Some(pem)),
        Ok(_) => Err(AuthorityError::NoCertificate { path }),
    }
}

fn has_certificates(pem: &[u8]) -> bool {
    let mut found = CertificateDer::pem_slice_iter(pem).peekable();
    found.peek().is_some() && found.all(|certificate| certificate.is_ok())
}

/// Why the server's certificate is not accepted, if that is what this error is about.
pub(super) fn certificate_fault(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(fault)) = error.downcast_ref() {
            return Some(format!(
                "its certificate is not accepted ({fault}); its address names the authority \
                 behind it as ?{AUTHORITY}=FILE"
            ));
        }
        // An I/O error does not give what is in it as its source.
        cause = match error.downcast_ref::<std::io::Error>() {
            Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

/// The words for a server that does not know the user or the password.
pub(super) const NOT_LET_IN: &str = "it refuses the user or the password of its address";
